"""batchcorder's users change one import: its tutorial, its positions, its hard cap on readers."""

import duckdb
import pyarrow as pa
import pytest

from respool.compat.batchcorder import CastingStreamCache, StreamCache, StreamCacheReader
from sources import SCHEMA, Source, SourceBrokeError, expected

TABLE = expected(1)
WIDE = pa.schema({"n": pa.int64(), "s": pa.large_string()})


def test_the_tutorial(log_dir):
    cache = StreamCache(TABLE, 16 << 20, str(log_dir), 64 << 20)
    assert cache.schema == SCHEMA
    assert not cache.upstream_exhausted
    assert [batch.num_rows for batch in cache] == [100]
    assert cache.upstream_exhausted
    one, other = (pa.RecordBatchReader.from_stream(cache.reader()).read_all() for _ in range(2))
    assert one.equals(other)
    second = StreamCache(TABLE, 16 << 20, str(log_dir), 64 << 20)
    assert second.ingest_all() == 1
    assert [len(list(second)) for _ in range(10)] == [1] * 10


def test_the_engines_take_it():
    cache = StreamCache(Source().reader())
    assert pa.table(cache).equals(expected(5))
    assert pa.table(cache.reader()).equals(expected(5))
    assert duckdb.table("cache").aggregate("count(*)").fetchall() == [(500,)]
    assert cache.ingested_count == 5


def test_a_cast_is_replayable():
    cast = StreamCache(Source().reader()).cast(WIDE)
    assert isinstance(cast, CastingStreamCache)
    assert cast.schema == WIDE
    for _ in range(2):
        assert pa.table(cast).equals(expected(5).cast(WIDE))
    assert cast.cast(SCHEMA).schema == SCHEMA


def test_a_missing_directory_is_made(log_dir):
    cache = StreamCache(TABLE, 1, str(log_dir / "not" / "there"), 1 << 20)
    assert cache.ingest_all() == 1


def test_half_a_disk_is_refused(log_dir):
    for half in ({"disk_path": str(log_dir)}, {"disk_capacity": 1 << 20}):
        with pytest.raises(ValueError, match="disk_path and disk_capacity"):
            StreamCache(TABLE, **half)


def test_the_cap_on_readers_is_hard():
    cache = StreamCache(Source().reader(), max_readers=2)
    cast = cache.cast(WIDE)
    assert isinstance(cache.reader(), StreamCacheReader)
    pa.table(cast)
    for use in (
        cache.reader,
        cache.__arrow_c_stream__,
        cast.__arrow_c_stream__,
        lambda: iter(cache),
    ):
        with pytest.raises(ValueError, match="Maximum number of readers"):
            use()
    with pytest.raises(ValueError, match="at least 1"):
        StreamCache(TABLE, max_readers=0)


def test_the_quota_is_a_memory_error(log_dir):
    cache = StreamCache(Source().reader(), 1, str(log_dir), 10)
    with pytest.raises(MemoryError, match="capacity"):
        cache.ingest_all()
    with pytest.raises(MemoryError, match="capacity"):
        next(cache.reader())


def test_a_consumed_reader_says_so():
    reader = StreamCache(TABLE).reader()
    assert reader.cast(WIDE).read_all().schema == WIDE
    assert reader.closed
    with pytest.raises(ValueError, match="consumed"):
        next(reader)


def test_a_closed_cache_says_how_much_it_had():
    cache = StreamCache(Source().reader())
    for _ in zip(range(2), cache, strict=False):
        pass
    cache.close()
    assert cache.ingested_count == 2
    cache.close()
    assert (cache.ingested_count, cache.upstream_exhausted) == (2, False)


def test_a_closed_cache_says_so():
    cache = StreamCache(TABLE)
    cache.close()
    cache.close()
    for use in (cache.reader, cache.ingest_all, cache.__arrow_c_stream__):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_where_it_differs_errors_stay_errors():
    cache = StreamCache(Source(5, fail_at=3, error=SourceBrokeError("gone")).reader())
    for _ in range(3):
        with pytest.raises(Exception, match="gone"):
            pa.table(cache)
