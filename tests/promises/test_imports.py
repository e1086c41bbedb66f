"""Whatever layout the Arrow format allows comes in, and its values and metadata come out as they were.

Every type from pyarrow, arro3, nanoarrow, Polars and DuckDB (`test_all_types()`), from memory and from plain
and compressed logs, beside the same object without us; metadata of schemas and of fields at every depth;
arrays made buffer by buffer: offsets at every depth, buffers that are empty or not there, nulls that nobody
counted; and random nested types laid out at random.

Not promised: arrays whose buffers are shorter than the format asks for; C has no way to say how long a
buffer is.
"""

import ctypes
import random
from collections.abc import Callable

import nanoarrow as na
import polars as pl
import pyarrow as pa
import pytest
from arro3.core import Table as Arro3Table

import respool
import respool.duckdb
from arrow_types import ARRAYS
from cstream import CStream
from promises.built_layouts import LAYOUTS
from promises.random_layouts import random_array, random_type, rough
from sources import SCHEMA

TIERS = {
    "memory": {"disk": None},
    "log": {"memory": 1, "disk": "64 MiB"},
    "compressed": {"memory": 1, "disk": "64 MiB", "compression": "zstd"},
}


def same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables have the same values, NaN among them, in whatever dictionaries and chunks."""
    return one.column_names == other.column_names and all(
        a.equals(b) or repr(a.to_pylist()) == repr(b.to_pylist())
        for a, b in zip(one.columns, other.columns, strict=True)
    )


@pytest.fixture(params=TIERS)
def through(request, log_dir):
    """Send an object through a cache, and through a view of it."""

    def send(source: object, *, validate: bool = True) -> pa.Table:
        sizes = dict(TIERS[request.param])
        if "memory" in sizes:
            sizes["directory"] = log_dir
        with respool.cache(source, **sizes) as cache:
            first, again = pa.table(cache), pa.table(cache)
            some = pa.table(cache.slice(1, 2))
            for table in (first, again, some):
                table.validate(full=validate)
            assert same(again, first)
            assert same(some, first.slice(1, 2))
            return first

    return send


# How each library holds a table, and how many of our types it can take at least.
LIBRARIES = {
    "pyarrow": (lambda table: table, len(ARRAYS)),
    "arro3": (Arro3Table.from_arrow, 45),
    "nanoarrow": (na.ArrayStream, 45),
    "polars": (pl.DataFrame, 35),
}


def without_us(hold: Callable[[pa.Table], object], table: pa.Table) -> pa.Table | None:
    """What a library gives back of a table, or None where it has no such type."""
    try:
        return pa.table(hold(table))
    except BaseException:  # Polars panics
        return None


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_type_from(library, through, figure):
    hold, at_least = LIBRARIES[library]
    taken = 0
    for name, array in ARRAYS.items():
        whole = pa.table({"x": array})
        table = pa.concat_tables([whole.slice(3, 6), whole.slice(0, 0), whole.slice(1, 11)])
        expected = without_us(hold, table)
        if expected is not None:
            got = through(hold(table))
            assert got.schema.equals(expected.schema, check_metadata=True), name
            assert same(got, expected), name
            taken += 1
    figure("types", **{f"of_{library}": taken})
    assert taken >= at_least


def test_every_type_of_duckdb(through, figure):
    import duckdb

    con = duckdb.connect()
    query = "from test_all_types()"
    expected = con.sql(query).to_arrow_table()
    # DuckDB's largest integers don't fit in what it says of them.
    assert same(through(con.sql(query).to_arrow_reader(1), validate=False), expected)
    cache = respool.duckdb.from_query(con, query, batch_rows=2)
    got = pa.table(cache)
    assert got.schema.equals(expected.schema, check_metadata=True)
    assert same(got, expected)
    back, control = con.sql("from cache"), con.sql("from expected")
    assert same(back.to_arrow_table(), control.to_arrow_table())
    figure("types", of_duckdb=got.num_columns)


def marked(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, metadata={"about": name, "": "", "é": "ü"})


LEAF = marked("leaf", pa.int32())
NESTED = {
    "struct": pa.struct([LEAF, marked("inner", pa.struct([marked("deep", pa.string())]))]),
    "list": pa.list_(LEAF),
    "large list": pa.large_list(marked("item", pa.list_(LEAF))),
    "fixed size list": pa.list_(LEAF, 2),
    "list view": pa.list_view(LEAF),
    "map": pa.map_(pa.field("key", pa.string(), False, {"a": "b"}), marked("value", pa.int8())),
    "sparse union": pa.sparse_union([LEAF, marked("other", pa.string())]),
    "dense union": pa.dense_union([LEAF, marked("other", pa.list_(LEAF))]),
    "list of structs": pa.list_(marked("item", pa.struct([LEAF]))),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
    "run-end encoded": pa.run_end_encoded(pa.int32(), pa.string()),
}


@pytest.mark.parametrize("wrap", ["pyarrow", "arro3", "nanoarrow"])
@pytest.mark.parametrize("name", NESTED)
def test_metadata_at_every_depth(name, wrap, through):
    schema = pa.schema([marked("x", NESTED[name])], metadata={"made": "here", "": "empty"})
    reader = pa.RecordBatchReader.from_batches(schema, [])
    held = reader if wrap == "pyarrow" else LIBRARIES[wrap][0](reader)
    got = through(held).schema
    assert got.equals(schema, check_metadata=True)


def test_metadata_of_views():
    schema = pa.schema([marked("x", NESTED["struct"]), LEAF], metadata={"made": "here"})
    cache = respool.cache(iter([]), schema=schema)
    for view in (cache, cache.slice(0, 1), cache.prefix(), cache.select(["x", "leaf"])):
        assert view.schema.equals(schema, check_metadata=True)
        assert pa.table(view).schema.equals(schema, check_metadata=True)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_that_the_format_allows(name, through):
    array = LAYOUTS[name]
    array.validate(full=True)
    schema = pa.schema([("x", array.type), ("n", pa.int64())])
    batch = pa.RecordBatch.from_arrays([array, pa.array(range(len(array)))], schema=schema)
    got = through(pa.RecordBatchReader.from_batches(schema, [batch, batch]))
    assert same(got, pa.Table.from_batches([batch, batch]))


class Missing:
    """A batch of `sources.SCHEMA` some of whose buffers are not there, which pyarrow does not make."""

    def __init__(self, texts: list[str], missing: list[tuple[int, int]]) -> None:
        self.batch = pa.record_batch([range(len(texts)), texts], schema=SCHEMA)
        self.missing = missing

    def _export_to_c(self, out: int) -> None:
        self.batch._export_to_c(out)
        words = ctypes.POINTER(ctypes.c_void_p)
        columns = ctypes.cast(ctypes.cast(out, words)[6], words)  # struct ArrowArray: its children
        for column, buffer in self.missing:
            buffers = ctypes.cast(columns[column], words)[5]
            ctypes.cast(buffers, words)[buffer] = None


@pytest.mark.parametrize(
    ("texts", "missing"),
    [
        ([], [(0, 1)]),
        ([], [(1, 1)]),
        ([], [(1, 2)]),
        ([], [(0, 1), (1, 1), (1, 2)]),
        (["", "", ""], [(1, 2)]),
    ],
)
def test_buffers_that_are_not_there(texts, missing, through):
    stream = CStream(2, make=lambda _: Missing(texts, missing))
    got = through(stream)
    assert got["s"].to_pylist() == texts * 2
    assert got["n"].to_pylist() == list(range(len(texts))) * 2


@pytest.mark.timeout(600)
def test_random_types_laid_out_at_random(through, long, figure):
    layouts = 3000 if long else 150
    for seed in range(layouts):
        r = random.Random(seed)  # noqa: S311
        kind = random_type(r, depth=r.randrange(4))
        arrays = [random_array(r, kind, r.choice([0, 1, 7, 30])) for _ in range(2)]
        batches = [pa.record_batch({"x": rough(r, array)}) for array in arrays]
        for batch in batches:
            batch.validate(full=True)
        schema = batches[0].schema
        got = through(pa.RecordBatchReader.from_batches(schema, batches))
        expected = [value for array in arrays for value in array.to_pylist()]
        assert got["x"].to_pylist() == expected, f"seed {seed}: {kind}"
    figure("random layouts", arrays=2 * layouts)
