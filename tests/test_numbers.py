"""Numbers of rows, batches and readers: any size, never negative, and no truth values."""

import pytest

import respool
from sources import SCHEMA, Source, batch, expected


class Index:
    """Stands for a number, as those of NumPy do."""

    def __init__(self, number):
        self.number = number

    def __index__(self):
        return self.number


@pytest.fixture
def cache():
    return respool.cache(Source(), schema=SCHEMA)


def test_more_rows_than_there_can_be(cache):
    assert cache.slice(2**70).to_arrow().num_rows == 0
    assert cache.slice(0, 2**70).to_arrow().equals(expected(5))
    assert cache.head(2**70).equals(expected(5))
    with pytest.raises(IndexError, match="it has 5 batches"):
        cache.batch(2**70)
    assert respool.StreamCache(Source().reader(), max_readers=2**70).ingest_all() == 5


def test_what_stands_for_a_number(cache):
    assert cache.batch(Index(1)) == batch(1)
    assert cache.slice(Index(100), Index(5)).to_arrow().equals(expected(5).slice(100, 5))
    cache.resize(memory=Index(1 << 20))
    assert cache.metrics()["memory_capacity"] == 1 << 20


@pytest.mark.parametrize("number", [-1, -(2**70)])
def test_negative_numbers(cache, number):
    for use in (
        lambda: cache.slice(number),
        lambda: cache.slice(0, number),
        lambda: cache.head(number),
        lambda: respool.StreamCache(Source().reader(), max_readers=number),
        lambda: respool.cache(Source().reader(), coalesce_rows=number),
        lambda: respool.cache(Source().reader(), batch_rows=(number, None)),
    ):
        with pytest.raises(ValueError, match=f"is not negative: {number}"):
            use()
    with pytest.raises(IndexError, match="numbered from 0"):
        cache.batch(number)


@pytest.mark.parametrize("thing", [True, 1.0, "1", None])
def test_what_is_no_number(cache, thing):
    for use in (
        lambda: cache.slice(thing),
        lambda: cache.head(thing),
        lambda: cache.batch(thing),
        lambda: respool.cache(Source().reader(), coalesce_rows=thing or "1"),
    ):
        with pytest.raises(TypeError):
            use()
