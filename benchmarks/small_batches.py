"""100,000 batches of 100 rows: what each batch costs by itself."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import batchcorder
import data
import pyarrow as pa
from measure import Claim, rounds, scratch, table, timed

import respool

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = int(os.environ.get("BATCHES", "100_000"))
EACH = 100
NUMBER = itertools.count()


def small_batches() -> list[pa.RecordBatch]:
    """Batches with buffers of their own: slices would share, and cost nothing to keep."""
    every = pa.array(range(EACH))
    whole = pa.Table.from_batches(data.batches()).slice(0, COUNT * EACH)
    return [
        part.take(every) for part in whole.to_reader(max_chunksize=EACH) if part.num_rows == EACH
    ]


BATCHES = small_batches()


def main() -> None:
    with scratch() as name:
        directory = Path(name)
        memory, log = {}, {"memory_capacity": 1 << 20, "disk_capacity": 4 << 30}

        def ingest(make: Callable[..., object], options: dict[str, object]) -> float:
            path = directory / str(next(NUMBER))
            path.mkdir()
            where = {"disk_path": str(path)} if options else {}
            cache = make(data.reader(BATCHES), **options, **where)
            seconds = timed(cache.ingest_all)
            cache.close()
            shutil.rmtree(path)
            return seconds / len(BATCHES)

        def replayed(make: Callable[..., object], options: dict[str, object]) -> object:
            path = directory / str(next(NUMBER))
            path.mkdir()
            where = {"disk_path": str(path)} if options else {}
            cache = make(data.reader(BATCHES), **options, **where)
            cache.ingest_all()
            return cache

        def replay(cache: object) -> float:
            return timed(lambda: data.drain(cache)) / len(BATCHES)

        makers = {"": respool.StreamCache, "batchcorder, ": batchcorder.StreamCache}
        tiers = {"memory": memory, "log": log}
        contenders: dict[str, Callable[[], float]] = {}
        for who, make in makers.items():
            for tier, options in tiers.items():
                cache = replayed(make, options)
                contenders[f"{who}ingest, {tier}"] = lambda make=make, options=options: ingest(
                    make, options
                )
                contenders[f"{who}replay, {tier}"] = lambda cache=cache: replay(cache)
        contenders["bare pyarrow reader"] = lambda: replay(data.reader(BATCHES))
        seconds = rounds(contenders)
    claims = []
    for work in ("ingest, memory", "ingest, log", "replay, memory", "replay, log"):
        claims += [Claim(work, f"batchcorder, {work}", 1.0), Claim(work, "bare pyarrow reader")]
    table(f"Per batch: {len(BATCHES):,} batches of {EACH} rows", seconds, claims, unit="us")


if __name__ == "__main__":
    main()
