"""Cold pages: how many bytes a query reads of a log, and how long it takes, where nothing is in memory.

Every contender answers from files that the system was made to forget just before. `read_bytes` of
`/proc/self/io` counts what came from the disk; threads of the engines are counted too.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import statistics
import time
from dataclasses import dataclass, field
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

import respool
import respool.duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS = int(os.environ.get("ROWS", "10_000_000"))
BATCH_ROWS = 200_000
COLUMNS = 16
MIB = 1 << 20
SLACK = 8 * MIB
"""Bytes that a query may read beside a tenth more than its columns have."""

MADV_DONTNEED = 4
LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    with scratch() as name:
        directory = Path(name)
        files = Files.written(directory)
        for title, columns, contenders in subjects(files):
            show(title, columns, contenders, files)


@dataclass
class Files:
    """The same rows as a log, as files of others, and what an opened log shows."""

    log: Path
    ipc: Path
    parquet: Path
    table: Path
    temporary: respool.StreamCache
    kept: respool.StreamCache = field(init=False)
    con: duckdb.DuckDBPyConnection = field(init=False)

    def __post_init__(self) -> None:
        self.con = duckdb.connect()

    @classmethod
    def written(cls, directory: Path) -> Files:
        files = cls(
            directory / "log",
            directory / "t.arrow",
            directory / "t.parquet",
            directory / "t.duckdb",
            respool.StreamCache(stream(), 0, directory, 8 << 30),
        )
        files.temporary.ingest_all()
        with respool.cache(stream(), path=files.log) as cache:
            cache.ingest_all()
            # Zone maps are kept beside a log once they were asked for.
            respool.duckdb.relation(cache).filter("id between 7 and 8").fetchall()
        with pa.ipc.new_file(files.ipc, stream().schema) as writer:
            for batch in stream():
                writer.write_batch(batch)
        with pq.ParquetWriter(files.parquet, stream().schema) as writer:
            for batch in stream():
                writer.write_batch(batch)
        with duckdb.connect(files.table) as con:
            source = stream()  # noqa: F841 - DuckDB finds it
            con.execute("create table t as from source")
        return files

    def forget(self) -> None:
        """Have the system forget all files, those that are mapped too."""
        gc.collect()
        forget(self.ipc, self.parquet, self.table, *self.log.iterdir())


def stream() -> pa.RecordBatchReader:
    """Numbers that do not compress, but for `id`, which rises, and `g`, of which there are a hundred."""
    names = ["id", "g", *(f"c{number}" for number in range(2, COLUMNS))]

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(0, ROWS, BATCH_ROWS):
            rows = min(BATCH_ROWS, ROWS - first)
            ids = np.arange(first, first + rows)
            noise = np.random.default_rng(first)
            values = [noise.random(rows) for _ in range(COLUMNS - 2)]
            yield pa.record_batch([ids, ids * 7919 % 100, *values], names=names)

    schema = pa.schema(
        [(name, pa.int64() if name in {"id", "g"} else pa.float64()) for name in names]
    )
    return pa.RecordBatchReader.from_batches(schema, batches())


def forget(*paths: Path) -> None:
    """Have the system forget files, also those without a name that this process has mapped."""
    maps = [line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines()]
    mine = {str(path) for path in paths}
    opened: list[str | Path] = list(paths)
    for entry in maps:
        name = entry[5].strip() if len(entry) > 5 else ""  # noqa: PLR2004
        is_nameless = name.endswith("(deleted)") and "/#" in name
        if name in mine or is_nameless:
            first, end = (int(part, 16) for part in entry[0].split("-"))
            LIBC.madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), MADV_DONTNEED)
            if is_nameless:
                opened.append(f"/proc/self/map_files/{entry[0]}")
    for path in opened:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def read_bytes() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("read_bytes")))


Query = tuple[str, int, "dict[str, Callable[[], Callable[[], object]]]"]


def subjects(files: Files) -> Iterator[Query]:
    span = max(ROWS // 1000, 1)
    low, high = ROWS // 3, ROWS // 3 + span - 1
    c = [f"c{number}" for number in range(2, COLUMNS)]
    within = (pl.col("id") >= low) & (pl.col("id") <= high)
    column = ROWS * 8
    rows = [
        ("sum of one column", column, "sum(c7)", "", ["c7"], pl.col("c7").sum(), None),
        (
            "two columns, group by",
            2 * column,
            "g, sum(c7)",
            "group by g",
            ["g", "c7"],
            None,
            None,
        ),
        (
            "sum where id in 1 of 1000",
            0,
            "sum(c7)",
            f"where id between {low} and {high}",
            ["id", "c7"],
            pl.col("c7").sum(),
            within,
        ),
        (
            "all columns",
            COLUMNS * column,
            ", ".join(f"sum({name})" for name in ["id", "g", *c]),
            "",
            None,
            pl.all().sum(),
            None,
        ),
    ]
    for title, wanted, select, rest, columns, expression, filtered in rows:
        yield (
            f"{title}, DuckDB",
            wanted,
            {
                name: duck(files, name, select, rest)
                for name in ("respool", "respool temporary", "ipc dataset", "parquet", "duckdb")
            },
        )
        yield (
            f"{title}, Polars",
            wanted,
            {
                name: polars(files, name, expression, filtered, columns)
                for name in ("respool", "respool temporary", "ipc dataset", "scan_ipc", "parquet")
            },
        )
        if filtered is None:
            yield (
                f"{title}, plain stream",
                wanted,
                {
                    name: plain(files, name, columns)
                    for name in ("respool", "respool temporary", "ipc dataset")
                },
            )


def cache_of(files: Files, name: str) -> respool.StreamCache:
    return respool.open(files.log) if name == "respool" else files.temporary


def duck(files: Files, name: str, select: str, rest: str) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        if name == "duckdb":
            con = duckdb.connect(files.table, read_only=True)
            return lambda: con.execute(f"select {select} from t {rest}").fetchall()
        con = files.con
        if name.startswith("respool"):
            respool.duckdb.register(con, "t", cache_of(files, name))
        elif name == "parquet":
            return lambda: con.execute(f"select {select} from '{files.parquet}' {rest}").fetchall()
        else:
            con.register("t", ds.dataset(files.ipc, format="ipc"))

        def run() -> object:
            return con.execute(f"select {select} from t {rest}").fetchall()

        return run

    return prepare


def polars(
    files: Files,
    name: str,
    expression: pl.Expr | None,
    filtered: pl.Expr | None,
    columns: list[str] | None,
) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        if name == "ipc dataset":
            read = ds.dataset(files.ipc, format="ipc")
            where = None
            if filtered is not None:
                span = max(ROWS // 1000, 1)
                low = ROWS // 3
                where = (ds.field("id") >= low) & (ds.field("id") <= low + span - 1)

            def from_dataset() -> object:
                frame = pl.DataFrame(read.to_table(columns=columns, filter=where)).lazy()
                return query(frame).collect()

            return from_dataset
        if name.startswith("respool"):
            cache = cache_of(files, name)
            return lambda: query(cache.lazy()).collect()
        if name == "scan_ipc":
            return lambda: query(pl.scan_ipc(files.ipc)).collect()
        return lambda: query(pl.scan_parquet(files.parquet)).collect()

    def query(frame: pl.LazyFrame) -> pl.LazyFrame:
        if filtered is not None:
            frame = frame.filter(filtered)
        if expression is None:
            return frame.group_by("g").agg(pl.col("c7").sum())
        return frame.select(expression)

    return prepare


def plain(files: Files, name: str, columns: list[str] | None) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        if name == "ipc dataset":
            dataset = ds.dataset(files.ipc, format="ipc")
            return lambda: add(dataset.to_batches(columns=columns))
        cache = cache_of(files, name)

        def run() -> object:
            view = cache if columns is None else cache.select(columns)
            return add(pa.RecordBatchReader.from_stream(view))

        return run

    def add(batches: Iterator[pa.RecordBatch]) -> float:
        total = 0.0
        for batch in batches:
            for each in batch.columns:
                total += pc.sum(each).as_py()
        return total

    return prepare


def show(
    title: str,
    wanted: int,
    contenders: dict[str, Callable[[], Callable[[], object]]],
    files: Files,
) -> None:
    """Let contenders take turns, and print of each the time, the bytes, and the ratio to the peers."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    read: dict[str, list[int]] = {name: [] for name in contenders}
    turns = list(contenders.items())
    order = random.Random(0)
    for number in range(ROUNDS + 1):
        order.shuffle(turns)
        for name, prepare in turns:
            run = prepare()
            files.forget()
            before, began = read_bytes(), time.perf_counter()
            run()
            took = time.perf_counter() - began
            if number:
                seconds[name].append(took)
                read[name].append(read_bytes() - before)
            del run
    print(f"\n{title}")
    print(f"{f'{ROUNDS} rounds, best (median), ms':<24}{'':>18}{'MB read':>10}{'ratio to ipc':>14}")
    for name in contenders:
        best = min(seconds[name])
        times = f"{best * 1e3:.1f} ({statistics.median(seconds[name]) * 1e3:.1f})"
        ratio = best / min(seconds["ipc dataset"])
        megabytes = statistics.median(read[name]) / 1e6
        line = f"{name:<24}{times:>18}{megabytes:>10.1f}{ratio:>14.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
