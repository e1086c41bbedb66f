"""What is given to `serve` and `open` that can't be right: an error at once that names it."""

import time

import pyarrow as pa
import pytest
from pyarrow import flight

import flying
import respool
import respool.flight
from sources import SCHEMA, Source


@pytest.fixture(scope="module")
def whole():
    with respool.cache(Source(), schema=SCHEMA) as cache:
        cache.ingest_all()
        yield cache


@pytest.mark.parametrize(
    "uri", ["grpc://127.0.0.1", "grpc+tls://localhost", "grpc://127.0.0.1:99999", "grpc://:8815"]
)
def test_a_server_without_a_port_is_not_waited_for(uri):
    start = time.monotonic()
    with pytest.raises(ValueError, match="a server's uri is grpc://HOST:PORT"):
        respool.flight.open(uri, retry=2)
    assert time.monotonic() - start < 2


def test_a_cache_that_is_closed_is_not_served():
    cache = respool.cache(Source(), schema=SCHEMA)
    cache.close()
    with pytest.raises(ValueError, match="the cache 'it' is closed"):
        flying.served(cache)


@pytest.mark.parametrize("name", ["max_message", "range_bytes"])
def test_sizes_are_named_where_they_are_none(whole, name):
    with pytest.raises(TypeError, match=f"{name}: a size is a number of bytes"):
        flying.served(whole, **{name: None})
    with pytest.raises(ValueError, match=f"{name}: cannot read"):
        flying.served(whole, **{name: "10 apples"})


@pytest.mark.parametrize("given", [0, "0 B", "25%"])
def test_a_server_sends_batches_of_some_bytes(whole, given):
    with pytest.raises(ValueError, match="max_message: "):
        flying.served(whole, max_message=given)


def test_a_certificate_and_a_key_are_what_they_are_called(whole, tmp_path):
    text, certificate, key = (tmp_path / name for name in ("text", "crt", "key"))
    text.write_text("hello")
    # Only what they are called is looked at here.
    certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    key.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    for pair in ((text, key), (key, certificate)):
        with pytest.raises(ValueError, match=r"tls\[0\] has no certificate in PEM"):
            flying.served(whole, tls=pair)
    with pytest.raises(ValueError, match=r"tls\[1\] has no private key in PEM"):
        flying.served(whole, tls=(certificate, text))
    with pytest.raises(
        OSError, match=r"cannot listen .*or the certificate and its key can't be read"
    ):
        flying.served(whole, tls=(certificate, key))


def test_without_tls_nothing_is_said_of_certificates(whole):
    with flying.served(whole) as server, pytest.raises(OSError, match="cannot listen") as caught:
        flying.served(whole, location=server.uri)
    assert "certificate" not in str(caught.value)


def test_who_could_not_open_is_not_told_how_to_go_on():
    with pytest.raises(ConnectionError, match=r"could not be reached for 0 s") as caught:
        respool.flight.open("grpc://127.0.0.1:1", retry=0)
    assert "batches" not in str(caught.value)
    assert "resume" not in str(caught.value)


def test_logs_without_a_name_are_not_served_as_names(tmp_path):
    with respool.cache(pa.table({"n": [1]}), path=tmp_path / "orders") as cache:
        cache.ingest_all()
    with pytest.raises(ValueError, match=r"no named caches but a log, 'orders'.*respool\.open"):
        respool.flight.serve(tmp_path)


def test_a_directory_that_nobody_can_look_into_is_no_log_without_a_name(tmp_path):
    # As lost+found is for who is not root: neither can be looked into.
    (tmp_path / "loop").symlink_to("loop")
    with respool.flight.serve(tmp_path) as server:
        respool.named("one", lambda: pa.table({"n": [1]}), directory=tmp_path, ingest=True).close()
        with respool.flight.open(server.uri) as there:
            assert there.ingest_all() == 1


def test_a_log_beside_names_is_none_of_them(tmp_path):
    respool.named("one", lambda: pa.table({"n": [1]}), directory=tmp_path, ingest=True).close()
    with respool.flight.serve(tmp_path) as server:
        with respool.cache(pa.table({"n": [1]}), path=tmp_path / "orders") as cache:
            cache.ingest_all()
        with pytest.raises(ValueError, match="no cache named 'orders'; it has one"):
            respool.flight.open(server.uri, "orders")


def test_a_server_that_has_nothing_yet_says_so(tmp_path):
    with (
        respool.flight.serve(tmp_path) as server,
        pytest.raises(ValueError, match="has no caches yet"),
    ):
        respool.flight.open(server.uri)


class Foreign(flight.FlightServerBase):
    """Speaks Flight, and knows nothing of what is asked here."""


def test_a_server_of_another_kind_is_not_one_that_lets_nobody_in():
    with Foreign("grpc://127.0.0.1:0") as server:
        uri = f"grpc://127.0.0.1:{server.port}"
        with pytest.raises(ValueError, match=f"what is at {uri} is no server of respool"):
            respool.flight.open(uri)
