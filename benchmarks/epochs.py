"""Shuffled steps of 1,024 rows of 16 float32 columns, from memory and from a log, next to a bare gather of NumPy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from measure import Claim, rounds, scratch, table, timed

import respool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROWS = int(os.environ.get("ROWS", "2_000_000"))
COLUMNS = 16
STEP = 1024
BATCH_ROWS = 8192
PLACES = {"first step": 0, "first step, resumed": ROWS // STEP // 2}


def main() -> None:
    random = np.random.default_rng(0)
    arrays = {f"x{i:02}": random.random(ROWS, dtype=np.float32) for i in range(COLUMNS)}
    batches = pa.table(arrays).to_batches(BATCH_ROWS)
    with scratch() as name:
        memory = respool.cache(iter(batches), schema=batches[0].schema, disk=None)
        log = respool.cache(iter(batches), schema=batches[0].schema, path=Path(name) / "log")
        for cache in (memory, log):
            cache.ingest_all()

        def bare() -> Iterable[object]:
            """What a loop over arrays in memory does: one permutation, a gather for each column of each step."""
            order = random.permutation(ROWS)
            for start in range(0, ROWS - STEP + 1, STEP):
                rows = order[start : start + STEP]
                yield {name: array[rows] for name, array in arrays.items()}

        def ours(cache: respool.StreamCache, form: str) -> Callable[[], Iterable[object]]:
            epochs = respool.epochs(cache, batch_size=STEP)
            return epochs.arrays if form == "arrays" else lambda: epochs

        makers = {
            f"{form}, {place}": ours(cache, form)
            for place, cache in {"memory": memory, "log": log}.items()
            for form in ("record batches", "arrays")
        }
        makers["NumPy gather"] = bare
        contenders = {name: lambda make=make: epoch(make) for name, make in makers.items()}
        seconds = rounds(contenders)
        firsts = rounds({name: lambda done=done: first(log, done) for name, done in PLACES.items()})
        log.close()
    claims = [Claim(name, "NumPy gather", 1.5) for name in makers if name != "NumPy gather"]
    title = f"Per step: {STEP:,} of {ROWS:,} shuffled rows, {COLUMNS} columns of float32"
    table(title, seconds, claims, unit="us")
    claims = [Claim("first step, resumed", "first step", 2.0)]
    table("Until the first step: of an epoch, and of one that is taken up again", firsts, claims)


def epoch(make: Callable[[], Iterable[object]]) -> float:
    """Seconds per step of one epoch."""
    steps = 0

    def read() -> None:
        nonlocal steps
        for _ in make():
            steps += 1

    return timed(read) / steps


def first(cache: respool.StreamCache, done: int) -> float:
    """Seconds until the first step behind so many."""
    epochs = respool.epochs(cache, batch_size=STEP, seed=1)
    state = epochs.state_dict()
    epochs.load_state_dict({**state, "rows_done": done * STEP})
    # Kept, so that its end is not measured.
    kept = []

    def begin() -> None:
        kept.append(iter(epochs))
        next(kept[0])

    seconds = timed(begin)
    epochs.close()
    return seconds


if __name__ == "__main__":
    main()
