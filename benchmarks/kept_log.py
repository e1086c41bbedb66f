"""A log that outlives the process: written, opened, read again, verified."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import data
import pyarrow as pa
import pyarrow.compute as pc
from measure import ROUNDS, Claim, rounds, scratch, table, timed, verdict
from memory import anonymous

import respool

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
NUMBER = itertools.count()
MANY = int(os.environ.get("KEPT_BATCHES", "1000000"))
TINY = pa.record_batch({"n": [1, 2, 3]})


def main() -> None:
    with scratch() as name:
        directory = Path(name)
        writing(directory)
        verifying(directory)
        opening(directory, 10_000, 10)
        opening(directory, MANY, 30)
        replaying(directory)


def writing(directory: Path) -> None:
    """Fill a log with a name and one without; ending one with a name waits for the disk, which is no part of it."""
    batches = data.batches()

    def temporary() -> float:
        cache = respool.StreamCache(data.reader(batches), 1 << 20, directory, 4 << 30)
        seconds = timed(lambda: read_through(cache, len(batches)))
        cache.close()
        return seconds

    def kept() -> float:
        path = directory / f"kept{next(NUMBER)}"
        cache = respool.cache(data.reader(batches), path=path, memory=1 << 20)
        seconds = timed(lambda: read_through(cache, len(batches)))
        cache.close()
        shutil.rmtree(path)
        return seconds

    def whole(flushes: bool) -> float:
        path = directory / f"kept{next(NUMBER)}"
        cache = respool.cache(data.reader(batches), path=path, memory=1 << 20)

        def fill() -> None:
            for number, _ in enumerate(cache):
                if flushes and number % 10 == 9:
                    cache.flush()
            cache.close()

        seconds = timed(fill)
        shutil.rmtree(path)
        return seconds

    size = sum(batch.nbytes for batch in batches)
    seconds = rounds(
        {
            "kept, without its end": kept,
            "temporary": temporary,
            "kept, to its durable end": lambda: whole(False),
            "kept, flushed every 10 batches": lambda: whole(True),
        }
    )
    table(
        f"Write {size / 1e6:.0f} MB in {len(batches)} batches into a log",
        seconds,
        [
            Claim("kept, without its end", "temporary", 1.15),
            Claim("kept, to its durable end", "temporary"),
            Claim("kept, flushed every 10 batches", "temporary"),
        ],
    )


def read_through(cache: respool.StreamCache, count: int) -> None:
    reader = cache.reader()
    for _ in range(count):
        next(reader)


def verifying(directory: Path) -> None:
    """Pass over a warm log: an opened one is verified at its first pass, a temporary one never."""
    batches = data.batches()
    path = directory / "verified"
    respool.cache(data.reader(batches), path=path).ingest_all()
    temporary = respool.StreamCache(data.reader(batches), 0, directory, 4 << 30)
    temporary.ingest_all()
    again = respool.open(path)
    touch(again)
    extremes(again)

    def first(work: Callable[[respool.StreamCache], object]) -> float:
        fresh = respool.open(path)
        seconds = timed(lambda: work(fresh))
        fresh.close()
        return seconds

    seconds = rounds(
        {
            "least and greatest, first pass": lambda: first(extremes),
            "least and greatest, later": lambda: timed(lambda: extremes(again)),
            "least and greatest, temporary": lambda: timed(lambda: extremes(temporary)),
            "copy, first pass": lambda: first(touch),
            "copy, later": lambda: timed(lambda: touch(again)),
            "copy, temporary": lambda: timed(lambda: touch(temporary)),
        }
    )
    table(
        "Pass over a warm log: pyarrow's min_max of every column, and nothing but a copy of the bytes",
        seconds,
        [
            Claim("least and greatest, first pass", "least and greatest, temporary", 1.5),
            Claim("least and greatest, later", "least and greatest, temporary", 1.05),
            Claim("copy, first pass", "copy, temporary"),
            Claim("copy, later", "copy, temporary"),
        ],
    )
    again.close()
    temporary.close()
    shutil.rmtree(path)


def extremes(cache: respool.StreamCache) -> None:
    for batch in cache:
        for column in batch.columns:
            pc.min_max(column)


def touch(cache: respool.StreamCache) -> int:
    """Read every byte of every buffer."""
    total = 0
    for batch in cache:
        for column in batch.columns:
            for buffer in column.buffers():
                if buffer is not None:
                    total += len(memoryview(buffer).tobytes())
    return total


OPENS = """
import sys, time
sys.path.insert(0, sys.argv[2])
from memory import anonymous
import pyarrow, respool
respool.cache(pyarrow.table({"n": [1]})).ingest_all()
before = anonymous()
began = time.perf_counter()
cache = respool.open(sys.argv[1])
opened = time.perf_counter()
grown = anonymous() - before
next(iter(cache))
print(opened - began, time.perf_counter() - opened, grown)
"""


def opening(directory: Path, count: int, wanted: float) -> None:
    """Open a complete log in a new process, and read its first batch."""
    path = directory / f"many{count}"
    stream = pa.RecordBatchReader.from_batches(TINY.schema, itertools.repeat(TINY, count))
    with respool.cache(stream, path=path) as cache:
        cache.ingest_all()
    here = str(Path(__file__).parent)
    seen = []
    for _ in range(ROUNDS):
        printed = subprocess.run(
            [sys.executable, "-c", OPENS, str(path), here],
            check=True,
            capture_output=True,
            text=True,
        )
        seen.append([float(figure) for figure in printed.stdout.split()])
    opened, first, grown = (min(figures) for figures in zip(*seen, strict=True))
    print(f"\nOpen a complete log of {count:,} batches in a new process, best of {ROUNDS}")
    print(f"{'open, ms':<34}{opened * 1e3:>18.2f}{verdict(opened * 1e3, wanted, ' ms'):>22}")
    print(f"{'first batch more, ms':<34}{first * 1e3:>18.2f}{verdict(first * 1e3, 1, ' ms'):>22}")
    print(f"{'RssAnon, MiB':<34}{grown / MIB:>18.2f}{verdict(grown / MIB, 20, ' MiB'):>22}")
    shutil.rmtree(path)


def replaying(directory: Path) -> None:
    """Replay 1 GiB of an opened log: its pages are the system's."""
    path = directory / "large"
    batch = pa.record_batch({"n": range(MIB)})

    def batches() -> list[pa.RecordBatch]:
        return [batch] * 128

    with respool.cache(
        pa.RecordBatchReader.from_batches(batch.schema, iter(batches())), path=path
    ) as cache:
        cache.ingest_all()
    again = respool.open(path)
    next(iter(again))
    before, began = anonymous(), time.perf_counter()
    touch(again)
    took, grown = time.perf_counter() - began, (anonymous() - before) / MIB
    print(f"\nReplay 1 GiB of an opened log: {took:.2f} s")
    print(f"{'RssAnon, MiB':<34}{grown:>18.2f}{verdict(grown, 20, ' MiB'):>22}")
    again.close()


if __name__ == "__main__":
    main()
