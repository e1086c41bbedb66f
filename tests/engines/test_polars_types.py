"""What Polars takes from Arrow, what it is given instead, and what it is refused."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import respool
import respool.polars
from respool._polars.prune import kept_batches
from respool._polars.types import Table

ENGINES = pytest.mark.parametrize("engine", ["in-memory", "streaming"])
IS_POLARS_1 = pl.__version__.startswith("1.")
BIG = Decimal(10) ** 50


def runs(values: pa.Array) -> pa.Array:
    return pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), values)


def struct_of(values: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays([values], ["a"])


def same(kind: pa.DataType, values: list) -> pa.Array:
    return pa.array(values, kind)


# As they are.
PLAIN = {
    str(kind): same(kind, [1, None, 3])
    for kind in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float32(), pa.float64(), pa.date32()),
        *(f(u) for f in (pa.timestamp, pa.duration) for u in ("s", "ms", "us", "ns")),
        *(pa.timestamp(u, "Europe/Berlin") for u in ("s", "us")),
        *(pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
        pa.decimal128(20, 3),
    )
}
PLAIN |= {
    "bool": same(pa.bool_(), [True, None, False]),
    "null": pa.nulls(3),
    "date64": same(pa.date64(), [0, None, 86_400_000]),
    "string": same(pa.string(), ["a", None, "more than twelve bytes"]),
    "large_string": same(pa.large_string(), ["a", None, "more than twelve bytes"]),
    "string_view": same(pa.string_view(), ["a", None, "more than twelve bytes"]),
    "binary": same(pa.binary(), [b"a", None, b"\xff more than twelve bytes"]),
    "large_binary": same(pa.large_binary(), [b"a", None, b"\xff more than twelve bytes"]),
    "binary_view": same(pa.binary_view(), [b"a", None, b"\xff more than twelve bytes"]),
    "fixed_size_binary": same(pa.binary(3), [b"abc", None, b"xyz"]),
    "dictionary of numbers": same(pa.int64(), [1, None, 1]).dictionary_encode(),
    "list": same(pa.list_(pa.int64()), [[1, 2], None, []]),
    "large_list": same(pa.large_list(pa.int64()), [[1, 2], None, []]),
    "fixed_size_list": same(pa.list_(pa.int64(), 2), [[1, 2], None, [3, 4]]),
    "list of strings": same(pa.list_(pa.string()), [["a"], None, ["b", None]]),
    "struct": same(
        pa.struct([("a", pa.int64()), ("b", pa.string())]), [{"a": 1, "b": "x"}, None, {}]
    ),
}

# Cast, and what to.
CAST = {
    "runs of text": (runs(pa.array(["a", None])), ["a", "a", None], pl.String()),
    "runs of numbers": (runs(pa.array([5, 6])), [5, 5, 6], pl.Int64()),
    "list_view": (
        same(pa.list_view(pa.int64()), [[1, 2], None, []]),
        [[1, 2], None, []],
        pl.List(pl.Int64),
    ),
    "large_list_view": (
        same(pa.large_list_view(pa.int64()), [[1, 2], None, []]),
        [[1, 2], None, []],
        pl.List(pl.Int64),
    ),
    "float16": (
        same(pa.float32(), [1.0, None, 7.5]).cast(pa.float16()),
        [1.0, None, 7.5],
        getattr(pl, "Float16", pl.Float32)(),
    ),
    "decimal256 that fits": (
        same(pa.decimal256(60, 3), [Decimal("1.234"), None, Decimal(-5)]),
        [Decimal("1.234"), None, Decimal(-5)],
        pl.Decimal(38, 3),
    ),
    "decimal of hundreds": (
        same(pa.decimal128(5, -2), [Decimal(100), None, Decimal(300)]),
        [Decimal(100), None, Decimal(300)],
        pl.Decimal(7, 0),
    ),
    "dictionary of decimal256": (
        pa.DictionaryArray.from_arrays(
            pa.array([0, None, 1]), same(pa.decimal256(50, 0), [Decimal(1), Decimal(2)])
        ),
        [Decimal(1), None, Decimal(2)],
        pl.Decimal(38, 0),
    ),
    "struct of list_view": (
        same(pa.struct([("a", pa.list_view(pa.int8()))]), [{"a": [1]}, None, {"a": None}]),
        [{"a": [1]}, None, {"a": None}],
        pl.Struct({"a": pl.List(pl.Int8)}),
    ),
}
if hasattr(pa, "decimal64"):
    # Polars itself reads beyond these buffers.
    CAST["decimal32"] = (
        same(pa.decimal32(5, 2), [Decimal("1.25"), None, Decimal(-5)]),
        [Decimal("1.25"), None, Decimal(-5)],
        pl.Decimal(5, 2),
    )
    CAST["decimal64"] = (
        same(pa.decimal64(15, 2), [Decimal("1.25"), None, Decimal(-5)]),
        [Decimal("1.25"), None, Decimal(-5)],
        pl.Decimal(15, 2),
    )

UNION = pa.UnionArray.from_dense(
    pa.array([0, 1, 0], pa.int8()),
    pa.array([0, 0, 1], pa.int32()),
    [pa.array([1, 2]), pa.array(["x"])],
)
REFUSED = {
    "union": (UNION, "no unions"),
    "struct of union": (struct_of(UNION), "no unions"),
    "interval": (
        same(pa.month_day_nano_interval(), [(1, 2, 3), None, (0, 0, 0)]),
        "no calendar intervals",
    ),
    "decimal256 with a long fraction": (
        same(pa.decimal256(60, 50), [Decimal(1), None, None]),
        "38 digits",
    ),
}
TOO_LARGE = {
    "decimal256": same(pa.decimal256(60, 3), [BIG, None, None]),
    "timestamp[s]": same(pa.timestamp("s"), [1 << 62, None, None]),
    "duration[s]": same(pa.duration("s"), [1 << 62, None, None]),
}


def cached(column: pa.Array) -> respool.StreamCache:
    # The last column is the one that counts rows in Polars 1.
    return respool.StreamCache(pa.record_batch([column, pa.array([1, 2, 3])], names=["x", "k"]))


@ENGINES
@pytest.mark.parametrize("name", PLAIN)
def test_as_polars_reads_it(name, engine):
    cache = cached(PLAIN[name])
    wanted = pl.DataFrame(pa.record_batch([PLAIN[name], pa.array([1, 2, 3])], names=["x", "k"]))
    for _ in range(2):
        lazy = cache.lazy()
        assert lazy.collect_schema() == wanted.schema
        assert_frame_equal(lazy.collect(engine=engine), wanted)
        assert_frame_equal(lazy.filter(pl.col("k") == 3).collect(engine=engine), wanted[2:])


@ENGINES
@pytest.mark.parametrize("name", CAST)
def test_cast_without_loss(name, engine):
    column, values, dtype = CAST[name]
    lazy = cached(column).lazy()
    for _ in range(2):
        assert lazy.collect_schema()["x"] == dtype
        got = lazy.collect(engine=engine)
        assert got["x"].to_list() == values
        assert got.schema == lazy.collect_schema()


@ENGINES
@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name_and_only_when_asked_for(name, engine):
    column, why = REFUSED[name]
    lazy = cached(column).lazy()
    lazy.explain()
    for _ in range(2):
        assert lazy.select("k").sum().collect(engine=engine).item() == 6
        assert lazy.filter(pl.col("k") > 1).select("k").collect(engine=engine).height == 2
        assert lazy.select(pl.len()).collect(engine=engine).item() == 3
        for query in (lazy, lazy.select("x")):
            with pytest.raises(Exception, match=f"column 'x' is .*{why}.*cast it"):
                query.collect(engine=engine)


@ENGINES
@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_does_not_fit_is_an_error_that_names_the_column(name, engine):
    lazy = cached(TOO_LARGE[name]).lazy()
    for _ in range(2):
        lazy.explain()
        assert lazy.select("k").sum().collect(engine=engine).item() == 6
        with pytest.raises(Exception, match='cannot cast column "x" from'):
            lazy.collect(engine=engine)


@ENGINES
def test_dictionaries_that_change(engine):
    parts = [["a", "b"], ["b", "c"], ["a", None], ["c", "c"]]
    batches = [pa.record_batch({"x": pa.array(part).dictionary_encode()}) for part in parts]
    for read in (False, True):
        cache = respool.StreamCache(pa.RecordBatchReader.from_batches(batches[0].schema, batches))
        if read:
            cache.ingest_all()
        lazy = cache.lazy()
        for _ in range(2):
            got = lazy.collect(engine=engine)["x"].cast(pl.String).to_list()
            assert got == [value for part in parts for value in part]
            text = pl.col("x").cast(pl.String)
            assert lazy.filter(text == "c").collect(engine=engine).height == 3
            assert lazy.filter(pl.col("x") == "b").collect(engine=engine).height == 2


@ENGINES
@pytest.mark.skipif(IS_POLARS_1, reason="maps came with Polars 2.0")
def test_maps(engine):
    column = same(pa.map_(pa.string(), pa.int64()), [[("a", 1)], None, []])
    lazy = cached(column).lazy()
    wanted = pl.DataFrame(pa.record_batch([column], names=["x"]))
    assert_frame_equal(lazy.select("x").collect(engine=engine), wanted)


@pytest.mark.skipif(not hasattr(pa, "uuid"), reason="pyarrow 18 has it")
def test_extension_types():
    column = pa.ExtensionArray.from_storage(pa.uuid(), same(pa.binary(16), [b"0" * 16, None, None]))
    got = cached(column).lazy().collect()["x"]
    assert got.to_list() == [b"0" * 16, None, None]


def test_zone_maps_of_types_that_polars_sees_otherwise():
    def batch(i: int) -> pa.RecordBatch:
        seconds = [i * 100, i * 100 + 50]
        return pa.record_batch(
            {
                "ts": same(pa.timestamp("s"), seconds),
                "d64": same(pa.date64(), [i * 86_400_000] * 2),
                "dec": same(pa.decimal256(50, 2), [Decimal(i), Decimal(i)]),
                "runs": pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array([i])),
                "t": same(pa.time32("s"), [i, i]),
                "u": same(pa.uint8(), [i, i]),
                "st": struct_of(pa.array([i, None])),
                "dict": pa.array([f"v{i}"] * 2).dictionary_encode(),
                "fsb": same(pa.binary(2), [bytes([0, i])] * 2),
            }
        )

    batches = [batch(i) for i in range(10)]
    cache = respool.StreamCache(pa.RecordBatchReader.from_batches(batches[0].schema, batches))
    cache.ingest_all()
    table, lazy = Table(cache), cache.lazy()
    moment = dt.datetime(1970, 1, 1, 0, 5, 0)  # noqa: DTZ001
    filters = {
        "ts": pl.col("ts") == pl.lit(moment, dtype=pl.Datetime("ms")),
        "d64": pl.col("d64") == pl.lit(dt.datetime(1970, 1, 4), dtype=pl.Datetime("ms")),  # noqa: DTZ001
        "dec": pl.col("dec") == pl.lit(Decimal(3), dtype=pl.Decimal(38, 2)),
        "runs": pl.col("runs") == 3,
        "t": pl.col("t") == dt.time(0, 0, 3),
        "u": pl.col("u") == 3,
        "st": pl.col("st").struct.field("a") == 3,
        "dict": pl.col("dict") == "v3",
        "fsb": pl.col("fsb") == b"\x00\x03",
    }
    unknown = {"d64", "dict"} if hasattr(pl, "Categories") else {"d64"}
    for name, predicate in filters.items():
        kept = kept_batches(table, [predicate]) or [True] * 10
        assert kept[3]
        if name not in unknown:
            assert sum(kept) == 1, name
        for _ in range(2):
            assert lazy.filter(predicate).select("u").collect()["u"].unique().to_list() == [3]
