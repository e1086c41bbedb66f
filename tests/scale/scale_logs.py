"""Logs to read, and waiting for what others do."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

import respool


def batches(count: int, rows: int) -> Iterator[pa.RecordBatch]:
    """Batches whose ids go up, so that zone maps tell them apart."""
    random = np.random.default_rng(0)
    for i in range(count):
        first = i * rows
        columns = {
            "id": np.arange(first, first + rows),
            "x": random.random(rows),
            "k": random.integers(0, 1000, rows, dtype=np.int32),
            "s": pa.array([f"w{n % 97:04}" for n in range(rows)]),
        }
        yield pa.record_batch(columns)


def kept(path: Path, source: object, **options: object) -> Path:
    if not hasattr(source, "schema"):
        options["schema"] = "first"
    with respool.cache(source, path=path, **options) as cache:
        cache.ingest_all()
    return path


def eventually(is_so: object, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.1)
    return bool(is_so())
