"""A log larger than what is left of memory: one column of sixteen, and a hot cache beside a full scan.

Not among the subjects that `run.py` takes by itself: it fills the disk with `LARGE` gigabytes (8) and locks
`BALLAST` of memory (16) so that less than the log is left, for which one has to be root.
"""

from __future__ import annotations

import itertools
import mmap
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from measure import scratch, verdict
from memory import anonymous
from pages import forget, read_bytes

import respool
import respool.duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGE, BALLAST = float(os.environ.get("LARGE", "8")), float(os.environ.get("BALLAST", "16"))
SCANNED = float(os.environ.get("SCANNED", "20"))
ROWS, COLUMNS = 200_000, 16

LOCK = """
import ctypes, mmap, sys
size = int(float(sys.argv[1]) * (1 << 30))
memory = mmap.mmap(-1, size)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
print(ctypes.CDLL(None).mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)), flush=True)
sys.stdin.read()
"""

SCAN = """
import sys, time
import pyarrow as pa, pyarrow.compute as pc, respool
cache, end, read = respool.open(sys.argv[1]), time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < end:
    for batch in pa.RecordBatchReader.from_stream(cache):
        for column in batch.columns:
            pc.sum(column)
        read += batch.nbytes
        if time.monotonic() >= end:
            break
print(f"{read / 1e9:.1f} GB")
"""


def write(path: Path, gigabytes: float) -> None:
    block = np.random.default_rng(len(path.name)).random((COLUMNS, ROWS))
    names = [f"c{number}" for number in range(COLUMNS)]
    first = pa.record_batch(list(block), names=names)
    count = int(gigabytes * 1e9 / first.nbytes)
    others = (pa.record_batch(list(block + n), names=names) for n in range(1, count))
    stream = pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], others))
    with respool.cache(stream, path=path, memory=1) as cache:
        cache.ingest_all()


@contextmanager
def ballast() -> Iterator[None]:
    """Memory that nobody else can have."""
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(BALLAST)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            if child.stdout is None or child.stdout.readline().strip() != "0":
                sys.exit("memory can't be locked here")
            yield
        finally:
            child.kill()


def extents(path: Path, column: int) -> list[tuple[Path, int, int]]:
    """Where a column lies: file, offset, length."""
    found = []
    for file in sorted(path.glob("*.arrow")):
        with file.open("rb") as opened:
            buffer = pa.py_buffer(mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ))
        reader = pa.ipc.open_file(buffer)
        for number in range(reader.num_record_batches):
            values = reader.get_batch(number).column(column).buffers()[1]
            found.append((file, values.address - buffer.address, values.size))
    return found


def pread(where: list[tuple[Path, int, int]]) -> None:
    fds = {file: os.open(file, os.O_RDONLY) for file, _, _ in where}
    for fd in fds.values():
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    room = memoryview(bytearray(max(size for _, _, size in where)))
    for file, offset, size in where:
        os.preadv(fds[file], [room[:size]], offset)
    for fd in fds.values():
        os.close(fd)


def one_column(log: Path, directory: Path) -> None:
    where = extents(log, 7)
    with respool.open(log) as cache, duckdb.connect() as con:
        respool.duckdb.register(con, "t", cache)
        ways: dict[str, Callable[[], object]] = {
            "pread": lambda: pread(where),
            "DuckDB": lambda: con.execute("select sum(c7) from t").fetchall(),
            "Polars": lambda: cache.lazy().select(pl.col("c7").sum()).collect(),
        }
        print(f"\nSum of one column of {COLUMNS} of {LARGE:g} GB, {BALLAST:g} GiB of memory locked")
        print(
            f"{'best of 3, s':<20}{'':>8}{'to pread':>10}{'wanted':>12}{'MB read':>10}{'MB more':>10}"
        )
        least = 0.0
        for name, way in ways.items():
            seen = []
            for _ in range(3):
                forget(directory)
                held, before, began = anonymous(), read_bytes(), time.perf_counter()
                way()
                took = time.perf_counter() - began
                seen.append((took, (read_bytes() - before) / 1e6, (anonymous() - held) / 1e6))
            took, read, grown = min(seen)
            least = least or took
            wanted = verdict(took / least, None if name == "pread" else 1.15, "x")
            line = f"{name:<20}{took:>8.2f}{took / least:>9.2f}x{wanted:>12}{read:>10.0f}"
            print(f"{line}{grown:>10.0f}{verdict(grown, 100, ' MB')}", flush=True)


def beside(log: Path, hot: Path) -> None:
    with respool.open(hot) as cache, duckdb.connect() as con:
        respool.duckdb.register(con, "h", cache)

        def query() -> float:
            began = time.perf_counter()
            con.execute("select sum(c1), sum(c2), sum(c3), sum(c4) from h").fetchall()
            return time.perf_counter() - began

        query()
        alone = [query() for _ in range(20)]
        scan = [sys.executable, "-c", SCAN, str(log), str(SCANNED)]
        with subprocess.Popen(scan, stdout=subprocess.PIPE, text=True) as child:
            time.sleep(1)
            again, times = 0, []
            while child.poll() is None:
                # What a child read counts here once it has ended: not what lies between two queries.
                before = read_bytes()
                times.append(query())
                again += read_bytes() - before
                time.sleep(0.1)
            scanned = child.stdout.read().strip() if child.stdout else ""
        middle, usual = statistics.median(times), statistics.median(alone)
        print(
            f"\nFour hot columns beside a scan of {scanned}: median {middle * 1e3:.0f} ms", end=""
        )
        print(
            f", alone {usual * 1e3:.0f}: {middle / usual:.2f}x{verdict(middle / usual, 2, 'x')}",
            end="",
        )
        print(f"; {again / 1e6:.0f} MB of them were read again")


def main() -> None:
    with scratch() as name:
        directory = Path(name)
        log, hot = directory / "log", directory / "hot"
        write(log, LARGE)
        write(hot, LARGE / 8)
        forget(directory)
        with ballast():
            one_column(log, directory)
            beside(log, hot)


if __name__ == "__main__":
    main()
