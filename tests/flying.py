"""Servers of Flight that tests start here or in a child, and what plain clients of pyarrow see of them."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import flight

import processes
import respool
import respool.flight

SERVE = """
import sys
import respool.flight
server = respool.flight.serve(sys.argv[1], sys.argv[2])
print(server.uri, flush=True)
server.wait()
"""


def served(view: object, name: str = "it", **options: object) -> respool.flight.Server:
    return respool.flight.serve({name: view}, **options)


@contextmanager
def child(
    path: Path, location: str = "grpc://127.0.0.1:0"
) -> Iterator[tuple[subprocess.Popen, str]]:
    """A server of a log in another process, and its address."""
    process = processes.start(SERVE, path, location)
    with processes.killed_at_the_end(process):
        uri = process.stdout.readline().strip()
        assert uri, process.stderr.read()
        yield process, uri


def plain(uri: str, name: str = "it") -> list[pa.RecordBatch]:
    """What pyarrow's own client gets, without what is no data: batches of no rows may be."""
    with flight.connect(uri) as client:
        info = client.get_flight_info(flight.FlightDescriptor.for_path(name))
        chunks = [chunk for end in info.endpoints for chunk in client.do_get(end.ticket)]
    return [chunk.data for chunk in chunks if chunk.app_metadata is None and chunk.data.num_rows]


def ticket(uri: str, name: str = "it") -> bytes:
    with flight.connect(uri) as client:
        info = client.get_flight_info(flight.FlightDescriptor.for_path(name))
    return info.endpoints[-1].ticket.ticket


def asked(uri: str, given: bytes, **options: object) -> flight.FlightError:
    """The error that a ticket gets."""
    with flight.connect(uri) as client, pytest.raises(flight.FlightError) as caught:
        client.do_get(flight.Ticket(given), **options).read_all()
    return caught.value


def until(condition: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def batches_of(cache: respool.StreamCache) -> tuple[list[pa.RecordBatch], BaseException | None]:
    """What there is, and how it ended."""
    found: list[pa.RecordBatch] = []
    try:
        found.extend(cache)
    except BaseException as error:
        return list(cache.prefix()), error
    return found, None
