"""Readers: one replay each, independent of each other, spent once consumed."""

import pyarrow as pa
import pytest

from sources import SCHEMA, Source, batch, expected


def test_readers_do_not_move_each_other(make):
    cache = make(Source())
    one, other = cache.reader(), cache.reader()
    assert [next(one), next(one), next(other), next(one)] == [
        batch(0),
        batch(1),
        batch(0),
        batch(2),
    ]


def test_iteration_ends_and_stays_ended(make):
    reader = make(Source(1)).reader()
    assert list(reader) == [batch(0)]
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(reader)


def test_a_stream_takes_what_iteration_has_left(make):
    reader = make(Source()).reader()
    next(reader)
    assert pa.table(reader).equals(expected(5).slice(100))


def test_a_reader_handed_over_is_consumed(make):
    reader = make(Source()).reader()
    assert not reader.closed
    assert reader.schema == SCHEMA
    pa.table(reader)
    assert reader.closed
    for use in (
        lambda: next(reader),
        lambda: reader.schema,
        lambda: reader.cast(SCHEMA),
        reader.__arrow_c_stream__,
        reader.__arrow_c_schema__,
    ):
        with pytest.raises(ValueError, match="consumed"):
            use()


def test_a_cast_reader_is_pyarrows(make):
    wide = pa.schema({"n": pa.float64(), "s": pa.large_string()})
    reader = make(Source()).reader()
    cast = reader.cast(wide)
    assert isinstance(cast, pa.RecordBatchReader)
    assert reader.closed
    assert cast.read_all().equals(expected(5).cast(wide))


def test_a_reader_keeps_its_cache_alive(make):
    reader = make(Source()).reader()
    assert pa.table(reader).equals(expected(5))


def test_dropping_readers_halfway_harms_nobody(make):
    cache = make(Source())
    for i in range(5):
        reader = cache.reader()
        for _ in range(i):
            next(reader)
        del reader
    assert pa.table(cache).equals(expected(5))
