"""Views: select, cast and slice replay like the cache, and compose."""

import pyarrow as pa
import pytest

from sources import SCHEMA, Source, SourceBrokeError, expected

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
