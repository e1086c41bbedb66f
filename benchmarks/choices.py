"""What speaks against a cache: selective queries, and the room that it takes. For docs/when-not.md."""

from __future__ import annotations

from pathlib import Path

import data
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from measure import board, rounds, scratch, timed

import respool
import respool.duckdb

MIDDLE = data.ROWS // 2
SQL = f"select count(*), sum(x) from {{}} where id between {MIDDLE} and {MIDDLE + 9999}"


def main() -> None:
    with scratch() as name:
        choices(Path(name))


def choices(directory: Path) -> None:
    batches = data.batches()
    memory = respool.cache(data.reader(batches), disk=None, memory=None)
    log = respool.cache(data.reader(batches), memory="1 MiB", path=directory / "log")
    for cache in (memory, log):
        cache.ingest_all()
    table = data.reader(batches).read_all()
    ipc, parquet = directory / "kept.arrow", directory / "kept.parquet"
    with pa.OSFile(str(ipc), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pq.ParquetWriter(parquet, table.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    file = directory / "kept.duckdb"
    with duckdb.connect(file) as con:
        con.register("t", table)
        con.execute("create table kept as from t")

    con = duckdb.connect()
    con.register("t", table)
    con.execute("create temp table native as from t").fetchall()
    respool.duckdb.register(con, "memory", memory)
    respool.duckdb.register(con, "log", log)

    def ask(what: str) -> float:
        return timed(lambda: con.execute(SQL.format(what)).fetchall())

    selective = {
        "respool, memory": "memory",
        "respool, log": "log",
        "pa.Table": "t",
        "DuckDB, temporary table": "native",
        "Parquet": f"'{parquet}'",
    }
    taken = rounds({way: lambda what=what: ask(what) for way, what in selective.items()})
    ours = ["respool, memory", "respool, log"]
    board(f"10,000 of {data.ROWS:,} rows by a range, by DuckDB", taken, ours)

    frames = {
        "respool, memory": memory.lazy,
        "respool, log": log.lazy,
        "pl.DataFrame": pl.DataFrame(table).lazy,
        "pl.scan_ipc": lambda: pl.scan_ipc(ipc),
        "pl.scan_parquet": lambda: pl.scan_parquet(parquet),
    }
    rows = pl.col("id").is_between(MIDDLE, MIDDLE + 9999)

    def collect(frame: pl.LazyFrame) -> float:
        asked = frame.filter(rows).select(pl.len(), pl.col("x").sum())
        return timed(asked.collect)

    made = {way: frame() for way, frame in frames.items()}
    taken = rounds({way: lambda one=one: collect(one) for way, one in made.items()})
    board(f"10,000 of {data.ROWS:,} rows by a range, by Polars", taken, ours)

    print("\nOn the disk, MB")
    inside = sum(path.stat().st_size for path in (directory / "log").rglob("*") if path.is_file())
    sizes = {"respool, log": inside}
    sizes |= {"Arrow file": ipc.stat().st_size, "Parquet": parquet.stat().st_size}
    sizes |= {"DuckDB, file": file.stat().st_size}
    for way, size in sizes.items():
        print(f"{way:<34}{size / 1e6:>18.0f}")
    con.close()


if __name__ == "__main__":
    main()
