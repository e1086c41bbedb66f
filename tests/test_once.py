"""The source is pulled n + 1 times for n batches, however many read."""

import sys
from functools import partial

import pyarrow as pa
import pytest

from processes import in_threads
from sources import Source, expected


@pytest.fixture
def hasty_switching():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("readers", [1, 2, 16])
@pytest.mark.usefixtures("hasty_switching")
def test_a_stream_is_pulled_once(make, readers):
    for _ in range(5):
        source = Source(20)
        cache = make(source)
        for table in in_threads(*[partial(pa.table, cache)] * readers):
            assert table.equals(expected(20))
        assert source.pulls == 21


@pytest.mark.parametrize("readers", [1, 2, 16])
@pytest.mark.usefixtures("hasty_switching")
def test_an_iterable_is_pulled_once(make_from_iterable, readers):
    source = Source(20)
    cache = make_from_iterable(source)
    for batches in in_threads(*[lambda: list(cache)] * readers):
        assert pa.Table.from_batches(batches).equals(expected(20))
    assert source.pulls == 21


@pytest.mark.usefixtures("hasty_switching")
def test_a_failing_source_is_asked_once_for_the_batch_it_can_not_give(make):
    source = Source(20, fail_at=10)
    cache = make(source)
    for result in in_threads(*[lambda: pa.table(cache)] * 8):
        assert "no batch 10" in str(result)
    assert source.pulls == 11
