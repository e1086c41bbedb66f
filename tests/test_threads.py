"""No deadlock: any two consumers at once over a source that needs the GIL.

A consumer may hold the GIL while it waits for a batch, and then no Python code can end the hang: each
first consumer gets a process of its own, which prints all stacks and dies when a pair takes too long.
"""

import pytest

import processes
from consumers import ALL

PAIRS = """
import faulthandler, sys
import respool
from consumers import ALL
from processes import in_threads
from sources import SCHEMA, Source, rows_of

first, kind, directory = sys.argv[1:]
names = list(ALL)
for second in names[names.index(first):]:
    for _ in range(2):
        faulthandler.dump_traceback_later(15, exit=True)
        source = Source(12, pause=0.002)
        if kind == "iterable":
            cache = respool.cache(source, schema=SCHEMA, memory=5000, directory=directory)
        else:
            cache = respool.StreamCache(source.reader(), 5000, directory, "10 MiB")
        tasks = [lambda: ALL[first](cache), lambda: ALL[second](cache), cache.metrics, cache.ingest_all]
        one, other, _, _ = in_threads(*tasks, timeout=12)
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
