"""TPC-H over caches: 22 queries, against DuckDB's own tables and against `pyarrow.Table`.

Each table is a single-shot source of record batches of 131,072 rows. All contestants answer each
query in turn, so a busy machine is busy for all of them; a query counts with its best round.
Answers must be those of DuckDB's own tables.
"""

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import respool
import respool.duckdb

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
QUERIES = Path(__file__).parent / "tpch"
BATCH_ROWS = 131_072


def generate(directory: Path, scale: float) -> None:
    if not (directory / "lineitem.parquet").exists():
        tool = Path(sys.executable).with_name("tpchgen-cli")
        command = [tool, "parquet", "-s", str(scale), "--output-dir", directory]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def source(directory: Path, table: str) -> pa.RecordBatchReader:
    file = pq.ParquetFile(directory / f"{table}.parquet")
    return pa.RecordBatchReader.from_batches(
        file.schema_arrow, file.iter_batches(batch_size=BATCH_ROWS)
    )


def spilled(reader: pa.RecordBatchReader, directory: Path) -> respool.StreamCache:
    return respool.StreamCache(reader, "1 MiB", directory, "8 GiB")


def register(directory: Path, spill: Path) -> dict[str, duckdb.DuckDBPyConnection]:
    contestants = {}
    for name in ("native", "pa.Table", "memory", "log", "optimized", "optimized log"):
        con = contestants[name] = duckdb.connect()
        con.execute("set threads = 2")
        for table in TABLES:
            reader = source(directory, table)
            match name:
                case "native":
                    con.execute(f"create temp table {table} as from reader")
                case "pa.Table":
                    con.register(table, reader.read_all())
                case _:
                    in_log = name.endswith("log")
                    cache = spilled(reader, spill) if in_log else respool.StreamCache(reader)
                    cache.ingest_all()
                    optimize = name.startswith("optimized")
                    respool.duckdb.register(con, table, cache, optimize=optimize)
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


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale-factor", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="where the parquet files are, or are to be made")
    parser.add_argument("--each", action="store_true", help="show each query too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        data = options.data or Path(scratch)
        generate(data, options.scale_factor)
        contestants = register(data, Path(scratch))
        seconds = {name: [[] for _ in range(22)] for name in contestants}
        for number in range(22):
            sql = (QUERIES / f"q{number + 1:02}.sql").read_text()
            answers = {}
            for _ in range(options.rounds):
                for name, con in contestants.items():
                    began = time.perf_counter()
                    answers[name] = con.execute(sql).fetchall()
                    seconds[name][number].append(time.perf_counter() - began)
            for name, answer in answers.items():
                assert same(answer, answers["native"]), f"query {number + 1} over {name}"
    best = {name: [min(rounds) * 1e3 for rounds in each] for name, each in seconds.items()}
    median = {
        name: sum(statistics.median(rounds) for rounds in each) * 1e3
        for name, each in seconds.items()
    }
    if options.each:
        print(f"{'query':>6}" + "".join(f"{name:>15}" for name in best))
        for number in range(22):
            row = "".join(f"{times[number]:15.1f}" for times in best.values())
            print(f"{number + 1:6}{row}")
    total = {name: sum(times) for name, times in best.items()}
    print(f"TPC-H scale factor {options.scale_factor:g}, 22 queries, 2 threads, all answers equal")
    for name, best_total in total.items():
        print(f"  {name:14} best {best_total:8.0f} ms  median {median[name]:8.0f} ms")
    wanted = (
        ("memory", "pa.Table", 1.0),
        ("log", "memory", 1.15),
        ("optimized", "native", 1.15),
    )
    passed = True
    for ours, peer, most in wanted:
        ratio = total[ours] / total[peer]
        ok = ratio <= most
        passed &= ok
        verdict = "ok" if ok else "over"
        print(f"  {ours:14} / {peer:10} {ratio:5.2f}  wanted <= {most:.2f}  {verdict}")
    return passed


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
