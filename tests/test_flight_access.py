"""Who gets in, what is refused, and that nobody takes more than he may."""

import json
import random
import re
import subprocess
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import flight

import flying
import processes
import respool
import respool.flight
from respool._flight import fetch
from respool._flight.tickets import MAX_BYTES
from sources import SCHEMA, Source, expected

TOKEN = "a-token-of-the-tests"  # noqa: S105
MIB = 1 << 20


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@pytest.fixture(scope="module")
def whole():
    with respool.cache(Source(), schema=SCHEMA) as cache:
        cache.ingest_all()
        yield cache


def headers(token: str) -> flight.FlightCallOptions:
    return flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {token}".encode())])


def test_a_token_is_asked_for_whatever_is_asked(whole):
    with flying.served(whole, token=TOKEN) as server:
        with respool.flight.open(server.uri, token=TOKEN) as there:
            assert pa.table(there).equals(expected(5))
        for never in ("", "another token of tests", TOKEN + "\n"):
            with pytest.raises(ValueError, match="a token has at least"):
                respool.flight.open(server.uri, token=never)
        for wrong in (None, "another-token-of-tests", TOKEN + "x", TOKEN[:-1]):
            with pytest.raises(PermissionError, match="does not let us in"):
                respool.flight.open(server.uri, token=wrong)
        descriptor = flight.FlightDescriptor.for_path("it")
        with flight.connect(server.uri) as client:

            def exchanged(options):
                writer, reader = client.do_exchange(descriptor, options)
                writer.done_writing()
                reader.read_all()

            given = client.get_flight_info(descriptor, headers(TOKEN)).endpoints[0].ticket
            calls = {
                "info": lambda options: client.get_flight_info(descriptor, options),
                "schema": lambda options: client.get_schema(descriptor, options),
                "get": lambda options: client.do_get(given, options).read_all(),
                "list": lambda options: list(client.list_flights(b"", options)),
                "action": lambda options: list(client.do_action("x", options)),
                "actions": lambda options: list(client.list_actions(options)),
                "put": lambda options: client.do_put(descriptor, SCHEMA, options)[0].close(),
                "exchange": exchanged,
            }
            twice = flight.FlightCallOptions(
                headers=[(b"authorization", f"Bearer {one}".encode()) for one in (TOKEN, "x")]
            )
            # pyarrow makes another class of it for the schema.
            refused = (flight.FlightUnauthenticatedError, OSError)
            for options in (flight.FlightCallOptions(), headers("wrong"), twice):
                for call in calls.values():
                    with pytest.raises(refused, match="token is missing or wrong"):
                        call(options)
            assert [one.descriptor.path for one in calls["list"](headers(TOKEN))] == [[b"it"]]
            assert calls["get"](headers(TOKEN)).num_rows == 500


def test_without_a_token_nothing_is_listed(whole):
    with (
        flying.served(whole) as server,
        flight.connect(server.uri) as client,
        pytest.raises(flight.FlightServerError, match="lists nothing"),
    ):
        list(client.list_flights())


def test_a_token_is_not_shown_with_how_a_server_is_reached():
    assert TOKEN not in repr(fetch.Server("grpc://127.0.0.1:1", TOKEN, None, 1.0))


def test_a_secret_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(ValueError, match="a token is an argument beside it") as caught:
        respool.flight.open(f"grpc://user:{TOKEN}@127.0.0.1:1", retry=0)
    assert TOKEN not in str(caught.value)


def test_tls(whole, certificate):
    cert, key = certificate
    with flying.served(whole, tls=(cert, key), token=TOKEN) as server:
        assert server.uri.startswith("grpc+tls://127.0.0.1:")
        for given in (cert, str(cert), cert.read_bytes(), cert.read_text()):
            with respool.flight.open(server.uri, token=TOKEN, tls_root_certs=given) as there:
                assert pa.table(there).equals(expected(5))


REFUSED = {
    "grpc://0.0.0.0:0": ({}, "without a token only this machine"),
    "grpc://example.org:0": ({}, "without a token only this machine"),
    "grpc://[::]:0": ({"token": TOKEN}, "for all to read"),
    "grpc://10.0.0.1:0": ({"token": TOKEN}, "for all to read"),
    "grpc+tls://127.0.0.1:0": ({}, "needs tls="),
    "grpc://127.0.0.1": ({}, "a location is"),
    "grpc://127.0.0.1:99999": ({}, "a location is"),
    "grpc+unix:///tmp/x": ({}, "a location is"),
    "http://127.0.0.1:0": ({}, "a location is"),
    "127.0.0.1:0": ({}, "a location is"),
    "grpc://127.0.0.1:1": ({"token": "short"}, "a token has at least"),
    "grpc://127.0.0.1:2": ({"token": "with a space in the token"}, "a token has at least"),
    "grpc://127.0.0.1:3": ({"token": "with an é in the token"}, "a token has at least"),
}


@pytest.mark.parametrize("location", REFUSED)
def test_addresses_that_others_reach_need_a_token_and_tls(whole, location):
    options, text = REFUSED[location]
    with pytest.raises(ValueError, match=text):
        flying.served(whole, location=location, **options)


def test_addresses_of_this_machine(whole):
    for location in ("grpc://localhost:0", "grpc://127.0.0.2:0", "grpc+tcp://127.0.0.1:0"):
        with (
            flying.served(whole, location=location) as server,
            respool.flight.open(server.uri) as there,
        ):
            assert there.ingest_all() == 5
    everywhere = "grpc://0.0.0.0:0"
    with (
        flying.served(whole, location=everywhere, token=TOKEN, tls=False) as server,
        respool.flight.open(server.uri, token=TOKEN) as there,
    ):
        assert there.ingest_all() == 5


def test_a_port_that_is_taken_is_an_error_of_the_system(whole):
    with flying.served(whole) as server, pytest.raises(OSError, match="cannot listen"):
        flying.served(whole, location=server.uri)


def test_a_ticket_of_another_log_is_refused(whole, log_dir):
    with respool.cache(Source(), schema=SCHEMA) as other, flying.served(other) as elsewhere:
        foreign = flying.ticket(elsewhere.uri)
    with flying.served(whole) as server:
        assert "has no such log" in str(flying.asked(server.uri, foreign))
        beyond = json.loads(flying.ticket(server.uri))
        beyond.update(first=6, last=None)
        assert "there is no batch 6" in str(flying.asked(server.uri, json.dumps(beyond).encode()))


def garbage(chance: random.Random, good: bytes) -> bytes:
    """What is nearly a ticket, or nothing like one."""
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    if kind == 1:
        changed = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed)
    if kind == 2:
        return good[: chance.randrange(len(good))]
    form = json.loads(good)
    values = (
        None,
        -1,
        1 << 80,
        1.5,
        True,
        "",
        "../../etc/passwd",
        "/etc/passwd",
        [],
        {},
        ["x"],
        [[["y"]]],
        "\0",
        "é" * 99,
    )
    if kind == 3:
        form[chance.choice(list(form))] = chance.choice(values)
    elif kind == 4:
        form["predicate"] = chance.choice(
            [["field", "q"], ["equal", ["field", "n"], ["is", ["int64", ["x"]]]], ["__import__", "os"],
             ["and", ["is", ["bool", [True]]]], ["is_in", ["field", "n"], ["string", ["a"]], True],
             ["equal", ["field", "s"], ["is", ["int64", [1]]]], ["is", ["int64", [1 << 70]]],
             eval("[" * 50 + "]" * 50)]  # noqa: S307 - brackets
        )  # fmt: skip
    else:
        return b"[" * chance.randrange(100_000)
    return json.dumps(form).encode()


LEAKS = re.compile(r"/(?:work|tmp|var|home|usr|root|etc)/|\.py\b|\.rs\b|site-packages")


def refusal_of(client: flight.FlightClient, i: int, given: bytes) -> pa.ArrowException | None:
    """Ask for it in one of many ways."""
    descriptor = flight.FlightDescriptor.for_command(given)
    by_name = flight.FlightDescriptor.for_path(given[:99])
    calls = (
        lambda: client.do_get(flight.Ticket(given)).read_all(),
        lambda: client.get_flight_info(descriptor),
        lambda: client.get_flight_info(by_name),
        lambda: list(client.do_action(flight.Action(given[:20].hex(), given))),
        lambda: client.get_schema(descriptor),
        lambda: client.do_put(descriptor, SCHEMA)[0].close(),  # noqa: PLW0108 - asks first
    )
    try:
        calls[i % 3 and i % len(calls)]()
    except pa.ArrowException as error:
        return error
    return None


@pytest.mark.timeout(300)
def test_random_tickets_and_actions_are_refused_and_tell_nothing(log_dir, request):
    times = 10_000 if request.config.getoption("--long") else 500
    chance = random.Random(0)  # noqa: S311 - the same ones each time
    with respool.cache(Source(), schema=SCHEMA, path=log_dir / "log") as cache:
        cache.ingest_all()
        with flying.served(cache) as server, flight.connect(server.uri) as client:
            good = flying.ticket(server.uri)
            refused = 0
            for i in range(times):
                error = refusal_of(client, i, garbage(chance, good))
                refused += error is not None
                assert not LEAKS.search(str(error)), str(error)
                assert str(log_dir) not in str(error)
            # A few of the nearly good ones are good.
            assert refused > times * 0.9
            with respool.flight.open(server.uri) as there:
                assert pa.table(there).equals(expected(5))
            flying.until(lambda: server.streams == 0)


def test_what_is_no_ticket_is_refused_in_our_words(whole):
    with flying.served(whole) as server:
        good = json.loads(flying.ticket(server.uri))
        for given, text in (
            (b"", "none of respool"),
            (b"{}", "none of respool"),
            (b"\x80\x04.", "none of respool"),
            (b" " * (MAX_BYTES + 1), "more than 65536 bytes"),
            ({**good, "more": 1}, "none of respool"),
            ({**good, "identity": "x"}, "32 hexadecimal digits"),
            ({**good, "first": -1}, "numbered from 0"),
            ({**good, "first": 3, "last": 2}, "ends before it begins"),
            ({**good, "columns": ["q"]}, "no column"),
            ({**good, "columns": [{}]}, "names and numbers"),
            ({**good, "predicate": ["eval", "1"]}, "none that is known"),
        ):
            encoded = given if isinstance(given, bytes) else json.dumps(given).encode()
            error = flying.asked(server.uri, encoded)
            assert text in str(error)
            assert isinstance(error, flight.FlightServerError)


def test_damage_is_told_without_a_path(log_dir):
    with respool.cache(Source(), schema=SCHEMA, path=log_dir / "log") as cache:
        cache.ingest_all()
    (segment,) = (log_dir / "log").glob("*.arrow")
    with segment.open("r+b") as file:
        file.seek(2000)
        file.write(bytes(range(256)) * 10)
    with respool.flight.serve(log_dir / "log") as server, respool.flight.open(server.uri) as there:
        _, error = flying.batches_of(there)
    assert type(error) is respool.exceptions.CorruptLogError
    assert "damaged" in str(error)
    assert str(log_dir) not in str(error)
    assert segment.name not in str(error)


def test_a_missing_segment_is_told_without_a_path(log_dir):
    with respool.cache(Source(), schema=SCHEMA, path=log_dir / "log") as cache:
        cache.ingest_all()
    (segment,) = (log_dir / "log").glob("*.arrow")
    segment.unlink()
    with (
        respool.flight.serve(log_dir / "log") as server,
        pytest.raises((ValueError, OSError)) as caught,
    ):
        respool.flight.open(server.uri, retry=0.1).ingest_all()
    assert str(log_dir) not in str(caught.value)
    assert segment.name not in str(caught.value)


def test_so_many_streams_at_once(whole):
    source = Source(3, stall_at=1, stall=30)
    with (
        respool.cache(source, schema=SCHEMA) as cache,
        flying.served(cache, max_streams=2) as server,
    ):
        first, second = (respool.flight.open(server.uri) for _ in range(2))
        for there in (first, second):
            there.batch(0)
        assert server.streams == 2
        given = flying.ticket(server.uri)
        assert "all 2 places" in str(flying.asked(server.uri, given))
        with respool.flight.open(server.uri) as third:
            waiting = threading.Thread(target=third.ingest_all)
            waiting.start()
            first.close()
            waiting.join(20 if source.released.set() is None else 0)
            assert not waiting.is_alive()
            assert third.ingested_count == 3
        second.close()
        flying.until(lambda: server.streams == 0)


SERVES_MUCH = """
import resource, sys
import numpy as np
import pyarrow as pa
import respool, respool.flight
schema = pa.schema({"n": pa.int64()})
batches = (pa.record_batch([np.full(1 << 18, i)], schema=schema) for i in range(64))
cache = respool.cache(batches, schema=schema, path=sys.argv[1])
cache.ingest_all()
cache.close()
server = respool.flight.serve(sys.argv[1])
print(server.uri, flush=True)
for line in sys.stdin:
    fields = dict(one.split(":", 1) for one in open("/proc/self/status") if ":" in one)
    print(int(fields["RssAnon"].split()[0]), server.streams, flush=True)
"""
CLIENTS = 8
WINDOW = 16 * MIB
"""For each client: what gRPC has on the way, and one batch that is being sent."""


def test_clients_that_never_read_cost_a_window_each(log_dir):
    """The log has 128 MiB, so that each could cost far more."""
    child = processes.start(SERVES_MUCH, log_dir / "log", stdin=-1)

    def asked() -> tuple[int, int]:
        child.stdin.write("\n")
        child.stdin.flush()
        anonymous, streams = child.stdout.readline().split()
        return int(anonymous) << 10, int(streams)

    with processes.killed_at_the_end(child):
        uri = child.stdout.readline().strip()
        given = flight.Ticket(flying.ticket(uri, "log"))
        with flight.connect(uri) as client:
            assert client.do_get(given).read_all().num_rows == 64 << 18
        flying.until(lambda: asked()[1] == 0)
        before, _ = asked()
        clients = [flight.connect(uri) for _ in range(CLIENTS)]
        streams = [client.do_get(given) for client in clients]
        for stream in streams:
            stream.read_chunk()
        flying.until(lambda: asked()[1] == CLIENTS)
        threading.Event().wait(1)
        after, count = asked()
        assert count == CLIENTS
        assert after - before < CLIENTS * WINDOW
        # Others are served beside them, and their places come back.
        with respool.flight.open(uri) as there:
            assert there.ingest_all() == 64
        for stream in streams:
            stream.cancel()
        flying.until(lambda: asked()[1] == 0)


@pytest.mark.parametrize("tls", [True, "cert.pem", ("cert.pem",), {"cert": "key"}, 5])
def test_who_meant_tls_is_not_served_without(whole, tls):
    with pytest.raises(TypeError, match="tls is a certificate and its key"):
        flying.served(whole, location="grpc://127.0.0.1:0", tls=tls, token=TOKEN)


def test_a_pair_of_any_kind_is_one_for_tls(whole, tmp_path):
    pair = [tmp_path / "missing.crt", tmp_path / "missing.key"]
    with pytest.raises(FileNotFoundError, match=r"missing\.crt"):
        flying.served(whole, tls=pair, token=TOKEN)


def test_what_a_client_can_never_reach_is_refused_at_once(whole, tmp_path):
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    no_certificate = tmp_path / "no.pem"
    no_certificate.write_text("hello")
    with flying.served(whole) as server:
        for more in ("/orders", "?x=1", "/"):
            with pytest.raises(ValueError, match="the name of a cache is an argument beside it"):
                respool.flight.open(server.uri + more)
        with pytest.raises(ValueError, match="no certificate in PEM"):
            respool.flight.open(server.uri, tls_root_certs=no_certificate)
        with pytest.raises(ValueError, match="a certificate in PEM that can't be read"):
            respool.flight.open(server.uri, tls_root_certs=broken)
        for uri, token in ((None, None), (server.uri, 5)):
            with pytest.raises(TypeError, match=r"not (NoneType|int)"):
                respool.flight.open(uri, token=token)
