"""What is given to `serve` and `open` that can't be right: an error at once that names it."""

import time

import pytest

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
