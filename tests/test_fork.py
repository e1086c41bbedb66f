"""A forked child gets a clear error at once, and its parent never notices."""

import processes

FORKS = """
import os, signal, sys, threading
import pyarrow as pa, respool
from sources import SCHEMA, Source, expected

pa.table(expected(1))  # imports pandas, under a lock of pyarrow's that a child would wait for
source = Source(200, pause=0.005)
cache = respool.cache(source, schema=SCHEMA, memory=5000, directory=sys.argv[1])
readers = [threading.Thread(target=lambda: pa.table(cache)) for _ in range(4)]
for reader in readers:
    reader.start()
open_reader = cache.reader()
for _ in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        answers = 0
        for use in (cache.ingest_all, lambda: next(open_reader), lambda: pa.table(cache)):
            try:
                use()
            except BaseException as error:
                answers += "fork" in str(error)
        os._exit(0 if answers == 3 else 1)
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
for reader in readers:
    reader.join()
assert pa.table(cache).equals(expected(200))
assert source.pulls == 201
print("unharmed")
"""


def test_children_forked_in_the_middle_of_everything(log_dir):
    assert processes.run(FORKS, log_dir).strip() == "unharmed"


STAND_INS = """
import gc, os, sys
import respool
from sources import SCHEMA, Source, expected
import pyarrow as pa

caches = []
for number in range(10):
    path = os.path.join(sys.argv[1], str(number))
    respool.cache(Source(3), schema=SCHEMA, path=path).ingest_all()
    caches.append(respool.open(path))

def descriptors():
    return len(os.listdir("/proc/self/fd"))

child = os.fork()
if child == 0:
    before = descriptors()
    for cache in caches:
        assert pa.table(cache).equals(expected(3))
    used = descriptors()
    del cache
    caches.clear()
    gc.collect()
    print(used > before, descriptors() <= before, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_child_gives_back_what_it_opened_in_place_of_its_parents(log_dir):
    assert processes.run(STAND_INS, log_dir).split() == ["True", "True"]


GRANDCHILD = """
import os, signal, sys, threading, time
import numpy, pyarrow as pa, respool

path = sys.argv[1]
batch = pa.record_batch({"x": numpy.arange(1 << 20)})

if os.fork() == 0:  # leaves a log of which nothing was made durable: who opens it has to verify all of it
    cache = respool.cache((batch for _ in range(100)), schema=batch.schema, path=path)
    reader = iter(cache)
    for _ in range(30):
        next(reader)
    os._exit(0)
os.wait()
cache = respool.open(path)
child = os.fork()
if child == 0:
    opens = threading.Thread(target=cache.reader)
    opens.start()
    time.sleep(0.004)
    grandchild = os.fork()
    if grandchild == 0:
        signal.alarm(20)
        cache.reader()
        os._exit(0)
    status = os.waitpid(grandchild, 0)[1]
    opens.join()
    os._exit(1 if status else 0)
print(os.waitpid(child, 0)[1])
"""


def test_a_grandchild_waits_for_no_thread_of_the_child(log_dir):
    assert processes.run(GRANDCHILD, log_dir / "log").strip() == "0"
