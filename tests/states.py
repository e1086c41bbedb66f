"""Logs in every state that a log can be in, for what tells people about them."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

import processes
import respool
from sources import SCHEMA, Source

FILLS = """
import sys, time
import respool
from sources import SCHEMA, Source

cache = respool.named(
    sys.argv[2],
    lambda: respool.cache(Source(1000), schema=SCHEMA, disk=None),
    directory=sys.argv[1],
)
reader = cache.reader()
for _ in range(3):
    next(reader)
cache.flush()
print("ready", flush=True)
time.sleep(600)  # it is killed before
"""


def trips() -> pa.Table:
    """What a complete log has: 1000 rows of several types."""
    day = dt.date(2026, 1, 1)
    return pa.table(
        {
            "id": pa.array(range(1000), pa.int64()),
            "city": pa.array([("Bern", "Genf", None)[i % 3] for i in range(1000)]),
            "fare": pa.array([i / 4 for i in range(1000)], pa.float64()),
            "day": pa.array([day + dt.timedelta(i) for i in range(1000)], pa.date32()),
        }
    )


def complete(root: Path, name: str = "trips") -> None:
    with respool.named(
        name,
        lambda: trips().to_reader(max_chunksize=100),
        directory=root,
        key=("EU", 2026),
        metadata={"query": "select * from trips", "asked by": ["me", 1]},
    ) as cache:
        cache.ingest_all()


def failed(root: Path, name: str = "failed") -> None:
    def source():
        yield from Source(2)
        raise OSError("the wire broke")

    with (
        respool.named(
            name, lambda: respool.cache(source(), schema=SCHEMA, disk=None), directory=root
        ) as cache,
        pytest.raises(OSError, match="wire"),
    ):
        cache.ingest_all()


def abandoned(root: Path, name: str = "abandoned") -> None:
    with respool.named(name, lambda: Source(9).reader(), directory=root) as cache:
        reader = cache.reader()
        for _ in range(3):
            next(reader)


def log_of(root: Path, name: str) -> Path:
    return next(one.path for one in respool.ls(root) if one.name == name)


def flip(file: Path, at: int) -> None:
    """Change one byte of a file, whoever has it open."""
    with file.open("r+b") as content:
        content.seek(at)
        (byte,) = content.read(1)
        content.seek(at)
        content.write(bytes([byte ^ 0x40]))


def damaged(root: Path, name: str = "damaged") -> None:
    """A log with one byte in batch 4 that is not what was written."""
    complete(root, name)
    flip(log_of(root, name) / "00000000.arrow", 20_000)


def growing(root: Path, name: str = "growing") -> object:
    """Start a process that fills a name and stops half way; it is the caller's to kill."""
    child = processes.start(FILLS, root, name)
    processes.wait_for_line(child, "ready")
    return child
