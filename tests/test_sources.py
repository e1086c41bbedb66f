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
