"""Replay the whole stream through the C interface, from the log and from memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import batchcorder
import data
import pyarrow as pa
from measure import Claim, rounds, scratch, table, timed

import respool

BATCHES = data.batches()


def mapped_file(path: Path) -> None:
    with pa.memory_map(str(path)) as source:
        file = pa.ipc.open_file(source)
        assert sum(file.get_batch(i).num_rows for i in range(file.num_record_batches)) == data.ROWS


def main() -> None:
    with scratch() as name:
        directory = Path(name)
        path = directory / "file.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, BATCHES[0].schema) as file:
            for batch in BATCHES:
                file.write_batch(batch)
        ours_log = respool.StreamCache(data.reader(BATCHES), 1 << 20, directory, 4 << 30)
        ours_memory = respool.StreamCache(data.reader(BATCHES))
        peer_log = batchcorder.StreamCache(data.reader(BATCHES), 1 << 20, str(directory), 4 << 30)
        peer_memory = batchcorder.StreamCache(data.reader(BATCHES))
        whole = pa.Table.from_batches(BATCHES)
        streams = {
            "from the log": ours_log,
            "from memory": ours_memory,
            "batchcorder, disk": peer_log,
            "batchcorder, memory": peer_memory,
            "pa.Table": whole,
        }
        for stream in streams.values():
            assert data.drain(stream) == data.ROWS
        # A replay that copies nothing is too short to time alone.
        short = {"from memory", "batchcorder, memory", "pa.Table"}

        def replay(name: str) -> float:
            return timed(lambda: data.drain(streams[name]), 20 if name in short else 1)

        seconds = rounds(
            {
                **{name: partial(replay, name) for name in streams},
                "pyarrow: open, mmap, get_batch": lambda: timed(lambda: mapped_file(path)),
            }
        )
        for cache in (ours_log, ours_memory, peer_log, peer_memory):
            cache.close()
    table(
        f"Replay: {len(BATCHES)} batches",
        seconds,
        [
            Claim("from the log", "pyarrow: open, mmap, get_batch", 0.5),
            Claim("from the log", "batchcorder, disk"),
            Claim("from memory", "pa.Table", 1.2),
            Claim("from memory", "batchcorder, memory"),
        ],
    )


if __name__ == "__main__":
    main()
