"""Servers that take a call and say nothing: what a client that waits for one can still do, and what it leaves."""

import signal
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import flight

import flying
import processes
import respool
import respool.flight
from respool._flight import fetch
from respool._flight.reading import Reading
from sources import SCHEMA, Source

OPENS = """
import socket, sys
import respool, respool.flight
with socket.create_server(("127.0.0.1", 0)) as listens:
    print("opening", flush=True)
    try:
        respool.flight.open(f"grpc://127.0.0.1:{listens.getsockname()[1]}")
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_ctrl_c_ends_an_open_and_the_program_ends_then():
    child = processes.start(OPENS)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "opening")
        time.sleep(0.3)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        processes.wait_for_line(child, "interrupted")
        assert time.monotonic() - began < 1
        assert child.wait(3) == 0, child.stderr.read()


READS = """
import sys
import respool, respool.flight
there = respool.flight.open(sys.argv[1], prefetch=None)
print("reading", flush=True)
try:
    there.batch(0)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


class Hangs(flight.FlightServerBase):
    """Tells what there is, and gives nothing of it."""

    def __init__(self, inner):
        super().__init__("grpc://127.0.0.1:0")
        self.inner, self.let_go, self.calls = flight.connect(inner), threading.Event(), 0

    def get_flight_info(self, context, descriptor):
        return self.inner.get_flight_info(descriptor)

    def do_get(self, context, ticket):
        self.calls += 1
        self.let_go.wait(20)
        raise flight.FlightUnavailableError("it comes no more")


@pytest.fixture
def hangs():
    with (
        respool.cache(Source(), schema=SCHEMA) as cache,
        flying.served(cache) as server,
        Hangs(server.uri) as proxy,
    ):
        yield proxy
        proxy.let_go.set()
        flying.until(lambda: readers() == 0)


def readers():
    return sum(thread.name == "respool-flight-read" for thread in threading.enumerate())


def test_a_server_that_answers_nothing_holds_two_threads_however_often_it_is_asked(
    hangs, monkeypatch
):
    monkeypatch.setattr(fetch, "SILENCE", 0.1)
    with respool.flight.open(f"grpc://127.0.0.1:{hangs.port}", retry=2, prefetch=None) as there:
        began = time.monotonic()
        with pytest.raises(ConnectionError, match="it said nothing"):
            there.batch(0)
        assert time.monotonic() - began < 8
    assert hangs.calls == readers() == 2


def test_a_server_that_answers_nothing_holds_a_thread_no_longer_than_a_stream_may_take(
    hangs, monkeypatch
):
    monkeypatch.setattr(fetch, "SILENCE", 0.1)
    monkeypatch.setattr(fetch, "_STREAM", 0.5)
    with respool.flight.open(f"grpc://127.0.0.1:{hangs.port}", retry=0.3, prefetch=None) as there:
        with pytest.raises(ConnectionError):
            there.batch(0)
        flying.until(lambda: readers() == 0, 5)


def test_a_stream_that_takes_longer_than_it_may_goes_on_in_another(monkeypatch):
    monkeypatch.setattr(fetch, "_STREAM", 0.2)
    streams = []
    monkeypatch.setattr(
        fetch, "Reading", lambda *given: streams.append(Reading(*given)) or streams[-1]
    )
    rows = 1 << 16
    schema = pa.schema({"n": pa.int64()})
    parts = (
        pa.record_batch([np.arange(i * rows, (i + 1) * rows)], schema=schema) for i in range(80)
    )
    with respool.cache(parts, schema=schema) as cache, flying.served(cache) as server:
        cache.ingest_all()
        # Nothing failed, so nothing is tried again.
        with respool.flight.open(server.uri, prefetch=None, retry=0) as there:
            got = []
            for i, batch in enumerate(there):
                got.append(batch)
                if i == 20:
                    time.sleep(0.3)
        assert pa.Table.from_batches(got).equals(pa.table(cache))
        assert len(streams) > 1


def test_ctrl_c_ends_a_read_of_a_server_that_answers_nothing(hangs):
    child = processes.start(READS, f"grpc://127.0.0.1:{hangs.port}")
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "reading")
        flying.until(lambda: hangs.calls == 1)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        processes.wait_for_line(child, "interrupted")
        assert time.monotonic() - began < 1
