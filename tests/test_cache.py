"""The cache itself: lazy, counted, replayable, closed for good."""

import pyarrow as pa
import pytest

import respool
from sources import SCHEMA, Source, batch, expected


def test_nothing_is_pulled_before_it_is_asked_for(make):
    source = Source()
    cache = make(source)
    assert cache.schema == SCHEMA
    assert (cache.ingested_count, cache.upstream_exhausted, cache.complete) == (0, False, False)
    assert (cache.num_batches, cache.num_rows, cache.nbytes) == (0, 0, 0)
    assert source.pulls == 0


def test_readers_pull_only_what_they_need(make):
    source = Source()
    cache = make(source)
    reader = cache.reader()
    assert next(reader) == batch(0)
    assert (cache.ingested_count, source.pulls) == (1, 1)
    assert next(cache.reader()) == batch(0)
    assert source.pulls == 1


def test_every_replay_is_the_whole_stream(make):
    cache = make(Source())
    for _ in range(3):
        assert pa.table(cache).equals(expected(5))
        assert pa.Table.from_batches(list(cache)).equals(expected(5))
    assert cache.to_pyarrow().equals(expected(5))


def test_ingest_all_returns_the_number_of_batches_each_time(make):
    source = Source()
    cache = make(source)
    assert [cache.ingest_all(), cache.ingest_all()] == [5, 5]
    assert cache.upstream_exhausted
    assert cache.complete
    assert cache.error is None
    assert (cache.num_batches, cache.num_rows) == (5, 500)
    assert cache.nbytes > 500 * 8
    assert source.pulls == 6


def test_a_stream_of_no_batches_keeps_its_schema(make):
    cache = make(Source(0))
    assert cache.ingest_all() == 0
    assert pa.table(cache).equals(SCHEMA.empty_table())


def test_batches_are_found_by_number(make):
    source = Source()
    cache = make(source)
    assert cache.batch(2) == batch(2)
    assert source.pulls == 3
    with pytest.raises(IndexError):
        cache.batch(5)


def test_a_reader_from_the_frontier_sees_what_comes_later(make):
    cache = make(Source())
    early = cache.reader()
    next(early)
    next(early)
    assert list(cache.reader(from_start=False)) == [batch(2), batch(3), batch(4)]


def test_closing_is_final_and_may_be_repeated(make):
    cache = make(Source())
    cache.ingest_all()
    reader = cache.reader()
    assert not cache.closed
    cache.close()
    cache.close()
    assert cache.closed
    for use in (cache.ingest_all, cache.reader, cache.__arrow_c_stream__, lambda: next(reader)):
        with pytest.raises(ValueError, match="closed"):
            use()
    told = cache.metrics()
    assert (told["batches"], told["rows"], told["batches_in_memory"]) == (5, 500, 0)


def test_a_batch_outlives_the_cache_it_came_from(make):
    cache = make(Source())
    kept = list(cache)
    cache.close()
    del cache
    assert pa.Table.from_batches(kept).equals(expected(5))
    for one in kept:
        one.validate(full=True)


def test_a_cache_is_a_context_manager(make):
    with make(Source()) as cache:
        assert cache.ingest_all() == 5
    assert cache.closed


def test_the_repr_says_what_is_held(make):
    cache = make(Source())
    assert "StreamCache" in repr(cache)
    cache.ingest_all()
    assert "5 batches" in repr(cache)
    assert "500" in repr(cache).replace(",", "").replace("_", "")
    assert "<" in cache._repr_html_()


def test_metrics_count_pulls_and_bytes(make):
    cache = make(Source())
    cache.ingest_all()
    pa.table(cache)
    metrics = cache.metrics()
    assert metrics["pulls"] == 6
    assert metrics["batches"] == 5
    assert metrics["rows"] == 500
    assert (metrics["log_bytes"] > 0) == (make.tier != "memory")
    if make.tier == "memory":
        assert metrics["memory_bytes"] >= cache.nbytes > 0


def test_a_stream_that_fits_never_touches_the_disk(log_dir):
    cache = respool.StreamCache(
        Source().reader(), "1 MiB", log_dir, "1 MiB", write_policy="on_eviction"
    )
    cache.ingest_all()
    assert cache.metrics()["log_bytes"] == 0


def test_the_friendly_door_spills_by_itself(log_dir):
    cache = respool.cache(Source(), schema=SCHEMA, memory=5000, directory=log_dir)
    assert pa.table(cache).equals(expected(5))
    assert cache.metrics()["log_bytes"] > 0


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_compressed_log_replays_the_same(log_dir, compression):
    source = Source(rows=5000)
    cache = respool.cache(
        source, schema=SCHEMA, memory=1, directory=log_dir, compression=compression
    )
    assert pa.table(cache).equals(expected(5, 5000))
    assert pa.table(cache).equals(expected(5, 5000))
    assert 0 < cache.metrics()["log_bytes"] < cache.nbytes


def test_small_batches_are_joined_on_request():
    cache = respool.cache(Source(10), schema=SCHEMA, coalesce_rows=250)
    assert pa.table(cache).equals(expected(10))
    assert cache.num_batches < 10


def test_max_readers_is_a_hint_where_a_log_keeps_all(log_dir):
    cache = respool.StreamCache(Source().reader(), 5000, log_dir, "1 MiB", max_readers=1)
    for _ in range(3):
        assert pa.table(cache.reader()).equals(expected(5))
