"""No deadlock: any two consumers at once over a source that needs the GIL.

A consumer may hold the GIL while it waits for a batch, and then no Python code can end the hang: each
first consumer gets a process of its own, which prints all stacks and dies when a pair takes too long.
"""

import pytest

import processes
from consumers import ALL

PAIRS = """
import faulthandler, sys, time
import respool
from consumers import ALL
from processes import in_threads
from sources import SCHEMA, Source, rows_of

first, kind, directory = sys.argv[1:]
names = list(ALL)
PAUSE = 0.01

def make(source):
    if kind == "iterable":
        return respool.cache(source, schema=SCHEMA, memory=5000, directory=directory)
    return respool.StreamCache(source.reader(), 5000, directory, "10 MiB")

def late(task):
    time.sleep(PAUSE / 2)  # the other is in the middle of a pull
    return task()

for second in names[names.index(first):]:
    for others in (0, 0, 1):
        faulthandler.dump_traceback_later(15, exit=True)
        source = Source(12, pause=PAUSE)
        cache = make(source)
        tasks = [lambda: ALL[first](cache), lambda: late(lambda: ALL[second](cache))]
        tasks += [lambda: late(cache.ingest_all), lambda: late(cache.metrics)] * others
        one, other, *_ = in_threads(*tasks, timeout=12)
        assert one == rows_of(12), (second, one)
        assert other == rows_of(12), (second, other)
        assert source.pulls == 13
        faulthandler.cancel_dump_traceback_later()
    print(second, flush=True)
"""


@pytest.mark.parametrize("kind", ["iterable", "stream"])
@pytest.mark.parametrize("first", ALL)
def test_any_two_consumers_over_a_python_source(first, kind, log_dir):
    names = list(ALL)
    seen = processes.run(PAIRS, first, kind, log_dir).split()
    assert seen == names[names.index(first) :]
