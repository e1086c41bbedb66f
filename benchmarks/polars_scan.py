"""Polars over a cache, in memory and in the log, against a chunked data frame and ``pl.scan_ipc``."""

from __future__ import annotations

from pathlib import Path

import data
import polars as pl
import pyarrow as pa
from measure import Claim, rounds, scratch, table, timed, verdict

import respool

BATCHES = 100
ROWS = data.ROWS // BATCHES
N = pl.col("id")
ENGINES = ("in-memory", "streaming")
QUERIES = {
    "sum": lambda lf: lf.select(pl.col("f0").sum()),
    "group by": lambda lf: lf.group_by("g").agg(pl.col("f0").sum(), pl.col("f1").mean()),
    "sorted 1 %": lambda lf: lf.filter(
        N.is_between(data.ROWS // 2, data.ROWS // 2 + data.ROWS // 100)
    ).select(pl.col("f0", "f1").sum()),
    "scattered 1 %": lambda lf: lf.filter(pl.col("r") < 10_000).select(pl.col("f0", "f1").sum()),
    "group by text": lambda lf: lf.group_by("s").agg(pl.col("f0").sum()),
    "head": lambda lf: lf.head(10),
    "count": lambda lf: lf.select(pl.len()),
}
# How often a round runs what takes a few milliseconds: at that size a lucky run is twice as fast as the next.
TIMES = {"sum": 50, "count": 50, "head": 50, "group by": 2, "group by text": 2}
WANTED = {"sum": 1.5, "group by": 1.1, "sorted 1 %": 0.6}


def frames() -> list[pl.DataFrame]:
    """10 columns, numbers sorted and random, and text in views."""
    row = pl.int_range(ROWS, eager=True)
    words = pl.Series([f"customer {word:05d}" for word in range(1000)])

    def random(seed: int, below: int) -> pl.Series:
        return row.hash(seed) % below

    def frame(i: int) -> pl.DataFrame:
        seed = i * 10
        floats = {f"f{k}": random(seed + k, 1 << 50).cast(pl.Float64) for k in range(4)}
        return pl.DataFrame(
            {
                "id": row + i * ROWS,
                "ts": ((row + i * ROWS) * 1_000_000).cast(pl.Datetime("us")),
                **floats,
                "g": random(seed + 5, 100).cast(pl.Int32),
                "r": random(seed + 6, 1_000_000).cast(pl.Int64),
                "s": words.gather(random(seed + 7, 1000)),
                "b": random(seed + 8, 2) == 0,
            }
        )

    return [frame(i) for i in range(BATCHES)]


def main() -> None:
    made = frames()
    newest = pl.CompatLevel.newest()
    batches = [
        pa.record_batch(frame.to_arrow(compat_level=newest).to_batches()[0]) for frame in made
    ]
    whole = pl.concat(made, rechunk=False)
    with scratch() as directory:
        memory = respool.StreamCache(data.reader(batches))
        log = respool.StreamCache(data.reader(batches), "1 MiB", directory, 4 << 30)
        text = pa.schema(
            [f.with_type(pa.string()) if f.name == "s" else f for f in batches[0].schema]
        )
        plain = respool.StreamCache(log.cast(text), "1 MiB", directory, 4 << 30)
        for cache in (memory, log, plain):
            assert cache.ingest_all() == BATCHES
        file = Path(directory) / "peer.arrow"
        with pa.ipc.new_file(file, batches[0].schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        scans = {
            "memory": memory.lazy(),
            "log": log.lazy(),
            "log, text as string": plain.lazy(),
            "DataFrame": whole.lazy(),
            "scan_ipc": pl.scan_ipc(file),
        }

        def run(query: str, scan: str, engine: str) -> float:
            planned = QUERIES[query](scans[scan])
            return timed(lambda: planned.collect(engine=engine), TIMES.get(query, 10))

        created = min(timed(lambda: log.lazy().explain()) for _ in range(5)) * 1e3
        results = {
            engine: rounds(
                {
                    f"{query}, {scan}": lambda q=query, s=scan, e=engine: run(q, s, e)
                    for query in QUERIES
                    for scan in scans
                }
            )
            for engine in ENGINES
        }
        for cache in (memory, log, plain):
            cache.close()
    claims = []
    for query in QUERIES:
        claims += [
            Claim(f"{query}, memory", f"{query}, DataFrame", WANTED.get(query)),
            Claim(f"{query}, log", f"{query}, scan_ipc", 0.33),
            Claim(f"{query}, log", f"{query}, DataFrame"),
            # What Polars takes where nothing is read at all: no log can be faster than that.
            Claim(f"{query}, DataFrame", f"{query}, scan_ipc"),
        ]
    claims.append(Claim("group by text, log, text as string", "group by text, scan_ipc"))
    for engine, seconds in results.items():
        table(f"Polars, {engine} engine", seconds, claims)
    print(
        f"\nplan over {BATCHES} batches in the log: {created:.2f} ms {verdict(created, 15, ' ms')}"
    )


if __name__ == "__main__":
    main()
