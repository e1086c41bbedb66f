"""A stored batch, asked for while the source stalls for 1.5 s."""

from __future__ import annotations

import statistics
import threading
import time
from typing import TYPE_CHECKING

import batchcorder
import pyarrow as pa
from measure import ROUNDS, verdict

import respool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMA = pa.schema({"n": pa.int64()})
STALL, WANTED = 1.5, 10


def wait_for_stored(make: Callable[[pa.RecordBatchReader], object]) -> float:
    stalling = threading.Event()

    def source() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"n": [1]}, schema=SCHEMA)
        stalling.set()
        time.sleep(STALL)
        yield pa.record_batch({"n": [2]}, schema=SCHEMA)

    cache = make(pa.RecordBatchReader.from_batches(SCHEMA, source()))
    first = threading.Thread(target=lambda: list(cache))
    first.start()
    stalling.wait()
    time.sleep(0.05)
    began = time.perf_counter()
    next(iter(cache))
    took = time.perf_counter() - began
    first.join()
    return took * 1e3


def main() -> None:
    rounds = min(ROUNDS, 5)
    makers = {"respool": respool.StreamCache, "batchcorder": batchcorder.StreamCache}
    waits: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(rounds):
        for name, make in makers.items():
            waits[name].append(wait_for_stored(make))
    print(f"\nA second reader's first batch while the source stalls {STALL} s")
    print(f"{f'{rounds} rounds, worst (median), ms':<34}{'':>18}{'wanted':>20}")
    for name, values in waits.items():
        figures = f"{max(values):.2f} ({statistics.median(values):.2f})"
        mark = verdict(max(values), WANTED, " ms") if name == "respool" else ""
        print(f"{name:<34}{figures:>18}{mark:>22}")


if __name__ == "__main__":
    main()
