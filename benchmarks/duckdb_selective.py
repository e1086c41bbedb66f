"""Selective queries, a join and a top-n over caches, against DuckDB's own tables; pages of a log touched."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pyarrow as pa
from measure import Claim, rounds, scratch, table, timed, verdict

import respool
import respool.duckdb

ROWS = int(os.environ.get("ROWS", "10_000_000"))
BATCH_ROWS = 122_880
WIDE_COLUMNS = 100
WIDE_BATCHES = 10
WIDE_ROWS = 100_000


class Stream:
    """Nothing but a stream, as other libraries hand DuckDB one."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_schema__(self) -> object:
        return self._table.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def made() -> pa.Table:
    """Sorted ids, random keys and values: made by DuckDB, from a fixed seed."""
    with duckdb.connect() as con:
        con.execute("set threads = 1; select setseed(0.5)").fetchall()
        trips = con.sql(
            f"select range as id, (random() * 10_000_000)::bigint k, random() v, "
            f"'row ' || (random() * 1000)::int as s from range({ROWS})"
        ).to_arrow_table()
    return pa.Table.from_batches(trips.combine_chunks().to_batches(BATCH_ROWS))


MIDDLE = ROWS // 2
QUERIES = {
    "id between": (
        f"select count(*), sum(v) from {{}} where id between {MIDDLE} and {MIDDLE} + 9999",
        3,
    ),
    "id =, all columns": (f"select * from {{}} where id = {MIDDLE}", 3),
    "join with 1000 rows": ("select count(*), sum(v) from {} join small using (k)", 1.3),
    "top 5000": ("select * from {} order by v desc limit 5000", 1.2),
}


def selective(directory: str) -> None:
    trips = made()
    con = duckdb.connect()
    con.execute("set threads = 2")
    con.execute("create temp table native as from trips").fetchall()
    con.execute("create temp table small as select range * 1000 as k from range(1000)").fetchall()
    con.register("arrow", trips)
    con.register("stream", Stream(trips))
    memory = respool.StreamCache(trips.to_reader())
    log = respool.StreamCache(trips.to_reader(), "1 MiB", directory, "8 GiB")
    for name, cache in (("memory", memory), ("log", log)):
        cache.ingest_all()
        respool.duckdb.register(con, name, cache)
    tables = ("memory", "log", "native", "arrow", "stream")

    def run(sql: str) -> float:
        return timed(lambda: con.execute(sql).fetchall())

    contenders = {
        f"{query} over {name}": lambda sql=sql, name=name: run(sql.format(name))
        for query, (sql, _) in QUERIES.items()
        for name in tables
    }
    seconds = rounds(contenders)
    claims = []
    for query, (_, wanted) in QUERIES.items():
        ours = f"{query} over memory"
        claims += [
            Claim(ours, f"{query} over native", wanted),
            Claim(f"{query} over log", f"{query} over native", wanted),
            Claim(ours, f"{query} over arrow"),
            Claim(ours, f"{query} over stream"),
        ]
    table(f"DuckDB, {ROWS:,} rows: its own table, pa.Table, a plain stream", seconds, claims)
    con.close()


def file_pages(directory: str) -> int:
    """Bytes of the files of a directory that this process has mapped and touched."""
    touched = 0
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            inside = directory in line
        elif inside and words[0] == "Rss:":
            touched += int(words[1]) * 1024
    return touched


def pages(directory: str) -> None:
    """Show how much of a log's file a query over one column of a hundred brings into memory."""
    schema = pa.schema({f"c{i}": pa.int64() for i in range(WIDE_COLUMNS)})
    batches = (
        pa.record_batch(
            [pa.array(range(n + i, n + i + WIDE_ROWS)) for i in range(WIDE_COLUMNS)], schema=schema
        )
        for n in range(WIDE_BATCHES)
    )
    cache = respool.StreamCache(batches, "1 MiB", directory, "8 GiB", schema=schema)
    cache.ingest_all()
    con = duckdb.connect()
    respool.duckdb.register(con, "wide", cache)
    before = file_pages(directory)
    con.execute("select sum(c0) from wide").fetchall()
    grown = file_pages(directory) - before
    column = WIDE_BATCHES * WIDE_ROWS * 8
    print(f"\nsum of one of {WIDE_COLUMNS} columns in the log, {column / 1e6:.1f} MB: ", end="")
    print(f"{grown / 1e6:.1f} MB of the file in memory  {grown / column:.2f}x", end="")
    print(verdict(grown / column, 1.5, "x"), flush=True)
    con.close()


def main() -> None:
    with scratch() as directory:
        pages(directory)
        selective(directory)


if __name__ == "__main__":
    main()
