"""Servers that go away: killed, started again, replaced; and clients that do."""

import datetime as dt
import gc
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import flight

import flying
import processes
import respool
import respool.flight
from respool._flight import marks, served
from respool.exceptions import IncompleteStreamError
from sources import SCHEMA, Source, batch, expected

ROWS = 1 << 16
BIG = pa.schema({"n": pa.int64()})


def big(i):
    return pa.record_batch([np.arange(i * ROWS, (i + 1) * ROWS)], schema=BIG)


def kept(directory, batches=40):
    """A log of more than what lies on the way to a client that does not read."""
    path = directory / "log"
    with respool.cache(map(big, range(batches)), schema=BIG, path=path) as cache:
        cache.ingest_all()
    return path


def all_of(batches):
    return pa.Table.from_batches([big(i) for i in range(batches)], BIG)


def port_of(uri):
    return f"grpc://127.0.0.1:{urlsplit(uri).port}"


def test_a_server_that_is_killed_and_started_again_costs_no_row_and_gives_none_twice(
    log_dir, request
):
    times = 20 if request.config.getoption("--long") else 1
    path = kept(log_dir, 60)
    with flying.child(path) as (first, uri):
        there = respool.flight.open(uri, prefetch=None)
        reader = there.reader()
        got = [next(reader) for _ in range(5)]
        first.send_signal(signal.SIGKILL)
        first.wait()
    for _ in range(times - 1):
        with flying.child(path, port_of(uri)) as (server, _):
            got += [next(reader) for _ in range(2)]
            server.kill()
    with flying.child(path, port_of(uri)):
        got += list(reader)
    assert pa.Table.from_batches(got).equals(all_of(60))
    there.close()


def test_a_server_that_does_not_come_back_is_an_error_with_what_there_was(log_dir):
    path = kept(log_dir)
    with flying.child(path) as (server, uri):
        there = respool.flight.open(uri, prefetch=None, retry=0.3)
        there.batch(2)
        server.kill()
        server.wait()
        batches, error = flying.batches_of(there)
    assert 3 <= len(batches) < 40
    assert pa.Table.from_batches(batches).equals(all_of(len(batches)))
    assert isinstance(error, ConnectionError)
    with pytest.raises(ConnectionError, match="could not be reached"):
        respool.flight.open(uri, retry=0.1)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "127.0.0.1:1", "localhost", ""])
def test_what_is_no_location_is_refused_at_once(uri):
    start = time.monotonic()
    with pytest.raises(ValueError, match="a server's uri is grpc://HOST:PORT"):
        respool.flight.open(uri)
    assert time.monotonic() - start < 5


def test_retry_is_a_span_of_time_as_every_timeout():
    nobody = "grpc://127.0.0.1:1"
    with pytest.raises(ConnectionError, match=r"could not be reached for 0\.1 s"):
        respool.flight.open(nobody, retry=dt.timedelta(milliseconds=100))
    with pytest.raises(ValueError, match="retry is a number of seconds from 0 on, not -1"):
        respool.flight.open(nobody, retry=-1)
    with pytest.raises(TypeError, match=r"retry is a number of seconds or a datetime\.timedelta"):
        respool.flight.open(nobody, retry="1 min")


def test_another_log_in_its_place_is_refused(log_dir):
    path = kept(log_dir)
    with flying.child(path) as (first, uri):
        there = respool.flight.open(uri, prefetch=None)
        there.batch(2)
        first.kill()
    path.rename(log_dir / "old")
    with respool.cache(map(big, range(40)), schema=BIG, path=path) as other:
        other.ingest_all()
    with flying.child(path, port_of(uri)):
        batches, error = flying.batches_of(there)
    assert 3 <= len(batches) < 40
    assert type(error) is IncompleteStreamError
    assert "no such log" in str(error)


@pytest.mark.parametrize("place", ["memory", "log"])
@pytest.mark.parametrize("what", ["cache", "view"])
def test_what_is_served_again_in_this_process_is_the_same(what, place, log_dir):
    path = log_dir / "log" if place == "log" else None
    with respool.cache(map(big, range(40)), schema=BIG, path=path) as cache:

        def shown() -> object:
            # A view is made anew: what it shows is what it is.
            return cache if what == "cache" else cache.filter([("n", ">=", ROWS)])

        with flying.served(shown()) as server:
            there = respool.flight.open(server.uri, prefetch=None)
            there.batch(2)
        with flying.served(shown(), location=port_of(server.uri)):
            batches, error = flying.batches_of(there)
        there.close()
        assert error is None
        assert pa.Table.from_batches(batches).equals(pa.table(shown()))


def test_caches_and_views_have_identities_of_their_own():
    def identity(view: object) -> str:
        return served.Served("it", view, is_ours=False).identity

    one, other = (respool.cache(map(big, range(2)), schema=BIG) for _ in range(2))
    views = [
        view
        for cache in (one, other)
        for view in (cache, cache.select("n"), cache.filter([("n", ">", 1)]), cache.slice(1))
    ]
    assert len({identity(view) for view in views}) == len(views)
    assert [identity(view) for view in views] == [identity(view) for view in views]
    gc.collect()
    identity(other)
    kept = len(served._CHANCE)
    del one, views
    gc.collect()
    identity(other)
    assert len(served._CHANCE) == kept - 1


def test_a_cache_that_was_served_calls_nothing_where_it_goes_in_which_ctrl_c_would_be_lost():
    cache = respool.cache(map(big, range(2)), schema=BIG)
    served.Served("it", cache, is_ours=False)
    called = []
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code) if event == "call" else None)
    try:
        del cache
    finally:
        sys.setprofile(None)
    assert called == []


class Breaks(flight.FlightServerBase):
    """Gives a part of what it is asked for, and ends as if that were all."""

    def __init__(self, how, inner):
        super().__init__("grpc://127.0.0.1:0")
        self.how, self.inner, self.calls = how, flight.connect(inner), 0

    def get_flight_info(self, context, descriptor):
        return self.inner.get_flight_info(descriptor)

    def do_get(self, context, ticket):
        self.calls += 1
        return flight.GeneratorStream(SCHEMA, self.parts(list(self.inner.do_get(ticket))))

    def parts(self, chunks):
        if self.calls <= 3:
            chunks = {
                "without an end": chunks[:-1],
                "without marks": [chunk for chunk in chunks if chunk.app_metadata is None],
                "with a hole": [*chunks[:2], *chunks[3:]],
                "with one twice": [*chunks[:2], *chunks[1:]],
                "with nothing": [],
                "after one": chunks[:2],
                "with an error": chunks[:3],
                "ever earlier": chunks[: 6 - self.calls],
            }[self.how]
        for chunk in chunks:
            if chunk.app_metadata is None:
                yield chunk.data
            else:
                yield marks.empty(SCHEMA), chunk.app_metadata.to_pybytes()
        if self.calls <= 3 and self.how in ("with an error", "ever earlier"):
            raise flight.FlightUnavailableError("the wire was cut")


@pytest.mark.parametrize(
    "how",
    [
        "without an end",
        "without marks",
        "with nothing",
        "after one",
        "with an error",
        "ever earlier",
    ],
)
def test_a_stream_that_is_cut_short_never_looks_whole(how):
    with respool.cache(Source(), schema=SCHEMA) as cache, flying.served(cache) as server:
        cache.ingest_all()
        with Breaks(how, server.uri) as proxy:
            uri = f"grpc://127.0.0.1:{proxy.port}"
            with respool.flight.open(uri) as there:
                assert [one["n"][0].as_py() for one in there] == [0, 100, 200, 300, 400]
                assert pa.table(there).equals(expected(5))
            assert proxy.calls == 4


@pytest.mark.parametrize("how", ["with a hole", "with one twice"])
def test_a_stream_that_is_not_what_its_marks_say_is_an_error(how):
    with respool.cache(Source(), schema=SCHEMA) as cache, flying.served(cache) as server:
        cache.ingest_all()
        with (
            Breaks(how, server.uri) as proxy,
            respool.flight.open(f"grpc://127.0.0.1:{proxy.port}") as there,
        ):
            _, error = flying.batches_of(there)
    assert type(error) is IncompleteStreamError


def test_a_server_of_something_else_is_no_server_of_ours():
    class Other(flight.FlightServerBase):
        def get_flight_info(self, context, descriptor):
            return flight.FlightInfo(SCHEMA, descriptor, [], -1, -1)

    with (
        Other("grpc://127.0.0.1:0") as other,
        pytest.raises(ValueError, match="no server of respool"),
    ):
        respool.flight.open(f"grpc://127.0.0.1:{other.port}")


INTERRUPTED = """
import sys, threading, signal, os, time
import respool, respool.flight
there = respool.flight.open(sys.argv[1])
there.batch(0)
print("waiting", flush=True)
try:
    there.batch(1)
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.readline()
print(there.ingest_all(), flush=True)
"""


def test_ctrl_c_ends_a_read_and_not_the_cache():
    source = Source(3, stall_at=1, stall=40)
    with respool.cache(source, schema=SCHEMA) as cache, flying.served(cache) as server:
        child = processes.start(INTERRUPTED, server.uri, stdin=-1)
        with processes.killed_at_the_end(child):
            processes.wait_for_line(child, "waiting")
            assert source.stalling.wait(10)
            time.sleep(0.3)
            began = time.monotonic()
            child.send_signal(signal.SIGINT)
            processes.wait_for_line(child, "interrupted")
            assert time.monotonic() - began < 3
            source.released.set()
            child.stdin.write("\n")
            child.stdin.flush()
            processes.wait_for_line(child, "3")
            assert child.wait(10) == 0


ENDS = """
import sys
import respool, respool.flight
there = respool.flight.open(sys.argv[1])
there.batch(0)
print("waiting", flush=True)
"""


def test_a_program_ends_while_it_waits_for_a_server():
    source = Source(3, stall_at=1, stall=40)
    with respool.cache(source, schema=SCHEMA) as cache, flying.served(cache) as server:
        began = time.monotonic()
        assert processes.run(ENDS, server.uri, timeout=20).split() == ["waiting"]
        assert time.monotonic() - began < 15
        flying.until(lambda: server.streams == 0)
        source.released.set()


SERVES = """
import respool, respool.flight
from sources import SCHEMA, Source
source = Source(3, stall_at=1, stall=40)
cache = respool.cache(source, schema=SCHEMA)
server = respool.flight.serve({"it": cache})
print(server.uri, flush=True)
input()
"""


def test_a_program_ends_while_it_serves():
    child = processes.start(SERVES, stdin=-1)
    with processes.killed_at_the_end(child):
        uri = child.stdout.readline().strip()
        there = respool.flight.open(uri, retry=0.2)
        assert there.batch(0).equals(batch(0))
        child.stdin.write("\n")
        child.stdin.close()
        assert child.wait(20) == 0
        there.close()


def test_nothing_is_left_of_a_client_or_a_server_that_was_killed(log_dir, monkeypatch):
    path = kept(log_dir)
    before = sorted(path.iterdir())
    code = """
import sys
import respool, respool.flight
cache = respool.flight.open(sys.argv[1], memory=1, directory=sys.argv[2])
cache.batch(3)
print("read", flush=True)
input()
"""
    directory, temporary = log_dir / "client", log_dir / "tmp"
    for made in (directory, temporary):
        made.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with flying.child(path) as (server, uri):
        child = processes.start(code, uri, directory, stdin=-1)
        with processes.killed_at_the_end(child):
            processes.wait_for_line(child, "read")
            child.kill()
        child.wait()
        server.kill()
        server.wait()
    assert sorted(path.iterdir()) == before
    assert [*directory.iterdir(), *temporary.iterdir()] == []
    assert list(Path("/dev/shm").glob("*respool*")) == []  # noqa: S108 - looked at
