"""Everything that can be cached: Arrow streams and arrays, scanners, lazy frames, iterables."""

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from arro3.core import Table as Arro3Table

import respool
from sources import SCHEMA, Source, batch, expected

TABLE = expected(5)
SOURCES = {
    "reader": lambda: Source().reader(),
    "table": lambda: TABLE,
    "batch": lambda: TABLE.combine_chunks().to_batches()[0],
    "polars frame": lambda: pl.DataFrame(TABLE),
    "polars lazy frame": lambda: pl.DataFrame(TABLE).lazy(),
    "duckdb relation": lambda: duckdb.connect().sql(
        "select range as n, 'row ' || range as s from range(500)"
    ),
    "arro3 table": lambda: Arro3Table.from_arrow(TABLE),
    "dataset": lambda: ds.dataset(TABLE),
    "scanner": lambda: ds.dataset(TABLE).scanner(),
    "cache": lambda: respool.StreamCache(TABLE),
    "cache reader": lambda: respool.StreamCache(TABLE).reader(),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_replays(kind):
    cache = respool.cache(SOURCES[kind]())
    for _ in range(2):
        assert pa.table(cache).cast(SCHEMA).equals(TABLE)


@pytest.mark.parametrize(
    "kind", [name for name in SOURCES if name not in {"dataset", "scanner", "polars lazy frame"}]
)
def test_arrow_objects_go_through_the_plain_constructor(kind):
    assert pa.table(respool.StreamCache(SOURCES[kind]())).cast(SCHEMA).equals(TABLE)


ITERABLES = {
    "list": lambda: [batch(i) for i in range(5)],
    "generator": lambda: (batch(i) for i in range(5)),
    "tables' batches": lambda: iter(TABLE.to_batches()),
    "polars frames": lambda: (
        pl.DataFrame(batch(i))
        .to_arrow(compat_level=pl.CompatLevel.oldest())
        .cast(SCHEMA)
        .to_batches()[0]
        for i in range(5)
    ),
}


@pytest.mark.parametrize("kind", ITERABLES)
def test_iterables_replay(kind):
    cache = respool.cache(ITERABLES[kind](), schema=SCHEMA)
    for _ in range(2):
        assert pa.table(cache).equals(TABLE)


def test_an_iterable_is_not_started_before_it_is_needed():
    source = Source()
    respool.cache(source, schema=SCHEMA)
    assert source.pulls == 0


def test_schema_metadata_is_kept():
    schema = SCHEMA.with_metadata({"made": "here"})
    cache = respool.StreamCache(TABLE.replace_schema_metadata({"made": "here"}))
    assert cache.schema.equals(schema, check_metadata=True)
    assert pa.table(cache).schema.metadata == {b"made": b"here"}


ITEMS = {
    "batches": batch,
    "tables of many batches": lambda i: pa.Table.from_batches(
        [batch(i).slice(0, 30), batch(i).slice(30)]
    ),
    "polars frames": lambda i: pl.DataFrame(batch(i)),
    "pandas frames": lambda i: batch(i).to_pandas(),
    "arro3 tables": lambda i: Arro3Table.from_arrow(pa.table(batch(i))),
    "readers": lambda i: pa.RecordBatchReader.from_batches(SCHEMA, [batch(i)]),
}


@pytest.mark.parametrize("kind", ITEMS)
def test_an_iterable_may_give_whatever_holds_rows(kind):
    cache = respool.cache((ITEMS[kind](i) for i in range(5)), schema=SCHEMA)
    for _ in range(2):
        assert pa.table(cache).equals(TABLE)


@pytest.mark.parametrize("kind", ITEMS)
def test_the_first_item_may_give_the_schema(kind):
    pulled = []

    def items():
        for i in range(5):
            pulled.append(i)
            yield ITEMS[kind](i)

    cache = respool.cache(items(), schema="first")
    assert pulled == [0]
    assert cache.column_names == SCHEMA.names
    for _ in range(2):
        assert pa.table(cache).cast(SCHEMA).equals(TABLE)
    assert pulled == [0, 1, 2, 3, 4]


def test_there_has_to_be_a_first_item():
    with pytest.raises(ValueError, match="there is none: give a schema"):
        respool.cache(iter([]), schema="first")
    with pytest.raises(ValueError, match='or "first", not'):
        respool.cache(iter([batch(0)]), schema="second")


def test_text_in_another_layout_becomes_what_the_schema_says():
    declared = pa.schema(
        {"s": pa.large_string(), "b": pa.binary_view(), "l": pa.large_list(pa.string())}
    )
    given = pa.record_batch(
        {
            "s": pa.array(["a", None], pa.string_view()),
            "b": pa.array([b"x", b"y"], pa.binary()),
            "l": pa.array([["p"], None], pa.list_(pa.string_view())),
        }
    )
    cache = respool.cache(iter([given]), schema=declared)
    assert cache.to_arrow().schema.equals(declared)
    assert cache.to_arrow().to_pylist() == given.to_pylist()


def test_what_holds_other_values_is_refused():
    declared = pa.schema({"n": pa.int64()})
    cache = respool.cache(
        iter([pa.record_batch({"n": pa.array([1], pa.int32())})]), schema=declared
    )
    with pytest.raises(ValueError, match='column "n" is int32, not int64'):
        cache.ingest_all()


@pytest.mark.parametrize("dtype", [pl.Int128, pl.UInt128])
def test_integers_of_128_bits_are_refused_with_a_way_out(dtype):
    frame = pl.DataFrame({"n": [1], "wide": pl.Series([1], dtype=dtype)})
    with pytest.raises(ValueError, match=r"column \"wide\" is a Polars U?Int128.*cast it before"):
        respool.cache(frame)
    nested = frame.select(pl.struct("n", "wide").alias("s"))
    with pytest.raises(ValueError, match=r'"s.wide"'):
        respool.cache(nested)
    cast = frame.with_columns(pl.col("wide").cast(pl.Decimal(38, 0)))
    assert respool.cache(cast).to_arrow()["wide"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("given", "then"),
    [
        ([batch(0)], 'needs schema=: that of all, or "first"'),
        ({"id": [1]}, r"pyarrow\.table"),
        (b"ARROW1", r"pyarrow\.ipc\.open_stream"),
        (lambda: 1, "call it"),
    ],
)
def test_what_is_no_source_is_told_a_way_to_one(given, then):
    with pytest.raises(TypeError, match=f"cannot cache .*{then}"):
        respool.cache(given)
