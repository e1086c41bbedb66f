"""What a batch costs by itself as there are more of them: 1,000, 10,000 and 100,000 batches of 100 rows."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import data
import duckdb
import polars as pl
import pyarrow as pa
from measure import Claim, rounds, scratch, table, timed, verdict

import respool
import respool.duckdb

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTS = [int(count) for count in os.environ.get("COUNTS", "1_000 10_000 100_000").split()]
EACH = 100
WANTED = 1.3
INDEX_BYTES = 400
NUMBER = itertools.count()
TINY = pa.schema({"n": pa.int64()})


def batches(count: int) -> list[pa.RecordBatch]:
    """Batches with buffers of their own: slices would share, and cost nothing to keep."""
    return [
        pa.record_batch(
            {"n": range(i * EACH, i * EACH + EACH), "x": [i * 0.5 + k for k in range(EACH)]}
        )
        for i in range(count)
    ]


def works(every: list[pa.RecordBatch], directory: Path) -> dict[str, Callable[[], float]]:
    """Everything that is done with a cache of so many batches; each returns seconds per batch."""
    count = len(every)
    # As many batches in each measurement, whatever a cache of them has.
    times = max(COUNTS) // count
    sizes = {"memory": "64 KiB", "disk": "4 GiB", "directory": directory}

    def fresh(**options: object) -> respool.StreamCache:
        return respool.cache(data.reader(every), **options)

    def ingest(options: Callable[[], dict[str, object]]) -> float:
        seconds = 0.0
        for _ in range(times):
            with fresh(**options()) as cache:
                seconds += timed(cache.ingest_all)
        return seconds / times / count

    def kept() -> dict[str, object]:
        return {"path": directory / f"kept {next(NUMBER)}", "memory": "64 KiB"}

    def on(task: Callable[[], object]) -> Callable[[], float]:
        return lambda: timed(task, times) / count

    def collect(cache: respool.StreamCache) -> Callable[[], float]:
        """A plan of its own for each query: one that is collected again has its frames already."""
        return on(lambda: cache.lazy().select(pl.col("n").sum(), pl.col("x").max()).collect())

    def scan(cache: respool.StreamCache) -> Callable[[], float]:
        con = duckdb.connect()
        respool.duckdb.register(con, "t", cache)
        return on(lambda: con.execute("select sum(n), max(x) from t").fetchall())

    memory, log, again = fresh(disk=None), fresh(**sizes), fresh(**kept())
    for cache in (memory, log, again):
        cache.ingest_all()
    path = again.path
    again.close()
    opened = respool.open(path)
    return {
        "ingest, memory": lambda: ingest(lambda: {"disk": None}),
        "ingest, log": lambda: ingest(lambda: sizes),
        "ingest, kept log": lambda: ingest(kept),
        "replay, memory": on(lambda: data.drain(memory)),
        "replay, log": on(lambda: data.drain(log)),
        "open and replay, kept log": on(lambda: data.drain(respool.open(path))),
        "duckdb, memory": scan(memory),
        "duckdb, log": scan(log),
        "duckdb, kept log": scan(opened),
        "polars, memory": collect(memory),
        "polars, log": collect(log),
        "polars, kept log": collect(opened),
    }


def index_bytes(kind: str, directory: str) -> float:
    """Anonymous memory that a batch in the log takes, which holds nothing itself."""

    def anonymous() -> int:
        with Path("/proc/self/status").open() as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) << 10

    few, many = 1_000, max(COUNTS)
    tiny = (pa.record_batch([[i]], schema=TINY) for i in range(few + many))
    where = {"directory": directory} if kind == "log" else {"path": f"{directory}/kept"}
    cache = respool.cache(tiny, schema=TINY, memory=0, disk="4 GiB", **where)
    cache.batch(few - 1)
    before = anonymous()
    cache.ingest_all()
    return (anonymous() - before) / many


def print_index() -> None:
    print(f"\nAnonymous memory by the batch, {max(COUNTS):,} batches of one row in a log")
    print(f"{'bytes':<34}{'':>18}{'wanted':>20}")
    for kind in ("log", "kept log"):
        with scratch() as directory:
            command = [sys.executable, __file__, kind, directory]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        figure = float(done.stdout)
        mark = verdict(figure, INDEX_BYTES, " B")
        print(f"{kind:<34}{figure:>18.0f}{mark:>22}", flush=True)


def main() -> None:
    contenders: dict[str, Callable[[], float]] = {}
    with scratch() as name:
        for count in COUNTS:
            directory = Path(name) / str(count)
            directory.mkdir()
            for work, task in works(batches(count), directory).items():
                contenders[f"{work}, {count:,}"] = task
        seconds = rounds(contenders)
    first, *others = COUNTS
    claims = [
        Claim(f"{work}, {count:,}", f"{work}, {first:,}", WANTED)
        for work in dict.fromkeys(name.rpartition(", ")[0] for name in contenders)
        for count in others
    ]
    table(f"Per batch of {EACH} rows, as there are more", seconds, claims, unit="us")
    print_index()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(index_bytes(*sys.argv[1:]))
    else:
        main()
