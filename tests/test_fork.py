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
