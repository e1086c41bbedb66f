"""Faults of TLS and of certificates: an error at once that says what to do, and no outage that is waited for."""

import re
import socket
import subprocess
import time
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest

import flying
import respool
import respool.flight
from respool._flight import trust
from sources import SCHEMA, Source


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Pairs for this machine, for the same one by another signer, and for another one."""
    directory = tmp_path_factory.mktemp("tls")
    made = {}
    names = {
        "here": "DNS:localhost,IP:127.0.0.1",
        "stranger": "IP:127.0.0.1",
        "far": "DNS:far.example",
    }
    for name, alternatives in names.items():
        made[name] = directory / f"{name}.crt", directory / f"{name}.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternatives}",
             "-keyout", made[name][1], "-out", made[name][0]],
            check=True, capture_output=True,
        )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def whole():
    with respool.cache(Source(), schema=SCHEMA) as cache:
        cache.ingest_all()
        yield cache


@contextmanager
def at_once():
    """Without `retry` a server is waited for for a minute."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 15


def port(server):
    return server.uri.rpartition(":")[2]


def test_a_certificate_that_is_not_trusted_is_an_error_at_once(whole, certificates):
    with flying.served(whole, tls=certificates["here"]) as server:
        for wrong in (None, certificates["stranger"][0]):
            with at_once(), pytest.raises(ConnectionError, match="not trusted") as caught:
                respool.flight.open(server.uri, tls_root_certs=wrong)
            assert "tls_root_certs=" in str(caught.value)
            assert "could not be reached" not in str(caught.value)


def test_a_certificate_of_another_name_is_an_error_at_once(whole, certificates):
    far = certificates["far"]
    with (
        flying.served(whole, tls=far) as server,
        at_once(),
        pytest.raises(ConnectionError, match="is for other names: open it by one"),
    ):
        respool.flight.open(server.uri, tls_root_certs=far[0])


def test_tls_on_one_side_alone_is_an_error_at_once(whole, certificates):
    root = certificates["here"][0]
    with flying.served(whole) as server, at_once():
        uri = f"grpc+tls://127.0.0.1:{port(server)}"
        with pytest.raises(ConnectionError, match=r"speaks no TLS: .* tls=\(certificate, key\)"):
            respool.flight.open(uri, tls_root_certs=root)
    with flying.served(whole, tls=certificates["here"]) as server, at_once():
        for scheme in ("grpc", "grpc+tcp"):
            with pytest.raises(ConnectionError, match=r"speaks TLS: open it as grpc\+tls://"):
                respool.flight.open(f"{scheme}://127.0.0.1:{port(server)}")


def test_a_server_that_comes_back_with_tls_ends_a_read_at_once(certificates, log_dir):
    # More than what lies on the way to a client that does not read.
    parts = (pa.record_batch([np.arange(1 << 16) + i], ["n"]) for i in range(40))
    path = log_dir / "log"
    with respool.cache(parts, schema=pa.schema({"n": pa.int64()}), path=path) as cache:
        cache.ingest_all()
    with flying.child(path) as (process, uri):
        there = respool.flight.open(uri, prefetch=None)
        there.batch(1)
        process.kill()
        process.wait()
    location = f"grpc://127.0.0.1:{uri.rpartition(':')[2]}"
    tls = certificates["here"]
    with respool.flight.serve(path, location, tls=tls), at_once():
        batches, error = flying.batches_of(there)
    there.close()
    assert isinstance(error, ConnectionError)
    assert re.search(r"speaks TLS: .*; after \d+ batches", str(error))
    assert 2 <= len(batches) < 40


@pytest.mark.parametrize(
    "said",
    [
        "last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused",
        "last error: UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed",
        "Ssl handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:0A000126:SSL routines::unexpected eof",
        "Ssl handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SYSCALL: Connection reset by peer",
        "DNS resolution failed for far.example",
        "it said nothing",
    ],
)
def test_a_server_that_is_away_is_no_fault_of_tls(said):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    for scheme in ("grpc", "grpc+tls"):
        assert trust.fault(f"{scheme}://127.0.0.1:{nobody}", said) is None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED", "not trusted: give"),
        ("CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate", "unable to get local issuer"),
        ("error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "speaks no TLS"),
        ("Hostname Verification Check failed.", "for other names"),
        ("Ssl handshake failed: SSL routines:OPENSSL_internal:TLSV1_ALERT_PROTOCOL_VERSION", "do not agree"),
    ],
)  # fmt: skip
def test_what_other_releases_of_grpc_say_is_known_too(said, told):
    assert told in trust.fault("grpc+tls://127.0.0.1:1", said)
