"""Cold pages: what a query reads from the disk, and how long it takes, where nothing is in memory.

Before each run the system is made to forget all files. `read_bytes` of `/proc/self/io` says what came
from the disk after that. The log is opened anew for each run, as a process does that comes to it, so what
is read of it is verified too; "again" is one that was opened before and has verified what it reads,
"temporary" a log without a name.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from measure import ROUNDS, scratch, verdict
from pages import forget, read_bytes

import respool
import respool.duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROWS = int(os.environ.get("ROWS", "10_000_000"))
BATCH_ROWS = 200_000
NAMES = ["id", "g", *(f"c{number}" for number in range(2, 16))]
SCHEMA = pa.schema([(name, pa.int64() if name in {"id", "g"} else pa.float64()) for name in NAMES])
SPARE = 8 << 20
"""Bytes that a query may read beside 1.1 times what its columns have."""

LOW, HIGH = ROWS // 3, ROWS // 3 + ROWS // 1000 - 1
"""A thousandth of the rows, by `id`."""

OURS = ["log", "log again", "temporary"]


def batches() -> Iterator[pa.RecordBatch]:
    """1.28 GB that do not compress, but for `id`, which rises, and `g`, of which there are a hundred."""
    for first in range(0, ROWS, BATCH_ROWS):
        rows = min(BATCH_ROWS, ROWS - first)
        ids = np.arange(first, first + rows)
        noise = np.random.default_rng(first)
        others = [noise.random(rows) for _ in NAMES[2:]]
        yield pa.record_batch([ids, ids * 7919 % 100, *others], schema=SCHEMA)


def stream() -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(SCHEMA, batches())


class Files:
    """The same rows as logs, and as files of others."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log, self.ipc = directory / "log", directory / "t.arrow"
        self.parquet, self.table = directory / "t.parquet", directory / "t.duckdb"
        with respool.cache(stream(), path=self.log) as cache:
            cache.ingest_all()
            # Zone maps are kept beside a log when they were asked for.
            respool.duckdb.relation(cache).filter("id = 7").fetchall()
        self.again = respool.open(self.log)
        self.temporary = respool.StreamCache(stream(), 0, directory, 8 << 30)
        self.temporary.ingest_all()
        with pa.ipc.new_file(self.ipc, SCHEMA) as writer:
            for batch in batches():
                writer.write_batch(batch)
        with pq.ParquetWriter(self.parquet, SCHEMA) as writer:
            for batch in batches():
                writer.write_batch(batch)
        with duckdb.connect(self.table) as con:
            source = stream()
            con.execute("create table t as from source")

    def cache(self, name: str) -> respool.StreamCache:
        if name == "log":
            return respool.open(self.log)
        return self.temporary if name == "temporary" else self.again

    def dataset(self) -> ds.Dataset:
        """The IPC file as pyarrow reads it, by `pread` of the columns."""
        return ds.dataset(self.ipc, format="ipc")


@dataclass(frozen=True)
class Query:
    """A question, in the words of each engine."""

    title: str
    columns: list[str]
    sql: str
    frame: Callable[[pl.LazyFrame], pl.LazyFrame]
    peer: str = "ipc dataset"
    is_range: bool = False

    @property
    def bytes(self) -> int:
        """What its columns have; of a range, in the one or two batches that have it."""
        rows = 2 * BATCH_ROWS if self.is_range else ROWS
        return len(self.columns) * rows * 8


QUERIES = [
    Query(
        "sum of one column",
        ["c7"],
        "select sum(c7) from {}",
        lambda frame: frame.select(pl.col("c7").sum()),
    ),
    Query(
        "two columns, group by",
        ["g", "c7"],
        "select g, sum(c7) from {} group by g",
        lambda frame: frame.group_by("g").agg(pl.col("c7").sum()),
    ),
    Query(
        "sum where id in 1 of 1000",
        ["id", "c7"],
        f"select sum(c7) from {{}} where id between {LOW} and {HIGH}",
        lambda frame: frame.filter(pl.col("id").is_between(LOW, HIGH)).select(pl.col("c7").sum()),
        peer="parquet",
        is_range=True,
    ),
    Query(
        "all columns",
        NAMES,
        f"select {', '.join(f'sum({name})' for name in NAMES)} from {{}}",
        lambda frame: frame.select(pl.all().sum()),
    ),
]


def by_duckdb(files: Files, query: Query, name: str) -> Callable[[], object]:
    if name == "duckdb's own":
        con = duckdb.connect(files.table, read_only=True)
        return lambda: con.execute(query.sql.format("t")).fetchall()
    con = duckdb.connect()
    if name == "parquet":
        return lambda: con.execute(query.sql.format(f"'{files.parquet}'")).fetchall()
    if name == "ipc dataset":
        con.register("t", files.dataset())
    else:
        respool.duckdb.register(con, "t", files.cache(name))
    return lambda: con.execute(query.sql.format("t")).fetchall()


def by_polars(files: Files, query: Query, name: str) -> Callable[[], object]:
    if name == "ipc dataset":
        dataset = files.dataset()
        within = (ds.field("id") >= LOW) & (ds.field("id") <= HIGH)
        where = within if query.is_range else None

        def collect() -> object:
            table = dataset.to_table(columns=query.columns, filter=where)
            return query.frame(pl.DataFrame(table).lazy()).collect()

        return collect
    if name == "scan_ipc":
        return lambda: query.frame(pl.scan_ipc(files.ipc)).collect()
    if name == "parquet":
        return lambda: query.frame(pl.scan_parquet(files.parquet)).collect()
    cache = files.cache(name)
    return lambda: query.frame(cache.lazy()).collect()


def by_stream(files: Files, query: Query, name: str) -> Callable[[], object]:
    """Add up what a plain C stream gives, or the dataset."""

    def add(batches: Iterable[pa.RecordBatch]) -> None:
        for batch in batches:
            for column in batch.columns:
                pc.sum(column)

    if name == "ipc dataset":
        dataset = files.dataset()
        return lambda: add(dataset.to_batches(columns=query.columns))
    cache = files.cache(name)
    if len(query.columns) < len(NAMES):
        view = cache.select(query.columns)
        return lambda: add(pa.RecordBatchReader.from_stream(view))
    return lambda: add(pa.RecordBatchReader.from_stream(cache))


DOORS = {
    "DuckDB": (by_duckdb, ["ipc dataset", "parquet", "duckdb's own"]),
    "Polars": (by_polars, ["ipc dataset", "parquet", "scan_ipc"]),
    "plain stream": (by_stream, ["ipc dataset"]),
}


def main() -> None:
    with scratch() as name:
        files = Files(Path(name))
        for query in QUERIES:
            for door, (by, peers) in DOORS.items():
                if query.peer in peers:
                    contenders = {each: partial(by, files, query, each) for each in [*OURS, *peers]}
                    compare(f"{query.title}, {door}", query, contenders, files.directory)
        files.again.close()
        files.temporary.close()


def compare(
    title: str,
    query: Query,
    contenders: dict[str, Callable[[], Callable[[], object]]],
    directory: Path,
) -> None:
    """Let contenders take turns, each on cold pages; the first round does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    read: dict[str, list[int]] = {name: [] for name in contenders}
    turns = list(contenders.items())
    order = random.Random(0)
    for number in range(ROUNDS + 1):
        order.shuffle(turns)
        for name, prepare in turns:
            run = prepare()
            forget(directory)
            before, began = read_bytes(), time.perf_counter()
            run()
            took = time.perf_counter() - began
            if number:
                seconds[name].append(took)
                read[name].append(read_bytes() - before)
            del run
    print(f"\n{title}; its columns have {query.bytes / 1e6:.1f} MB")
    best = f"{ROUNDS} rounds, best (median), ms"
    print(f"{best:<34}{'':>18}{'to ' + query.peer:>16}{'wanted':>12}{'MB read':>10}{'wanted':>12}")
    most = (1.1 * query.bytes + SPARE) / 1e6
    for name, took in seconds.items():
        ratio = min(took) / min(seconds[query.peer])
        megabytes = statistics.median(read[name]) / 1e6
        times = f"{min(took) * 1e3:.1f} ({statistics.median(took) * 1e3:.1f})"
        is_ours = name in OURS
        time_verdict = verdict(ratio, 1.0 if is_ours else None, "x")
        read_verdict = verdict(megabytes, most if is_ours else None, " MB")
        line = f"{name:<34}{times:>18}{ratio:>15.2f}x{time_verdict:>12}"
        print(f"{line}{megabytes:>10.1f}{read_verdict:>16}", flush=True)


if __name__ == "__main__":
    main()
