"""TPC-H lineitem comes down a pipe, once; two engines query it again and again.

A generator process writes CSV into a pipe, pyarrow parses it as it arrives, and respool caches the
batches with less memory than they need. Nothing here can read the source a second time. The script
fails when DuckDB and Polars disagree, or when the source was asked for more than it has.
"""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.csv

import respool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MONEY = pa.decimal128(15, 2)
TYPES = dict.fromkeys(["l_quantity", "l_extendedprice", "l_discount", "l_tax"], MONEY)
BLOCK = 8 << 20

Q1 = """
select l_returnflag, l_linestatus,
       sum(l_quantity), sum(l_extendedprice), sum(l_extendedprice * (1 - l_discount)),
       avg(l_quantity), avg(l_extendedprice), avg(l_discount), count(*)
from lineitem
where l_shipdate <= date '1998-09-02'
group by all order by all
"""
Q6 = """
select sum(l_extendedprice * l_discount)
from lineitem
where l_shipdate >= date '1994-01-01' and l_shipdate < date '1995-01-01'
  and l_discount between 0.05 and 0.07 and l_quantity < 24
"""
SELF_JOIN = """
select count(*)
from lineitem a join lineitem b
  on a.l_orderkey = b.l_orderkey and a.l_linenumber + 1 = b.l_linenumber
where a.l_receiptdate > b.l_receiptdate
"""


def polars_q1(lineitem: pl.LazyFrame) -> list[tuple[object, ...]]:
    price, discount = pl.col("l_extendedprice"), pl.col("l_discount")
    keys = ["l_returnflag", "l_linestatus"]
    return (
        lineitem.filter(pl.col("l_shipdate") <= dt.date(1998, 9, 2))
        .group_by(keys)
        .agg(
            pl.sum("l_quantity"),
            price.sum(),
            (price * (1 - discount)).sum().alias("charged"),
            pl.mean("l_quantity").alias("mean quantity"),
            price.mean().alias("mean price"),
            discount.mean().alias("mean discount"),
            pl.len(),
        )
        .sort(keys)
        .collect()
        .rows()
    )


def polars_q6(lineitem: pl.LazyFrame) -> list[tuple[object, ...]]:
    day, discount = pl.col("l_shipdate"), pl.col("l_discount")
    first, last = dt.date(1994, 1, 1), dt.date(1994, 12, 31)
    return (
        lineitem.filter(
            day.is_between(first, last)
            & discount.is_between(0.045, 0.075)  # two decimals: 0.05, 0.06 and 0.07
            & (pl.col("l_quantity") < 24)
        )
        .select((pl.col("l_extendedprice") * discount).sum())
        .collect()
        .rows()
    )


def frame(cache: respool.StreamCache, columns: list[str]) -> pl.LazyFrame:
    """The asked columns of one replay, money as floats: that is how Polars multiplies it best."""
    return pl.DataFrame(cache.select(columns)).lazy().with_columns(pl.col(pl.Decimal).cast(float))


def count_rows(cache: respool.StreamCache) -> int:
    return sum(batch.num_rows for batch in pa.RecordBatchReader.from_stream(cache))


def two_at_once(task: Callable[[], int]) -> list[int]:
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(task())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@contextmanager
def lineitem_down_a_pipe(scale_factor: float) -> Iterator[pa.RecordBatchReader]:
    generator = Path(sys.executable).with_name("tpchgen-cli")
    command = [generator, "csv", "--stdout", "--quiet", "--tables=lineitem"]
    command += [f"--scale-factor={scale_factor}", "--num-threads=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=1 << 20) as process:
        assert process.stdout is not None
        yield pyarrow.csv.open_csv(
            process.stdout,
            pyarrow.csv.ReadOptions(block_size=BLOCK),
            convert_options=pyarrow.csv.ConvertOptions(column_types=TYPES),
        )
    if process.returncode:
        sys.exit(f"tpchgen-cli ended with {process.returncode}")


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{what:<52}{time.perf_counter() - began:8.2f} s", flush=True)


def show(rows: list[tuple[object, ...]]) -> None:
    for row in rows:
        cells = (f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row)
        print("   ", *cells, sep="  ")


def agree(query: str, one: list[tuple[object, ...]], other: list[tuple[object, ...]]) -> None:
    def close(a: object, b: object) -> bool:
        if isinstance(a, str):
            return a == b
        return abs(float(a) - float(b)) <= 1e-9 * abs(float(a))

    same = len(one) == len(other) and all(
        len(a) == len(b) and all(map(close, a, b)) for a, b in zip(one, other, strict=True)
    )
    if not same:
        sys.exit(f"{query}: the engines disagree\n  DuckDB {one}\n  Polars {other}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale-factor", type=float, default=1.0)
    parser.add_argument("--memory", default="256 MiB", help="what the cache may keep in memory")
    asked = parser.parse_args()
    began = time.perf_counter()
    print(f"lineitem at scale factor {asked.scale_factor:g}, at most {asked.memory} in memory\n")

    with lineitem_down_a_pipe(asked.scale_factor) as source:
        lineitem = respool.cache(source, memory=asked.memory)
        with timed("first rows, while the pipe is still being written"):
            first = duckdb.sql("select l_orderkey, l_shipdate from lineitem limit 3").fetchall()
        show(first)
        with timed("the rest of the pipe: generated, parsed, cached"):
            batches = lineitem.ingest_all()
    print(f"    {lineitem!r}")

    with timed("DuckDB  Q1"):
        q1 = duckdb.sql(Q1).fetchall()
    show(q1)
    with timed("Polars  Q1"):
        agree(
            "Q1",
            q1,
            polars_q1(
                frame(
                    lineitem,
                    [
                        "l_returnflag",
                        "l_linestatus",
                        "l_quantity",
                        "l_extendedprice",
                        "l_discount",
                        "l_shipdate",
                    ],
                )
            ),
        )
    with timed("DuckDB  Q6"):
        q6 = duckdb.sql(Q6).fetchall()
    show(q6)
    with timed("Polars  Q6"):
        agree(
            "Q6",
            q6,
            polars_q6(
                frame(
                    lineitem,
                    [
                        "l_quantity",
                        "l_extendedprice",
                        "l_discount",
                        "l_shipdate",
                    ],
                )
            ),
        )
    with timed("DuckDB  self-join: two scans of the one source"):
        show(duckdb.sql(SELF_JOIN).fetchall())
    with timed("pyarrow two replays at once on two threads"):
        counts = two_at_once(lambda: count_rows(lineitem))
    if counts != [lineitem.num_rows] * 2:
        sys.exit(f"the replays have {counts} rows, the stream {lineitem.num_rows}")

    print("\nmetrics")
    metrics = lineitem.metrics()
    for name, value in metrics.items():
        shown = f"{value / (1 << 20):,.1f} MiB" if name.endswith("bytes") else value
        print(f"    {name:<24}{shown}")
    if metrics["pulls"] != batches + 1:
        sys.exit(f"the source was pulled {metrics['pulls']} times for {batches} batches")
    print(f"\nthe engines agree; {time.perf_counter() - began:.1f} s in all")


if __name__ == "__main__":
    main()
