"""Readers: one replay each, independent of each other, spent once consumed."""

import gc
import time
import weakref

import pyarrow as pa
import pytest

import processes
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
        lambda: reader.cast(SCHEMA),
        lambda: reader.position,
        reader.read_all,
        reader.__arrow_c_stream__,
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


def test_a_consumed_reader_still_knows_its_schema(make):
    reader = make(Source()).reader()
    pa.table(reader)
    assert reader.schema == SCHEMA
    assert pa.schema(reader) == SCHEMA


def test_a_reader_closes_itself(make):
    cache = make(Source())
    with cache.reader() as reader:
        next(reader)
        assert reader.position == 1
        assert reader.read_all().equals(expected(5).slice(100))
    assert reader.closed
    reader.close()
    with cache.reader() as reader:
        next(reader)
    with pytest.raises(ValueError, match="closed"):
        next(reader)
    assert cache.metrics()["readers"] == 0


def test_closing_waits_for_no_source_that_another_thread_is_in(make):
    source = Source(3, stall_at=1, stall=10)
    reader = make(source).reader()
    next(reader)

    def close() -> float:
        assert source.stalling.wait(5)
        began = time.monotonic()
        reader.close()
        took = time.monotonic() - began
        source.released.set()
        return took

    came, took = processes.in_threads(lambda: next(reader), close)
    assert took < 2
    assert reader.closed
    assert came == batch(1)
    with pytest.raises(ValueError, match="closed"):
        next(reader)


def test_a_failed_read_all_leaves_the_reader_where_it_is(make):
    cache = make(Source(5, fail_at=3))
    reader = cache.reader()
    for _ in range(2):
        with pytest.raises(ValueError, match="no batch 3"):
            reader.read_all()
        assert reader.position == 3
    assert not reader.closed


def test_caches_views_and_readers_have_weak_references(make):
    cache = make(Source())
    things = [cache.select("n"), cache.reader(), cache]
    references = [weakref.ref(thing) for thing in things]
    del cache
    things.clear()
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
