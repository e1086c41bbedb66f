"""Selective queries over 10 million rows, joins, top-n: caches against DuckDB's own tables.

Also how many pages of a log one column of a hundred touches. Contestants answer in turn.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow as pa

import respool
import respool.duckdb

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


def made(rows: int) -> pa.Table:
    """Sorted ids, random keys and values: made by DuckDB, from a fixed seed."""
    with duckdb.connect() as con:
        con.execute("set threads = 1; select setseed(0.5)").fetchall()
        table = con.sql(
            f"select range as id, (random() * 10_000_000)::bigint k, random() v, "
            f"'row ' || (random() * 1000)::int as s from range({rows})"
        ).to_arrow_table()
    return pa.Table.from_batches(table.combine_chunks().to_batches(BATCH_ROWS))


QUERIES = {
    "id between": (
        "select count(*), sum(v) from {t} where id between {mid} and {mid} + 10000",
        3.0,
    ),
    "id =, all columns": ("select * from {t} where id = {mid} + 5", 3.0),
    "join 1000 rows": ("select count(*), sum(v) from {t} join small using (k)", 1.3),
    "top 5000": ("select * from {t} order by v desc limit 5000", 1.2),
}


def selective(rows: int, rounds: int, directory: Path) -> bool:
    trips = made(rows)
    con = duckdb.connect()
    con.execute("set threads = 2")
    con.execute("create temp table native as from trips")
    con.execute("create temp table small as select range * 1000 as k, range as x from range(1000)")
    con.register("arrow", trips)
    con.register("stream", Stream(trips))
    in_memory = respool.StreamCache(trips.to_reader())
    in_log = respool.StreamCache(trips.to_reader(), "1 MiB", directory, "8 GiB")
    for name, cache in (("memory", in_memory), ("log", in_log)):
        cache.ingest_all()
        respool.duckdb.register(con, name, cache)
    names = ("native", "arrow", "stream", "memory", "log")
    print(f"{rows:,} rows, 2 threads, best of {rounds} in ms (median)")
    print(f"{'':20}" + "".join(f"{name:>18}" for name in names) + "   memory/native")
    passed = True
    for query, (template, most) in QUERIES.items():
        seconds: dict[str, list[float]] = {name: [] for name in names}
        answers = {}
        for name in names:
            con.execute(template.format(t=name, mid=rows // 2)).fetchall()
        for _ in range(rounds):
            for name in names:
                began = time.perf_counter()
                answers[name] = con.execute(template.format(t=name, mid=rows // 2)).fetchall()
                seconds[name].append(time.perf_counter() - began)
        assert all(len(answer) == len(answers["native"]) for answer in answers.values()), query
        cells = "".join(
            f"{min(times) * 1e3:9.2f} ({statistics.median(times) * 1e3:6.2f})"
            for times in seconds.values()
        )
        ratio = min(seconds["memory"]) / min(seconds["native"])
        ok = ratio <= most
        passed &= ok
        print(f"{query:20}{cells}   {ratio:5.2f} wanted <= {most:.2f} {'ok' if ok else 'over'}")
    return passed


def file_pages(directory: Path) -> int:
    """Bytes of the files of a directory that this process has mapped and touched."""
    touched = 0
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            inside = str(directory) in line
        elif inside and words[0] == "Rss:":
            touched += int(words[1]) * 1024
    return touched


def pages(directory: Path) -> bool:
    """Bytes of a log's file that a query over one column of a hundred brings into memory."""
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
    ratio = grown / column
    ok = ratio <= 1.5
    print(
        f"sum(c0) of {WIDE_COLUMNS} columns in the log: {grown / 1e6:.1f} MB of the file in memory, "
        f"the column has {column / 1e6:.1f} MB: {ratio:.2f} wanted <= 1.50 {'ok' if ok else 'over'}"
    )
    return ok


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        touched = pages(Path(scratch))
        return selective(options.rows, options.rounds, Path(scratch)) and touched


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
