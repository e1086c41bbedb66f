"""What workers do with what was pickled for them. A module by itself: they import it by name."""

import os
import pickle
import threading
from pathlib import Path

import pyarrow as pa

import respool
from sources import SCHEMA


def persistent(source: object, directory: Path, **options: object) -> respool.StreamCache:
    return respool.cache(source, path=directory / "log", schema=SCHEMA, **options)


def rows(view: respool.StreamCacheView) -> list[tuple[object, ...]]:
    columns = pa.table(view).columns
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


VIEWS = {
    "cache": lambda cache: cache,
    "columns": lambda cache: cache.select("s"),
    "cast": lambda cache: cache.cast(pa.schema({"n": pa.float32(), "s": pa.large_string()})),
    "slice": lambda cache: cache.slice(30, 240),
    "rows": lambda cache: cache.filter([("n", "in", [3, 5, 250]), ("s", "!=", "row 5")]),
    "slice of rows": lambda cache: cache.filter([("n", ">", 99)]).slice(10, 70).select("n"),
    "prefix": lambda cache: cache.prefix(),
}


def twice(view: respool.StreamCacheView) -> tuple[int, list[list[tuple[object, ...]]]]:
    """Replay what was pickled twice, in the process that this says."""
    return os.getpid(), [rows(view), rows(view)]


def twice_of(view: respool.StreamCacheView, answers: object) -> None:
    answers.put(twice(view))


def twice_collected(lazy: object) -> tuple[int, list[list[tuple[object, ...]]]]:
    return os.getpid(), [lazy.collect().rows(), lazy.collect().rows()]


def caches_of(pickled: bytes, threads: int) -> int:
    """Unpickle in many threads at once; how many caches are there then?"""
    barrier = threading.Barrier(threads)
    found: list[respool.StreamCacheView] = []

    def unpickle() -> None:
        barrier.wait()
        found.append(pickle.loads(pickled))

    started = [threading.Thread(target=unpickle) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert len(found) == threads
    return len({id(view.cache) for view in found})
