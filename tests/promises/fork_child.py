"""A child whose threads read and spill a cache, and that forks; its children ask everything.

A grandchild names on a pipe what it is about to do, and is killed by an alarm where that takes too long.
"""

import faulthandler
import gc
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pyarrow as pa

import respool
from promises.fork_calls import calls
from sources import SCHEMA

# A child imports pyarrow.parquet and Polars, which takes seconds where others work too.
TOO_LONG = 20
ROWS = 2000
TEXTS = pa.array([f"a text {i}" for i in range(ROWS)])
READERS = 40  # one for each name that a reader has, and some to be dropped
SOME = 30  # batches before the first fork
stop = threading.Event()


def source() -> Iterator[pa.RecordBatch]:
    for i in itertools.count():
        if stop.is_set():
            break
        time.sleep(0.0005)
        numbers = range(i * ROWS, i * ROWS + ROWS)
        yield pa.record_batch([numbers, TEXTS], schema=SCHEMA)


def make(kind: str, directory: str) -> respool.StreamCache:
    if kind == "iterable":
        return respool.cache(source(), schema=SCHEMA, memory=100_000, directory=directory)
    if kind == "read ahead":
        sizes = {"memory": 100_000, "directory": directory}
        ahead = {"prefetch": "9 batches", "batch_rows": (1500, 3000)}
        return respool.cache(source(), schema=SCHEMA, **sizes, **ahead)
    reader = pa.RecordBatchReader.from_batches(SCHEMA, source())
    return respool.StreamCache(reader, 100_000, directory, "4 GiB", compression="lz4")


def stream(cache: respool.StreamCache) -> None:
    for _ in pa.RecordBatchReader.from_stream(cache):
        pass


def ask(cache: respool.StreamCache) -> None:
    while not stop.is_set():
        repr(cache)
        cache.metrics()


def take_and_drop(cache: respool.StreamCache) -> None:
    while not stop.is_set():
        readers = [cache.slice(10).reader() for _ in range(20)]
        next(readers[-1])
        del readers


def look_up(cache: respool.StreamCache) -> None:
    while not stop.is_set():
        view = cache.slice(50, 10 * ROWS).select(["n"])
        list(view)
        repr(view)
        next(cache.reader())


def in_grandchild(cache: respool.StreamCache, own: list[respool.StreamCache], pipe: int) -> None:
    """Ask everything; what waits is named last on the pipe."""

    def about_to(what: str) -> None:
        os.write(pipe, f"{what}\n".encode())

    views = [cache.slice(10).select(["n"])]
    things = {
        "reader": readers.pop,
        "view's reader": view_readers.pop,
        "view": lambda: views[0],
        "cache": lambda: cache,  # the last, since it can be closed
    }
    faults = 0
    for name, take in things.items():
        about_to(f"take and drop {name}")
        for what, call in calls(name, take):
            about_to(what)
            try:
                call()
            except StopIteration:
                pass
            except BaseException as error:
                # Behind a C stream the exception is the consumer's own.
                kind = Exception if what.startswith("pa.") else RuntimeError
                if not isinstance(error, kind) or "fork" not in str(error):
                    about_to(f"WRONG {what}: {error!r}")
                    faults += 1
    about_to("drop readers and views")
    readers.clear()
    view_readers.clear()
    views.clear()
    del call
    gc.collect()
    about_to("drop a cache")
    own.clear()
    gc.collect()
    os._exit(1 if faults else 0)


readers: list[respool.StreamCacheReader] = []
view_readers: list[respool.StreamCacheReader] = []


def main() -> None:
    directory, kind, forks = sys.argv[1:]
    os.environ["TMPDIR"] = directory  # what children write goes with it
    cache = make(kind, directory)
    own = [make(kind, directory)]  # in no other thread's frames, so that a grandchild can drop it
    next(own[0].reader())
    work = [respool.StreamCache.ingest_all, stream, ask, look_up, take_and_drop, take_and_drop]
    threads = [threading.Thread(target=it, args=(cache,), daemon=True) for it in work]
    for thread in threads:
        thread.start()
    cache.batch(SOME)
    for i in range(int(forks)):
        readers[:] = [cache.reader() for _ in range(READERS)]
        view_readers[:] = [cache.slice(10).select(["n"]).reader() for _ in range(READERS)]
        next(readers[0])
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)
            signal.alarm(TOO_LONG)
            in_grandchild(cache, own, write)
        os.close(write)
        with os.fdopen(read) as pipe:
            said = pipe.read().splitlines()
        status = os.waitpid(child, 0)[1]
        wrong = [line for line in said if line.startswith("WRONG")]
        if os.WIFSIGNALED(status):
            kind_of_end = "hang" if os.WTERMSIG(status) == signal.SIGALRM else "abort"
            print(f"{kind_of_end} in {said[-1]}", flush=True)
        elif status:
            print("; ".join(wrong) or f"WRONG exit {status}", flush=True)
        else:
            assert len(said) > 50, said
            print("right", flush=True)
        time.sleep(0.001 * (i % 7))
    stop.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "a thread of the parent still waits"
    numbers = pa.table(cache)["n"].to_pylist()
    assert numbers == list(range(len(numbers))), "the parent's rows are not what they were"
    assert len(numbers) > SOME * ROWS
    print("unharmed", flush=True)


if __name__ == "__main__":
    main()
