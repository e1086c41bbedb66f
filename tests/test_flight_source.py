"""One source, read once, for clients that follow it; and how its end reaches each of them."""

import json
import logging
import os
import threading
import time
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import flight

import flying
import processes
import respool
import respool.flight
from respool._flight.pull import Pull
from respool._flight.served import Served
from respool._flight.tickets import Shown, Ticket
from respool.exceptions import IncompleteStreamError, MemoryCapacityError
from sources import ROWS, SCHEMA, Source, SourceBrokeError, batch, expected

CLIENTS = 8
TOKEN = "a-token-of-the-tests"  # noqa: S105


def clients(uri, task, count=CLIENTS):
    def one():
        with respool.flight.open(uri) as there:
            return task(there)

    return processes.in_threads(*[one] * count, timeout=40)


def test_eight_clients_over_a_source_that_is_filling(long):
    source = Source(400 if long else 60, pause=0.002)
    with respool.cache(source, schema=SCHEMA) as cache, flying.served(cache) as server:
        tables = clients(server.uri, pa.table)
        assert source.pulls == source.batches + 1
    wanted = expected(source.batches)
    assert [table.equals(wanted) for table in tables] == [True] * CLIENTS


def test_a_client_gets_a_batch_as_soon_as_it_is_there():
    source = Source(3, stall_at=2, stall=10)
    with respool.cache(source, schema=SCHEMA) as cache, flying.served(cache) as server:
        assert source.pulls == 0
        with respool.flight.open(server.uri, prefetch=None) as there:
            assert source.pulls == 0
            began = time.monotonic()
            assert there.batch(1).equals(batch(1))
            assert time.monotonic() - began < 5
            assert source.stalling.wait(5) or source.pulls == 2
            source.released.set()
            assert pa.table(there).equals(expected(3))


def test_a_ticket_far_behind_what_there_is_pulls_the_source_no_longer_than_it_is_asked_for():
    source = Source(100_000, pause=0.001)
    with respool.cache(source, schema=SCHEMA) as cache, flying.served(cache) as server:
        far = {**json.loads(flying.ticket(server.uri)), "first": 1 << 40}
        with flight.connect(server.uri) as client:
            reader = client.do_get(flight.Ticket(json.dumps(far)))
            reader.read_chunk()
            flying.until(lambda: source.pulls > 3)
            reader.cancel()
            flying.until(lambda: server.streams == 0)
        time.sleep(0.1)
        pulls = source.pulls
        time.sleep(0.1)
        assert source.pulls == pulls


MATCHES = pa.schema({"n": pa.int64()})


def matches(released):
    """One row that passes, one that does not, and another one that does once it is released."""
    yield pa.record_batch([[1]], schema=MATCHES)
    yield pa.record_batch([[0]], schema=MATCHES)
    released.append(released[0].wait(5))
    yield pa.record_batch([[1]], schema=MATCHES)


def test_a_filtered_view_gives_what_passes_before_the_next_that_does():
    released = [threading.Event()]
    with respool.cache(matches(released), schema=MATCHES) as cache:
        cache.batch(1)
        with (
            flying.served(cache.filter([("n", "=", 1)])) as server,
            respool.flight.open(server.uri, prefetch=None) as there,
        ):
            assert there.batch(0).num_rows == 1
            released[0].set()
            assert pa.table(there).num_rows == 2
    assert released[1:] == [True]


def test_who_goes_while_nothing_passes_a_filtered_view_holds_no_place():
    released = [threading.Event()]
    with respool.cache(matches(released), schema=MATCHES) as cache:
        cache.batch(1)
        with flying.served(cache.filter([("n", "=", 1)])) as server:
            whole = {**json.loads(flying.ticket(server.uri)), "first": 0}
            with flight.connect(server.uri) as client:
                stream = client.do_get(flight.Ticket(json.dumps(whole)))
                stream.read_chunk()
                flying.until(lambda: server.streams == 1)
                stream.cancel()
            flying.until(lambda: server.streams == 0)
            released[0].set()
            cache.ingest_all()
    assert released[1:] == [True]


@pytest.mark.parametrize("rows", [0, ROWS])
def test_a_slice_that_is_whole_before_its_source_has_come_on(rows):
    with respool.cache(Source(), schema=SCHEMA) as cache:
        if rows:
            cache.batch(0)
        first = cache.slice(0, rows)
        with flying.served(first) as server, respool.flight.open(server.uri) as there:
            cache.ingest_all()
            assert pa.table(there).equals(pa.table(first))


def test_a_stream_without_news_is_asked_for_again(monkeypatch):
    source = Source(3, stall_at=1, stall=20)
    with respool.cache(source, schema=SCHEMA) as cache, flying.served(cache) as server:
        object.__setattr__(server._service._limits, "wait", 0.2)
        given = flying.ticket(server.uri)
        with flight.connect(server.uri) as client:
            chunks = [chunk.app_metadata for chunk in client.do_get(flight.Ticket(given))]
        assert b'"how":"wait"' in chunks[-1].to_pybytes()
        with respool.flight.open(server.uri) as there:
            reading = processes.in_threads(
                partial(pa.table, there), lambda: (time.sleep(1), source.released.set())
            )
            assert reading[0].equals(expected(3))


ERRORS = {
    "of Python": (ValueError("not so"), ValueError, "not so"),
    "with one text": (KeyError("a key"), KeyError, "a key"),
    "of the system": (ConnectionResetError(104, "gone"), ConnectionResetError, "gone"),
    "of pyarrow": (pa.ArrowInvalid("no such thing"), pa.ArrowInvalid, "no such thing"),
    "of somebody": (
        SourceBrokeError("no batch"),
        IncompleteStreamError,
        "SourceBrokeError: no batch",
    ),
    "that ends programs": (SystemExit(3), IncompleteStreamError, "3"),
    "that takes more": (
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        IncompleteStreamError,
        "UnicodeDecodeError",
    ),
    "that is long": (ValueError("é" * 100_000), ValueError, "é" * 100),
}


@pytest.mark.parametrize("name", ERRORS)
def test_the_error_of_the_source_comes_to_every_client_after_the_good_batches(name):
    error, kind, text = ERRORS[name]
    source = Source(10, fail_at=4, error=error)
    with respool.cache(source, schema=SCHEMA) as cache, flying.served(cache) as server:
        ended = clients(server.uri, flying.batches_of, 3)
        again = clients(server.uri, flying.batches_of, 1)
    for batches, raised in [*ended, *again]:
        assert pa.Table.from_batches(batches).equals(expected(4))
        assert type(raised) is kind
        assert text in str(raised)
        if kind is IncompleteStreamError:
            assert (raised.batches, raised.rows) == (4, 400)


@pytest.mark.parametrize("name", ["all", "view"])
def test_pyarrows_own_client_gets_an_error_too(name):
    source = Source(10, fail_at=4)
    with respool.cache(source, schema=SCHEMA) as cache:
        view = cache if name == "all" else cache.filter([("n", ">", 150)])
        with flying.served(view) as server, pytest.raises(flight.FlightServerError) as caught:
            flying.plain(server.uri)
    assert "after 4 batches (400 rows) the source failed: SourceBrokeError" in str(caught.value)


def test_a_view_gives_its_good_batches_before_the_error():
    source = Source(10, fail_at=4)
    with (
        respool.cache(source, schema=SCHEMA) as cache,
        flying.served(cache.filter([("n", ">", 150)])) as server,
    ):
        ((batches, error),) = clients(server.uri, flying.batches_of, 1)
    assert pa.Table.from_batches(batches)["n"].to_pylist() == list(range(151, 400))
    assert isinstance(error, IncompleteStreamError)


def test_a_log_that_its_writer_left_is_not_whole_there_either(log_dir):
    cache = respool.cache(Source(), schema=SCHEMA, path=log_dir / "log")
    cache.batch(2)
    cache.close()
    with respool.flight.serve(log_dir / "log") as server:
        ((batches, error),) = clients(server.uri, flying.batches_of, 1)
        assert len(batches) == 3
        assert type(error) is IncompleteStreamError
        assert (error.batches, error.rows) == (3, 300)
        assert str(log_dir) not in str(error)
        # Somebody goes on with it.
        with respool.resume(log_dir / "log", Source(), schema=SCHEMA) as again:
            again.ingest_all()
        assert clients(server.uri, pa.table, 1)[0].equals(expected(5))


def test_a_log_that_another_process_fills_is_followed(log_dir):
    code = """
import sys
import respool
from sources import SCHEMA, Source
cache = respool.cache(Source(20, pause=0.01), schema=SCHEMA, path=sys.argv[1])
cache.batch(0)
print("begun", flush=True)
cache.ingest_all()
"""
    child = processes.start(code, log_dir / "log")
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        with respool.flight.serve(log_dir / "log") as server:
            tables = clients(server.uri, pa.table, 2)
    assert [table.equals(expected(20)) for table in tables] == [True, True]


def test_what_the_server_cannot_store_is_an_error_there_and_comes_after_a_resize():
    source = Source(4)
    with (
        respool.cache(source, schema=SCHEMA, memory=5000, disk=None) as cache,
        flying.served(cache) as server,
    ):
        ((batches, error),) = clients(server.uri, flying.batches_of, 1)
        assert len(batches) < 4
        assert isinstance(error, MemoryCapacityError)
        cache.resize(memory="1 MiB")
        assert clients(server.uri, pa.table, 1)[0].equals(expected(4))
    assert source.pulls == 5


@pytest.fixture
def logged():
    """What the server wrote to its log. In a list of its own: that of caplog is another one in each phase of a test."""
    records = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append
    logging.getLogger("respool.flight").addHandler(handler)
    yield records
    logging.getLogger("respool.flight").removeHandler(handler)


@pytest.mark.parametrize("what", ["cache", "view", "filtered"])
def test_a_cache_that_is_closed_while_it_is_served_is_an_error_there_and_nothing_more(what, logged):
    cache = respool.cache(Source(), schema=SCHEMA)
    view = {
        "cache": cache,
        "view": cache.select("n"),
        "filtered": cache.filter([("n", ">=", 0)]),
    }[what]
    with flying.served(view) as server, respool.flight.open(server.uri, prefetch=None) as there:
        # Asked for while it grows: the end is what the server will say it is.
        cache.ingest_all()
        cache.close()
        batches, error = flying.batches_of(there)
        assert type(error) is IncompleteStreamError
        assert "the cache 'it' was closed" in str(error)
        assert batches == []
        with pytest.raises(ValueError, match="the cache 'it' was closed"):
            respool.flight.open(server.uri)
        given = Ticket(Served("it", view, is_ours=False).identity, 0, None, Shown())
        assert "was closed" in str(flying.asked(server.uri, given.encode()))
    assert logged == []


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_a_cache_that_is_closed_while_a_client_waits_for_its_source(seconds, logged):
    source = Source(3, stall_at=1, stall=30)
    cache = respool.cache(source, schema=SCHEMA)
    with flying.served(cache) as server, respool.flight.open(server.uri) as there:

        def close() -> None:
            assert source.stalling.wait(10)
            time.sleep(seconds)
            cache.close()

        began = time.monotonic()
        (batches, error), _ = processes.in_threads(partial(flying.batches_of, there), close)
        assert time.monotonic() - began < 10
        source.released.set()
    assert type(error) is IncompleteStreamError
    assert "the cache 'it' was closed" in str(error)
    assert len(batches) == 1
    assert logged == []


def test_names_are_listed_without_what_was_closed(logged):
    one, other = (respool.cache(Source().reader()) for _ in range(2))
    with respool.flight.serve({"one": one, "other": other}, token=TOKEN) as server:
        one.close()
        options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {TOKEN}".encode())])
        with flight.connect(server.uri) as client:
            (info,) = client.list_flights(options=options)
        assert info.descriptor.path == [b"other"]
    other.close()
    assert logged == []


def test_a_server_that_closes_its_log_in_the_middle_of_a_stream_is_one_that_comes_again(
    log_dir, logged
):
    path = log_dir / "log"
    # More than what lies on the way to a client that does not read.
    parts = (pa.record_batch([np.arange(1 << 16) + i], ["n"]) for i in range(60))
    with respool.cache(parts, schema=pa.schema({"n": pa.int64()}), path=path) as cache:
        cache.ingest_all()
        whole = pa.table(cache)
    server = respool.flight.serve(path)
    there = respool.flight.open(server.uri, prefetch=None)
    there.batch(0)

    def restart() -> respool.flight.Server:
        server.close()
        return respool.flight.serve(path, server.uri)

    (batches, error), again = processes.in_threads(partial(flying.batches_of, there), restart)
    again.close()
    there.close()
    assert error is None
    assert pa.Table.from_batches(batches).equals(whole)
    assert logged == []


def test_closing_a_cache_there_ends_what_it_waits_for():
    source = Source(3, stall_at=1, stall=30)
    with respool.cache(source, schema=SCHEMA) as cache, flying.served(cache) as server:
        there = respool.flight.open(server.uri)
        waiting = processes.in_threads(
            lambda: there.batch(2), lambda: (source.stalling.wait(10), there.close())
        )
        assert isinstance(waiting[0], ValueError)
        flying.until(lambda: server.streams == 0)
        source.released.set()


def test_closing_the_server_ends_its_streams_and_leaves_caches_open():
    source = Source(3, stall_at=1, stall=30)
    with respool.cache(source, schema=SCHEMA) as cache:
        server = flying.served(cache)
        there = respool.flight.open(server.uri, retry=0.5)
        began = time.monotonic()
        got = processes.in_threads(
            partial(flying.batches_of, there), lambda: (source.stalling.wait(10), server.close())
        )
        assert time.monotonic() - began < 10
        batches, error = got[0]
        assert len(batches) == 1
        assert isinstance(error, ConnectionError)
        assert server.closed
        assert server.wait(0)
        source.released.set()
        assert pa.table(cache).equals(expected(3))
    server.close()


def test_a_forked_child_leaves_the_server_and_its_clients_alone():
    source = Source()
    with respool.cache(source, schema=SCHEMA) as cache, flying.served(cache) as server:
        there = respool.flight.open(server.uri)
        there.batch(0)
        child = os.fork()
        if child == 0:
            # Its end runs as that of any program.
            try:
                server.close()
                del there
            finally:
                os._exit(7 if server.closed else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert pa.table(there).equals(expected(5))
        there.close()


@pytest.fixture
def long(request):
    return request.config.getoption("--long")


def test_who_waits_next_tries_again_where_no_thread_could_be_had(monkeypatch):
    cache = respool.cache(Source(2).reader())
    pull = Pull(cache)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pull.wait_for(0, 1)
    deadline = time.monotonic() + 20
    while not cache.ingested_count and time.monotonic() < deadline:
        pull.wait_for(0, 1)
    assert cache.ingested_count >= 1
    pull.stop()


def test_who_reads_elsewhere_is_told_where_the_source_failed():
    """Its traceback ends in the client: the code that raised it is on another machine."""
    with (
        respool.cache(Source(5, fail_at=2, error=ValueError("a bad row")), schema=SCHEMA) as cache,
        flying.served(cache) as server,
        respool.flight.open(server.uri) as there,
    ):
        for _ in range(2):
            with pytest.raises(ValueError, match="a bad row") as caught:
                there.to_arrow()
        place = f"The source raised it on the server at {server.uri}, after 2 batches (200 rows)."
        assert caught.value.__notes__ == [place]


@pytest.mark.parametrize("name", ["cast", "slice"])
def test_what_a_view_cannot_do_is_not_the_error_of_a_source_that_failed_later(name, logged):
    source = Source(5, fail_at=4, error=ValueError("a bad row"))
    with respool.cache(source, schema=SCHEMA) as cache:
        with pytest.raises(ValueError, match="a bad row"):
            cache.ingest_all()
        small = cache.cast(pa.schema([("n", pa.int8()), *list(SCHEMA)[1:]]))
        bad, good = (small, cache) if name == "cast" else (small.slice(50), cache.slice(50))
        for view, text in (bad, "could not do that"), (good, "a bad row"):
            with flying.served(view) as server:
                ((_, error),) = clients(server.uri, flying.batches_of, 1)
            assert text in str(error)
    assert "Int8" in str(logged[0].exc_info[1])
