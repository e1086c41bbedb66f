"""TPC-H over caches: 22 queries, against DuckDB's own tables and `pa.Table`.

Each table is a single-shot source of record batches of 131,072 rows. The contenders answer a query in
turn, and their answers must be those of DuckDB's own tables.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from measure import Claim, rounds, scratch, table, timed

import respool
import respool.duckdb

SCALE = os.environ.get("SF", "1")
OUT_OF_REACH = {"q02", "q08", "q13", "q22"}
"""Their plans need what DuckDB asks its own tables alone: see `docs/performance.md`."""
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
QUERIES = Path(__file__).parent / "tpch"
BATCH_ROWS = 131_072


def generate(directory: Path) -> None:
    if not (directory / "lineitem.parquet").exists():
        tool = Path(sys.executable).with_name("tpchgen-cli")
        command = [tool, "parquet", "-s", SCALE, "--output-dir", directory]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def source(directory: Path, name: str) -> pa.RecordBatchReader:
    file = pq.ParquetFile(directory / f"{name}.parquet")
    return pa.RecordBatchReader.from_batches(
        file.schema_arrow, file.iter_batches(batch_size=BATCH_ROWS)
    )


def cached(reader: pa.RecordBatchReader, name: str, directory: Path) -> respool.StreamCache:
    """A cache as a contender has it: in memory or in the log, with the encodings that it keeps."""
    optimize = "duckdb" if name.startswith("kept") else None
    if name.endswith("log"):
        return respool.cache(
            reader, memory="1 MiB", disk="8 GiB", directory=directory, optimize=optimize
        )
    return respool.cache(reader, memory=None, disk=None, optimize=optimize)


def register(directory: Path, spill: Path) -> dict[str, duckdb.DuckDBPyConnection]:
    contestants = {}
    for name in (
        "native",
        "pa.Table",
        "memory",
        "log",
        "optimized",
        "optimized log",
        "kept",
        "kept log",
    ):
        con = contestants[name] = duckdb.connect()
        con.execute("set threads = 2")
        for name_of in TABLES:
            reader = source(directory, name_of)
            match name:
                case "native":
                    con.execute(f"create temp table {name_of} as from reader")
                case "pa.Table":
                    con.register(name_of, reader.read_all())
                case _:
                    cache = cached(reader, name, spill)
                    cache.ingest_all()
                    optimize = name.startswith("optimized")
                    respool.duckdb.register(con, name_of, cache, optimize=optimize)
    return contestants


def same(answer: list[tuple], peer: list[tuple]) -> bool:
    """Whether two answers are equal; averages are floats, and depend on who sums first."""

    def equal(ours: object, theirs: object) -> bool:
        if isinstance(ours, float) and isinstance(theirs, float):
            return math.isclose(ours, theirs, rel_tol=1e-9)
        return ours == theirs

    return len(answer) == len(peer) and all(
        len(ours) == len(theirs) and all(map(equal, ours, theirs))
        for ours, theirs in zip(answer, peer, strict=True)
    )


def main() -> None:
    with scratch() as directory:
        data = Path(os.environ.get("TPCH_DIR", directory))
        generate(data)
        contestants = register(data, Path(directory))
        totals: dict[str, list[float]] = {name: [] for name in contestants}
        bests: dict[str, dict[str, float]] = {}
        for path in sorted(QUERIES.glob("q*.sql")):
            sql = path.read_text()
            native = contestants["native"].execute(sql).fetchall()
            for name, con in contestants.items():
                assert same(con.execute(sql).fetchall(), native), f"{path.stem} over {name}"
            contenders = {
                name: lambda con=con, sql=sql: timed(lambda: con.execute(sql).fetchall())
                for name, con in contestants.items()
            }
            measured = rounds(contenders)
            bests[path.stem] = {name: min(seconds) for name, seconds in measured.items()}
            for name, seconds in measured.items():
                # The best rounds of all queries add up to the best total, and so on.
                ranked = sorted(seconds)
                if not totals[name]:
                    totals[name] = [0.0] * len(ranked)
                totals[name] = [
                    so_far + more for so_far, more in zip(totals[name], ranked, strict=True)
                ]
        for con in contestants.values():
            con.close()
    claims = [
        Claim("memory", "pa.Table", 1),
        Claim("log", "memory", 1.15),
        Claim("optimized", "native", 1.15),
        Claim("optimized log", "native"),
        Claim("kept", "native", 1),
        Claim("kept log", "native", 1.03),
        Claim("memory", "native"),
    ]
    table(f"DuckDB, 22 queries of TPC-H, scale factor {SCALE}, answers equal", totals, claims)
    by_query(bests)


def by_query(bests: dict[str, dict[str, float]]) -> None:
    """Print the best of each query as ratios to native, and the sums with and without those out of reach."""
    names = ["optimized", "optimized log", "kept", "kept log"]
    print(f"\n{'query by query, best':<26}{'native, ms':>12}", *(f"{name:>14}" for name in names))

    def line(title: str, chosen: list[dict[str, float]]) -> None:
        native = sum(best["native"] for best in chosen)
        ratios = (sum(best[name] for best in chosen) / native for name in names)
        print(f"{title:<26}{native * 1e3:>12.1f}", *(f"{ratio:>13.2f}x" for ratio in ratios))

    for query, best in bests.items():
        line(query.upper(), [best])
    line("all", list(bests.values()))
    reached = [best for query, best in bests.items() if query not in OUT_OF_REACH]
    line(f"all but {', '.join(sorted(OUT_OF_REACH)).upper()}", reached)


if __name__ == "__main__":
    main()
