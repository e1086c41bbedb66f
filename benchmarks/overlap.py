"""Reading ahead: a source and a consumer that both take their time; and the first rows of a slow source."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from measure import Claim, rounds, scratch, table

import respool
import respool.duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMA = pa.schema({"n": pa.int64()})
PAUSE, COUNT = 0.020, 100
WANTED = 2.4 / 4
SLOW, FIRST = 0.050, 5
ROWS = 1000
# One of its own would be most of what a first query takes.
CONNECTION = duckdb.connect()


def source(pause: float, count: int) -> Iterator[pa.RecordBatch]:
    for i in range(count):
        time.sleep(pause)
        yield pa.record_batch([range(i * ROWS, i * ROWS + ROWS)], schema=SCHEMA)


def consumed(**options: object) -> float:
    """Seconds for all batches, of which each takes the consumer as long as the source."""
    began = time.perf_counter()
    with respool.cache(source(PAUSE, COUNT), schema=SCHEMA, **options) as cache:
        for _ in cache:
            time.sleep(PAUSE)
    return time.perf_counter() - began


def first_rows(read: Callable[[respool.StreamCache], object], **options: object) -> float:
    """Seconds until a consumer has the first rows, from before the cache is made."""
    began = time.perf_counter()
    cache = respool.cache(source(SLOW, 20), schema=SCHEMA, **options)
    read(cache)
    seconds = time.perf_counter() - began
    cache.close()
    return seconds


def by_head(cache: respool.StreamCache) -> None:
    assert cache.head(FIRST).num_rows == FIRST


def by_duckdb(cache: respool.StreamCache) -> None:
    respool.duckdb.register(CONNECTION, "t", cache, optimize=True)
    assert len(CONNECTION.execute(f"select n from t limit {FIRST}").fetchall()) == FIRST


def by_polars(cache: respool.StreamCache) -> None:
    assert cache.lazy().head(FIRST).collect().height == FIRST


def main() -> None:
    with scratch() as directory:
        ahead = {"prefetch": "4 batches"}
        shape = {"batch_rows": (65_536, 131_072)}
        log = {"memory": 0, "directory": directory}
        together = {"one after the other": {}, "read ahead": ahead}
        together["read ahead, joined"] = {**ahead, **shape}
        together["read ahead, log"] = {**ahead, **log}
        contenders: dict[str, Callable[[], float]] = {
            name: lambda options=options: consumed(**options) for name, options in together.items()
        }
        first = {"plain": {}, "all options": {**ahead, **shape, **log}}
        doors = {"head": by_head, "duckdb": by_duckdb, "polars": by_polars}
        for name, options in first.items():
            for door, read in doors.items():
                contenders[f"{door}, {name}"] = lambda read=read, options=options: first_rows(
                    read, **options
                )
        contenders["1 batch of the source"] = lambda: first_rows(lambda c: c.batch(0))
        seconds = rounds(contenders)
    claims = [Claim(name, "one after the other", WANTED) for name in list(together)[1:]]
    table(f"{COUNT} batches, {PAUSE * 1e3:.0f} ms each of source and consumer", seconds, claims)
    claims = [
        Claim(f"{door}, {name}", "1 batch of the source", 1.3 if name != "plain" else None)
        for door in doors
        for name in first
    ]
    table(f"The first {FIRST} rows, {SLOW * 1e3:.0f} ms a batch", seconds, claims)


if __name__ == "__main__":
    main()
