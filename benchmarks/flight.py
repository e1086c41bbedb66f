"""Replay a kept log over the loopback: our server next to pyarrow's bare one over the same mapped batches.

Server and clients share the processors. Both servers are read by pyarrow's own client; `respool.flight.open`, which
keeps what comes, stands beside them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import Claim, rounds, scratch, table, timed
from pyarrow import flight

import respool
import respool.flight

MIB = 1 << 20
TOTAL = int(os.environ.get("FLIGHT_MIB", "512")) * MIB
BATCH = 2 * MIB
COLUMNS = 8
ROWS = BATCH // 8 // COLUMNS
SCHEMA = pa.schema([(f"c{i}", pa.int64()) for i in range(COLUMNS)])
WANTED_GIB = 1.5


def source() -> Iterator[pa.RecordBatch]:
    for i in range(TOTAL // BATCH):
        values = np.arange(i * ROWS, (i + 1) * ROWS)
        yield pa.record_batch([values + column for column in range(COLUMNS)], schema=SCHEMA)


def mapped(path: Path) -> Iterator[pa.RecordBatch]:
    for segment in sorted(path.glob("*.arrow")):
        file = pa.ipc.open_file(pa.memory_map(str(segment)))
        for i in range(file.num_record_batches):
            yield file.get_batch(i)


class Bare(flight.FlightServerBase):
    """The shortest server that there is over these files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__("grpc://127.0.0.1:0")

    def do_get(self, _context: object, _ticket: object) -> flight.RecordBatchStream:
        return flight.RecordBatchStream(
            pa.RecordBatchReader.from_batches(SCHEMA, mapped(self.path))
        )


def serve(path: Path) -> None:
    """Run both servers until nobody listens any more."""
    bare = Bare(path)
    with respool.flight.serve(path) as ours:
        print(ours.uri, f"grpc://127.0.0.1:{bare.port}", flush=True)
        sys.stdin.read()
    bare.shutdown()


def drained(uri: str, tickets: list[flight.Ticket]) -> None:
    rows = 0
    with flight.connect(uri) as client:
        for ticket in tickets:
            for chunk in client.do_get(ticket):
                rows += chunk.data.num_rows
    assert rows == TOTAL // BATCH * ROWS, rows


def kept(uri: str) -> None:
    with respool.flight.open(uri, memory=None) as cache:
        assert cache.ingest_all() == TOTAL // BATCH


def together(task: object, clients: int) -> float:
    def run() -> None:
        threads = [threading.Thread(target=task) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return timed(run)


def main() -> None:
    with scratch() as name:
        path = Path(name) / "log"
        with respool.cache(source(), schema=SCHEMA, path=path) as cache:
            cache.ingest_all()
        child = subprocess.Popen(
            [sys.executable, __file__, "serve", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            ours, bare = child.stdout.readline().split()
            with flight.connect(ours) as client:
                info = client.get_flight_info(flight.FlightDescriptor.for_path("log"))
            tickets = [endpoint.ticket for endpoint in info.endpoints]
            seconds = rounds(
                {
                    f"{name}, {clients} client{'s'[: clients > 1]}": partial(
                        together, task, clients
                    )
                    for clients in (1, 4)
                    for name, task in (
                        ("ours", partial(drained, ours, tickets)),
                        ("pyarrow's bare server", partial(drained, bare, [flight.Ticket(b"")])),
                        ("respool.flight.open", partial(kept, ours)),
                    )
                }
            )
            child.stdin.close()
    # Nine tenths of the speed.
    table(
        f"Flight on the loopback: {TOTAL // MIB} MiB in batches of 2 MiB",
        seconds,
        [
            Claim("ours, 1 client", "pyarrow's bare server, 1 client", 1.11),
            Claim("ours, 4 clients", "pyarrow's bare server, 4 clients", 1.11),
            Claim("respool.flight.open, 1 client", "pyarrow's bare server, 1 client"),
            Claim("respool.flight.open, 4 clients", "pyarrow's bare server, 4 clients"),
        ],
    )
    for name, times in seconds.items():
        speed = (4 if "4" in name else 1) * TOTAL / min(times) / (1 << 30)
        wanted = f"{WANTED_GIB} GiB/s wanted: {'ok' if speed >= WANTED_GIB else 'UNDER'}"
        print(f"{name:<34}{speed:>6.2f} GiB/s  {wanted if name.startswith('ours') else ''}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]))
    else:
        main()
