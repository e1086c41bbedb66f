"""Ingest into the log, against writing the same bytes in other ways."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import batchcorder
import data
import pyarrow as pa
from measure import Claim, rounds, scratch, table, timed

import respool

BATCHES = data.batches()
MESSAGES = [batch.serialize() for batch in BATCHES]
SIZE = sum(message.size for message in MESSAGES)
NUMBER = itertools.count()


def main() -> None:
    with scratch() as name:
        directory = Path(name)

        def ours() -> float:
            cache = respool.StreamCache(data.reader(BATCHES), 1 << 20, directory, 4 << 30)
            seconds = timed(cache.ingest_all)
            cache.close()
            return seconds

        def raw_write() -> float:
            fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
            seconds = timed(lambda: [os.write(fd, message) for message in MESSAGES])
            os.close(fd)
            return seconds

        def ipc_file() -> float:
            path = directory / "file.arrow"

            def write() -> None:
                with (
                    pa.OSFile(str(path), "wb") as sink,
                    pa.ipc.new_file(sink, BATCHES[0].schema) as file,
                ):
                    for batch in BATCHES:
                        file.write_batch(batch)

            seconds = timed(write)
            path.unlink()
            return seconds

        def peer() -> float:
            path = directory / f"batchcorder{next(NUMBER)}"
            cache = batchcorder.StreamCache(data.reader(BATCHES), 1 << 20, str(path), 4 << 30)
            seconds = timed(cache.ingest_all)
            cache.close()
            shutil.rmtree(path, ignore_errors=True)
            return seconds

        seconds = rounds(
            {
                "ingest into the log": ours,
                "raw write() of the same bytes": raw_write,
                "pyarrow IPC file": ipc_file,
                "batchcorder, disk": peer,
            }
        )
    table(
        f"Ingest, on_insertion: {SIZE / 1e6:.0f} MB in {len(BATCHES)} batches",
        seconds,
        [
            Claim("ingest into the log", "raw write() of the same bytes", 1.4),
            Claim("ingest into the log", "pyarrow IPC file"),
            Claim("ingest into the log", "batchcorder, disk"),
        ],
    )


if __name__ == "__main__":
    main()
