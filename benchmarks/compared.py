"""One stream, and ten ways to keep it: until the first rows, to take it in, to read it again, to query it."""

from __future__ import annotations

import itertools
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import batchcorder
import data
import datasets
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from measure import board, rounds, scratch, timed

import respool
import respool.duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

datasets.disable_progress_bars()
NUMBER = itertools.count()
SQL = "select g, sum(x), max(y) from kept group by g"
PAUSE = 0.05
"""Seconds that each batch of the slow source takes."""


@dataclass
class Kept:
    """What a way to keep a stream gives back."""

    batches: Callable[[], object]
    """Goes through all rows as record batches."""
    scanned: object = None
    """What DuckDB scans; None: a table of its own."""
    con: duckdb.DuckDBPyConnection | None = None
    close: Callable[[], object] = lambda: None


def main() -> None:
    with scratch() as name:
        ways = Ways(Path(name))
        keep = {
            "respool, memory": ways.respool_memory,
            "respool, log": ways.respool_log,
            "respool, kept log": ways.respool_kept,
            "batchcorder, memory": ways.batchcorder_memory,
            "batchcorder, disk": ways.batchcorder_disk,
            "pa.Table": ways.table,
            "Polars DataFrame": ways.polars,
            "IPC file, mapped": ways.ipc,
            "Parquet": ways.parquet,
            "DuckDB, temporary table": ways.duckdb_table,
            "DuckDB, file": ways.duckdb_file,
            "Hugging Face datasets": ways.hugging_face,
        }
        first = {way: [first_rows(keep[way]) for _ in range(3)] for way in keep}
        batches = data.batches()
        taken = rounds({way: lambda k=keep[way]: ingest(k, batches) for way in keep})
        kept = {way: keep[way](data.reader(batches)) for way in keep}
        replayed = rounds({way: lambda k=kept[way]: timed(k.batches) for way in keep})
        queries = {way: query(one) for way, one in kept.items()}
        queried = rounds({way: lambda q=queries[way]: timed(q) for way in keep})
        for one in kept.values():
            one.close()
    ours = ["respool, memory", "respool, log"]
    rows = f"{data.ROWS:,} rows of 6 columns"
    slow = f"a source of 20 batches that takes {PAUSE * 1e3:.0f} ms for each"
    board(f"Until the first 5 rows of {slow}", first, ours)
    board(f"Taken in: {rows}", taken, ours)
    board(f"Read again as record batches: {rows}", replayed, ours)
    board(f"{SQL}, by DuckDB: {rows}", queried, ours)


def first_rows(keep: Callable[[pa.RecordBatchReader], Kept]) -> float:
    """Seconds until five rows can be looked at; who has to read all of it first does."""

    def slow() -> Iterator[pa.RecordBatch]:
        for batch in few:
            time.sleep(PAUSE)
            yield batch

    few = [pa.record_batch({"id": range(i * 1000, (i + 1) * 1000)}) for i in range(20)]
    reader = pa.RecordBatchReader.from_batches(few[0].schema, slow())
    began = time.perf_counter()
    kept = keep(reader, whole=False)
    head = next(iter(kept.batches(whole=False))).slice(0, 5)
    seconds = time.perf_counter() - began
    assert head.num_rows == 5
    kept.close()
    return seconds


def ingest(keep: Callable[[pa.RecordBatchReader], Kept], batches: list[pa.RecordBatch]) -> float:
    made: list[Kept] = []
    seconds = timed(lambda: made.append(keep(data.reader(batches))))
    made[0].close()
    return seconds


def query(kept: Kept) -> Callable[[], object]:
    con = kept.con
    if con is None:
        con = duckdb.connect()
        if isinstance(kept.scanned, respool.StreamCache):
            respool.duckdb.register(con, "kept", kept.scanned)
        elif isinstance(kept.scanned, Path):
            con.execute(f"create view kept as from '{kept.scanned}'")
        else:
            con.register("kept", kept.scanned)
    return lambda: con.execute(SQL).fetchall()


def through(stream: Callable[[], Iterator[pa.RecordBatch]]) -> Callable[..., object]:
    """Go through a stream of batches, or begin to."""

    def go(*, whole: bool = True) -> object:
        return sum(batch.num_rows for batch in stream()) if whole else stream()

    return go


class Ways:
    """Each takes a reader in, all of it unless ``whole`` is False and it can wait with that."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def place(self) -> Path:
        return self.directory / f"{next(NUMBER)}"

    def respool_memory(self, reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        return self.cache(respool.cache(reader, disk=None, memory=None), whole=whole)

    def respool_log(self, reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        cache = respool.StreamCache(reader, 1 << 20, self.directory, 4 << 30)
        return self.cache(cache, whole=whole)

    def respool_kept(self, reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        path = self.place()
        cache = respool.cache(reader, memory=1 << 20, path=path)
        return self.cache(cache, whole=whole, path=path)

    def batchcorder_memory(self, reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        return self.cache(batchcorder.StreamCache(reader), whole=whole)

    def batchcorder_disk(self, reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        path = self.place()
        path.mkdir()
        cache = batchcorder.StreamCache(reader, 1 << 20, str(path), 4 << 30)
        return self.cache(cache, whole=whole, path=path)

    @staticmethod
    def cache(cache: object, *, whole: bool, path: Path | None = None) -> Kept:
        if whole:
            cache.ingest_all()

        def close() -> None:
            cache.close()
            if path is not None:
                shutil.rmtree(path)

        return Kept(through(lambda: pa.RecordBatchReader.from_stream(cache)), cache, close=close)

    @staticmethod
    def table(reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        del whole
        kept = reader.read_all()
        return Kept(through(kept.to_reader), kept)

    @staticmethod
    def polars(reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        del whole
        kept = pl.DataFrame(reader)
        return Kept(through(lambda: pa.RecordBatchReader.from_stream(kept)), kept)

    def ipc(self, reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        del whole
        path = self.place()
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)

        def batches() -> Iterator[pa.RecordBatch]:
            with pa.memory_map(str(path)) as source:
                file = pa.ipc.open_file(source)
                yield from (file.get_batch(i) for i in range(file.num_record_batches))

        whole_table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        return Kept(through(batches), whole_table, close=path.unlink)

    def parquet(self, reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        del whole
        path = self.place().with_suffix(".parquet")
        with pq.ParquetWriter(path, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        return Kept(
            through(lambda: pq.ParquetFile(path).iter_batches(131_072)), path, close=path.unlink
        )

    def duckdb_table(self, reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        del whole
        return self.loaded(duckdb.connect(), reader)

    def duckdb_file(self, reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        del whole
        path = self.place().with_suffix(".duckdb")
        kept = self.loaded(duckdb.connect(path), reader)
        kept.con.execute("checkpoint")
        return kept

    @staticmethod
    def loaded(con: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader) -> Kept:
        con.register("stream", reader)
        con.execute("create table kept as from stream")
        con.unregister("stream")
        batches = through(lambda: con.sql("from kept").to_arrow_reader(131_072))
        return Kept(batches, con=con, close=con.close)

    def hugging_face(self, reader: pa.RecordBatchReader, *, whole: bool = True) -> Kept:
        """Write what it writes itself, an Arrow stream in a file, and map that."""
        del whole
        path = self.place().with_suffix(".arrow")
        with datasets.arrow_writer.ArrowWriter(
            path=str(path), features=datasets.Features.from_arrow_schema(reader.schema)
        ) as writer:
            for batch in reader:
                writer.write_table(pa.Table.from_batches([batch]))
            writer.finalize()
        kept = datasets.Dataset.from_file(str(path))
        batches = through(lambda: kept.with_format("arrow").iter(131_072))
        return Kept(batches, kept.data.table, close=path.unlink)


if __name__ == "__main__":
    main()
