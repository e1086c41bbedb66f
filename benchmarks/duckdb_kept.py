"""A cache that keeps only DuckDB's encodings, beside a plain one: memory, ingest, replay.

The table is TPC-H's lineitem, as a stream of Parquet or of a table that is in memory. What is held is
measured in a process of its own for each contender.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb_tpch import BATCH_ROWS, QUERIES, SCALE, generate
from measure import Claim, rounds, scratch, table, timed, verdict
from memory import anonymous

import respool
import respool.duckdb

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
TEXT = {"views": pa.string_view(), "strings": pa.string()}


def streamed(path: Path, text: str) -> pa.RecordBatchReader:
    """The stream of the file, with its text in one layout or the other."""
    file = pq.ParquetFile(path)
    fields = [
        field.with_type(TEXT[text])
        if pa.types.is_string(field.type) or pa.types.is_string_view(field.type)
        else field
        for field in file.schema_arrow
    ]
    schema = pa.schema(fields)
    batches = (batch.cast(schema) for batch in file.iter_batches(batch_size=BATCH_ROWS))
    return pa.RecordBatchReader.from_batches(schema, batches)


def filled(reader: pa.RecordBatchReader, optimize: str | None) -> respool.StreamCache:
    cache = respool.cache(reader, memory=None, disk=None, optimize=optimize)
    cache.ingest_all()
    return cache


def held(path: str, text: str, how: str) -> tuple[int, int]:
    """MiB that the ledger says, and that the process has grown by."""
    reader = streamed(Path(path), text)
    pool = pa.default_memory_pool()
    before = anonymous()
    cache = filled(reader, None if how in ("plain", "copy") else how)
    if how == "copy":
        con = duckdb.connect()
        respool.duckdb.register(con, "lineitem", cache, optimize=True)
        con.execute("select count(*) from lineitem").fetchall()
    del reader
    pool.release_unused()
    return cache.metrics()["memory_bytes"] // MIB, (anonymous() - before) // MIB


def memory(path: Path, text: str) -> None:
    print(f"\nlineitem, scale factor {SCALE}, text as {text}: MiB held (growth of RssAnon)")
    plain = 0
    for how in ("plain", "copy", "duckdb", "views"):
        command = [sys.executable, __file__, str(path), text, how]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        ledger, process = map(int, done.stdout.split())
        plain = plain or ledger
        wanted = 0.75 if how == "duckdb" else None
        mark = verdict(ledger / plain, wanted, "x")
        print(f"{how:<34}{f'{ledger} ({process})':>18}{ledger / plain:>8.2f}x{mark}", flush=True)


def speed(path: Path, text: str) -> None:
    whole = streamed(path, text).read_all()
    sources: dict[str, Callable[[], pa.RecordBatchReader]] = {
        "Parquet": lambda: streamed(path, text),
        "a table": whole.to_reader,
    }
    ways = {"plain": None, "duckdb": "duckdb", "views": "views"}
    for name, source in sources.items():
        ingests = {
            way: lambda how=how, source=source: timed(lambda: filled(source(), how))
            for way, how in ways.items()
        }
        claims = [
            Claim("duckdb", "plain", 2 if name == "Parquet" else None),
            Claim("views", "plain"),
        ]
        table(f"Ingest of lineitem from {name}, text as {text}", rounds(ingests), claims)
    caches = {way: filled(whole.to_reader(), how) for way, how in ways.items()}
    replays = {
        way: lambda cache=cache: timed(lambda: [len(batch) for batch in cache])
        for way, cache in caches.items()
    }
    claims = [Claim("duckdb", "plain"), Claim("views", "plain")]
    table(f"Replay of lineitem as it came, text as {text}", rounds(replays), claims)
    for query in ("q01", "q06", "q12"):
        queried(
            path, caches, (QUERIES / f"{query}.sql").read_text(), f"TPC-H {query}, text as {text}"
        )


def queried(path: Path, caches: dict[str, respool.StreamCache], sql: str, title: str) -> None:
    """A query over each cache, and over the copy that the plain one keeps with `optimize=True`."""
    queries = {}
    for way, cache in [*caches.items(), ("copy", caches["plain"])]:
        con = duckdb.connect()
        con.execute("set threads = 2")
        con.execute(f"create temp table orders as from '{path.with_name('orders.parquet')}'")
        respool.duckdb.register(con, "lineitem", cache, optimize=way == "copy")
        queries[way] = lambda con=con: timed(lambda: con.execute(sql).fetchall())
    claims = [Claim("duckdb", "plain"), Claim("duckdb", "copy", 1.05)]
    table(title, rounds(queries), claims)


def main() -> None:
    with scratch() as directory:
        data = Path(os.environ.get("TPCH_DIR", directory))
        generate(data)
        for text in TEXT:
            memory(data / "lineitem.parquet", text)
            speed(data / "lineitem.parquet", text)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*held(*sys.argv[1:]))
    else:
        main()
