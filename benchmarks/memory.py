"""A stream of 4 GiB through a cap of 256 MiB with four readers: how much the process grows."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from measure import scratch, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
BATCH, COUNT, CAP, READERS = 64 * MIB, 64, 256 * MIB, 4
WANTED = (CAP + 6 * BATCH) // MIB + 60
SCHEMA = pa.schema({"n": pa.int64()})


def source() -> Iterator[pa.RecordBatch]:
    for i in range(COUNT):
        buffer = pa.py_buffer(i.to_bytes(8, "little") * (BATCH // 8))
        array = pa.Array.from_buffers(pa.int64(), BATCH // 8, [None, buffer])
        yield pa.RecordBatch.from_arrays([array], schema=SCHEMA)


def anonymous() -> int:
    """What this process holds that is not the page cache's: RssAnon, in bytes."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) << 10


def growth(module: str, directory: str) -> int:
    maker = __import__(module).StreamCache
    before = peak = anonymous()
    stop = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.005):
            peak = max(peak, anonymous())

    reader = pa.RecordBatchReader.from_batches(SCHEMA, source())
    cache = maker(reader, CAP, directory, 8 << 30, "on_eviction")
    readers = [cache.reader() for _ in range(READERS)]
    threads = [threading.Thread(target=lambda r=r: [b.num_rows for b in r]) for r in readers]
    watcher = threading.Thread(target=watch)
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    watcher.join()
    cache.close()
    return (peak - before) // MIB


def main() -> None:
    print(
        f"\nPeak growth of RssAnon: {BATCH * COUNT >> 30} GiB through {CAP // MIB} MiB, {READERS} readers"
    )
    print(f"{'MiB':<34}{'':>18}{'wanted':>20}")
    for module in ("respool", "batchcorder"):
        with scratch() as directory:
            command = [sys.executable, __file__, module, directory]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        figure = int(done.stdout)
        mark = verdict(figure, WANTED, " MiB") if module == "respool" else ""
        print(f"{module:<34}{figure:>18}{mark:>22}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(growth(*sys.argv[1:]))
    else:
        main()
