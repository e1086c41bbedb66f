"""A child that reads what does not end in its lifetime, until somebody presses Ctrl-C.

Prints ``ready`` when it begins, and at the end as JSON when the call ended and what became of the cache.
"""

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pyarrow as pa

import respool
from promises.hang_consumers import CONSUMERS

SCHEMA = pa.schema({"n": pa.int64()})
ROWS = 2048
FAR = 10**8


def endless(pause: float = 0.0) -> Iterator[pa.RecordBatch]:
    for i in itertools.count():
        if pause:
            time.sleep(pause)
        yield pa.record_batch([range(i * 16, i * 16 + 16)], schema=SCHEMA)


def from_duckdb() -> pa.RecordBatchReader:
    import duckdb

    query = "select range as n from range(3000000000)"
    return duckdb.connect().cursor().sql(query).to_arrow_reader(ROWS)


def from_c_and_python(sizes: dict[str, object]) -> respool.StreamCache:
    return respool.cache(pa.RecordBatchReader.from_batches(SCHEMA, endless()), **sizes)


CONTROL = "C, without us"
"""The reader of DuckDB itself in place of a cache over it."""

SOURCES: dict[str, Callable[[dict[str, object]], respool.StreamCache]] = {
    "C": lambda sizes: respool.cache(from_duckdb(), **sizes),
    "generator": lambda sizes: respool.cache(endless(), schema=SCHEMA, **sizes),
    "generator, read ahead": lambda sizes: respool.cache(
        endless(), schema=SCHEMA, prefetch="5 batches", batch_rows=(100, 1000), **sizes
    ),
    "sleeping generator": lambda sizes: respool.cache(endless(0.02), schema=SCHEMA, **sizes),
    "pyarrow reader": from_c_and_python,
}


def waiting(cache: respool.StreamCache) -> None:
    """Wait for a batch that another thread is on its way to."""
    threading.Thread(target=cache.ingest_all, daemon=True).start()
    time.sleep(0.1)
    cache.batch(FAR)


READS_TO_THE_END = {
    name: read for name, read in CONSUMERS.items() if name not in {"metrics", "dropped", "close"}
}
CALLS: dict[str, Callable[[respool.StreamCache], object]] = {
    **READS_TO_THE_END,
    "pa.table": pa.table,
    "to_pyarrow": lambda cache: cache.to_pyarrow(),
    "ingest_all": lambda cache: cache.ingest_all(),
    "progress": lambda cache: cache.ingest_all(progress=lambda rows, nbytes: None),
    "far batch": lambda cache: cache.batch(FAR),
    "far slice": lambda cache: next(iter(cache.slice(FAR * ROWS))),
    "waiting": waiting,
}


def large(sizes: dict[str, object]) -> respool.StreamCache:
    """A complete cache of two thousand million strings, in the memory of a batch of them."""
    batch = pa.record_batch({"s": [f"text {i % 5000}" for i in range(1_000_000)]})
    batches = itertools.repeat(batch, 2000)
    cache = respool.cache(batches, schema=batch.schema, memory="4 GiB", disk=None)
    cache.ingest_all()
    return cache


def encoding(cache: respool.StreamCache) -> None:
    import duckdb

    import respool.duckdb

    respool.duckdb.register(duckdb.connect(), "t", cache, optimize=True)


def proving_for_duckdb(cache: respool.StreamCache) -> None:
    import duckdb

    import respool.duckdb

    con = duckdb.connect()
    respool.duckdb.register(con, "t", cache)
    con.execute("select count(*) from t where s = 'zzz'").fetchall()


WORK = {
    "encoding": encoding,
    "proving for duckdb": proving_for_duckdb,
}


def interrupted(call: Callable[[respool.StreamCache], object], cache: object) -> tuple[float, str]:
    """When and how the call ended: with KeyboardInterrupt, or with another error and then that where it is
    read again."""
    ends: list[float] = []
    errors: list[str] = []
    try:
        try:
            try:
                call(cache)
                ends.append(time.monotonic())
                return ends[0], "ended as if nothing had happened"
            except Exception as error:
                ends.append(time.monotonic())
                errors.append(f"{type(error).__name__}: {error}"[:200])
                if isinstance(cache, respool.StreamCache):
                    cache.reader()  # as a loop does that takes it for a failure
                time.sleep(1)
                return ends[0], f"no KeyboardInterrupt after {errors[0]}"
        finally:
            ends.append(time.monotonic())
            time.sleep(0.05)  # an engine may raise it, and Python once more
    except KeyboardInterrupt:
        return next(iter(ends), time.monotonic()), "KeyboardInterrupt"


def afterwards(cache: respool.StreamCache) -> str:
    """What became of a cache of an endless source."""
    assert not cache.complete
    assert not cache.upstream_exhausted
    if cache.ingested_count:
        assert cache.batch(0)["n"][0].as_py() == 0
    before = cache.ingested_count
    try:
        cache.batch(before)
    except (Exception, KeyboardInterrupt):
        assert cache.error is not None
    else:
        assert cache.ingested_count > before
    assert not cache.complete
    return "failed" if cache.error is not None else "usable"


def main() -> None:
    directory, source, what = sys.argv[1:]
    if what in WORK:
        cache, call = large({}), WORK[what]
    elif source == CONTROL:
        cache, call = from_duckdb(), CALLS[what]
    else:
        sizes = {"memory": "64 MiB", "disk": "8 GiB", "directory": directory}
        cache, call = SOURCES[source](sizes), CALLS[what]
    import duckdb  # noqa: F401 - not in the time that is measured
    import nanoarrow  # noqa: F401
    import polars as pl  # noqa: F401

    next(endless())  # pyarrow imports pandas here

    print("ready", flush=True)
    ended, how = interrupted(call, cache)
    state = "usable" if what in WORK or source == CONTROL else afterwards(cache)
    print(json.dumps({"ended": ended, "how": how, "state": state}), flush=True)
    os._exit(0)  # engines and threads may still be reading


if __name__ == "__main__":
    main()
