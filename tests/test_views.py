"""Views: select, cast and slice replay like the cache, and compose."""

import pandas as pd
import pyarrow as pa
import pytest

import respool
from sources import SCHEMA, Source, SourceBrokeError, batch, expected

WIDE = pa.schema({"n": pa.float64(), "s": pa.large_string()})


def test_select_takes_columns_in_the_asked_order(make):
    view = make(Source()).select(["s", "n"])
    assert view.schema.names == ["s", "n"]
    for _ in range(2):
        assert pa.table(view).equals(expected(5).select(["s", "n"]))


def test_cast_changes_types(make):
    view = make(Source()).cast(WIDE)
    assert view.schema == WIDE
    for _ in range(2):
        assert pa.table(view).equals(expected(5).cast(WIDE))


@pytest.mark.parametrize(
    ("offset", "length"), [(0, None), (0, 0), (50, 100), (150, None), (499, 10), (500, 1), (10, 1)]
)
def test_slice_counts_rows_over_batches(make, offset, length):
    view = make(Source()).slice(offset, length)
    for _ in range(2):
        assert pa.table(view).equals(expected(5).slice(offset, length))


def test_a_slice_pulls_no_more_than_it_shows(make):
    source = Source()
    assert pa.table(make(source).slice(50, 60)).num_rows == 60
    assert source.pulls == 2


def test_views_compose(make):
    view = make(Source()).select(["n"]).cast(pa.schema({"n": pa.int32()})).slice(90, 20)
    assert pa.table(view)["n"].to_pylist() == list(range(90, 110))
    assert view.schema.field("n").type == pa.int32()
    assert sum(batch.num_rows for batch in view) == 20
    assert view.to_pyarrow().num_rows == 20


def test_a_view_shares_the_one_source(make):
    source = Source()
    cache = make(source)
    assert cache.select(["n"]).ingest_all() == 5
    assert cache.upstream_exhausted
    assert pa.table(cache).equals(expected(5))
    assert source.pulls == 6


def test_the_prefix_of_a_failed_stream_ends_cleanly(make):
    cache = make(Source(5, fail_at=3))
    with pytest.raises(ValueError, match="no batch 3"):
        cache.ingest_all()
    assert pa.table(cache.prefix()).equals(expected(3))
    with pytest.raises(ValueError, match="no batch 3"):
        pa.table(cache.select(["n"]))


def test_a_view_gives_the_exception_of_the_source(make_from_iterable):
    source = Source(5, fail_at=3)
    cache = make_from_iterable(source)
    with pytest.raises(SourceBrokeError) as caught:
        list(cache.select(["n"]))
    assert caught.value is source.error


def test_a_consumer_may_request_types(make):
    reader = pa.RecordBatchReader.from_stream(make(Source()), schema=WIDE)
    assert reader.read_all().equals(expected(5).cast(WIDE))


def test_a_consumer_may_request_fewer_columns(make):
    only_n = pa.schema({"n": SCHEMA.field("n").type})
    reader = pa.RecordBatchReader.from_stream(make(Source()), schema=only_n)
    assert reader.read_all().equals(expected(5).select(["n"]))


def test_views_refuse_what_is_not_there(make):
    cache = make(Source())
    with pytest.raises((KeyError, ValueError), match="nowhere"):
        cache.select(["n", "nowhere"])
    with pytest.raises((TypeError, ValueError), match="n"):
        cache.cast(pa.schema({"n": pa.list_(pa.struct({"a": pa.int8()})), "s": pa.string()}))
    with pytest.raises((ValueError, OverflowError)):
        cache.slice(-1)


def test_the_numbers_of_a_view_are_its_own(make):
    cache = make(Source())
    cache.ingest_all()
    view = cache.select("n").slice(150, 200)
    assert (view.column_names, view.num_columns) == (["n"], 1)
    assert (view.num_rows, view.num_batches, view.complete) == (200, 3, True)
    assert view.nbytes == 8 * 200
    assert cache.select("n").nbytes == 8 * 500
    assert view.cache is cache
    assert cache.cache is cache
    assert view.cache.num_rows == 500
    for name in ("metrics", "resize", "error", "ingested_count", "close", "__enter__"):
        assert not hasattr(view, name)


def test_a_view_is_complete_before_its_cache_is(make):
    source = Source()
    cache = make(source)
    view = cache.slice(50, 100)
    assert not view.complete
    assert view.ingest_all() == 2
    assert (view.complete, cache.complete) == (True, False)
    assert source.pulls == 2
    assert cache.head(3).equals(expected(1).slice(0, 3))
    assert source.pulls == 2


def test_a_view_of_a_failed_cache_may_be_complete(make):
    cache = make(Source(5, fail_at=3))
    with pytest.raises(ValueError, match="no batch 3"):
        cache.ingest_all()
    inside, across = cache.slice(0, 300), cache.slice(0, 301)
    assert (inside.complete, across.complete, cache.complete) == (True, False, False)
    assert inside.ingest_all() == 3
    with pytest.raises(ValueError, match="no batch 3"):
        across.ingest_all()


def test_closing_is_for_caches_alone(make):
    with make(Source()) as cache:
        view = cache.select("n")
        assert not hasattr(view, "__exit__")
        assert view.num_columns == 1
    assert cache.closed


def test_columns_are_selected_in_every_way(make):
    cache = make(Source())
    for view in (
        cache.select("s", "n"),
        cache.select(["s", "n"]),
        cache.select("s", 0),
        cache.select([1], ["n"]),
    ):
        assert view.column_names == ["s", "n"]
    assert cache.select().num_columns == 0
    assert cache.select([]).to_arrow().num_rows == 500


def test_what_a_cache_becomes(make):
    cache = make(Source())
    for _ in range(2):
        assert cache.to_arrow().equals(expected(5))
        assert cache.to_pyarrow().equals(expected(5))
        assert cache.to_polars().to_arrow().cast(SCHEMA).equals(expected(5))
        assert cache.to_pandas().equals(expected(5).to_pandas())
    nullable = cache.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    assert nullable["n"].dtype == pd.Int64Dtype()
    assert cache.head().equals(expected(5).slice(0, 5))
    assert cache.head(0).num_rows == 0
    assert cache.head(10_000).equals(expected(5))


def test_there_is_no_last_batch(make):
    cache = make(Source())
    for i in (-1, 5, -(2**40)):
        with pytest.raises(IndexError, match=f"no batch {i}"):
            cache.batch(i)
    assert cache.slice(100).batch(1) == batch(2)


def test_a_filter_counts_what_passes(make):
    source = Source()
    cache = make(source)
    view = cache.filter([("n", ">=", 250)])
    assert source.pulls == 0
    assert (view.num_rows, view.num_batches) == (0, 0)
    wanted = expected(5).slice(250)
    for _ in range(2):
        assert pa.table(view).equals(wanted)
        assert pa.Table.from_batches(list(view)).equals(wanted)
    assert (view.num_rows, view.num_batches, view.complete) == (250, 3, True)
    assert view.nbytes == pytest.approx(cache.slice(250).nbytes, rel=0.01)
    assert view.batch(1) == batch(3)
    assert view.ingest_all() == 3
    assert source.pulls == 6
    assert view.select("s").slice(60, 100).to_arrow().equals(wanted.select(["s"]).slice(60, 100))
    assert cache.slice(300).filter([("n", "<", 310)]).num_rows == 10
    with pytest.raises(ValueError, match="filter, then slice"):
        view.slice(10).filter([("n", ">", 0)])


def test_zone_maps_serve_a_filter_in_plain_iteration(make):
    cache = make(Source(50))
    cache.ingest_all()
    view = cache.filter([("n", ">=", 4900)])
    assert view.num_rows == 100  # asks for zone maps
    before = cache.metrics()
    assert sum(one.num_rows for one in view) == 100
    after = cache.metrics()
    read = sum(after[name] - before[name] for name in ("memory_hits", "log_reads"))
    assert read == 1


def test_a_slice_does_not_use_readers_up():
    cache = respool.StreamCache(Source(10).reader(), max_readers=2)
    first = cache.reader()
    for i in range(3):  # looks at batches, and is no reader
        assert cache.slice(100 * i).batch(0) == batch(i)
    second = cache.reader()
    for reader in (first, second):
        for _ in range(4):
            next(reader)
    with pytest.raises(ValueError, match="batch 0 is gone"):
        cache.reader()
    # What was let go is not asked for.
    assert cache.slice(450, 10).to_arrow()["n"].to_pylist() == list(range(450, 460))
