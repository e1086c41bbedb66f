"""Caches that keep other encodings only: whoever reads them gets what came in, to the bit."""

import gc
import struct
import weakref
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import respool
from arrow_types import ARRAYS, LENGTH
from sources import Source, expected

WAYS = ["duckdb", "polars", "views"]
STORES = {
    "memory": {"memory": None, "disk": None},
    "log": {"memory": 0, "disk": "1 GiB", "allow_tmpfs": True},
    "log of lz4": {"memory": 0, "disk": "1 GiB", "compression": "lz4", "allow_tmpfs": True},
}


@pytest.fixture(params=STORES)
def store(request, log_dir):
    options = STORES[request.param]
    return options | ({} if options["disk"] is None else {"directory": log_dir})


@pytest.mark.parametrize("optimize", WAYS)
@pytest.mark.parametrize("kind", ARRAYS)
def test_every_type_comes_back(kind, optimize, store):
    field = pa.field("x", ARRAYS[kind].type, metadata={"of": "the field"})
    schema = pa.schema([field, pa.field("s", pa.string())], {"of": "the schema"})
    texts = pa.array([None if i % 5 == 1 else f"text {i % 3}" for i in range(LENGTH)])
    whole = pa.record_batch([ARRAYS[kind], texts], schema=schema)
    batches = [whole, whole.slice(3, 7), whole.slice(0, 0)]
    source = pa.RecordBatchReader.from_batches(schema, batches)
    cache = respool.cache(source, optimize=optimize, **store)
    for _ in range(2):
        given = list(cache)
        assert [one.schema for one in given] == [schema] * 3
        assert all(one.schema.equals(schema, check_metadata=True) for one in given)
        for one, other in zip(given, batches, strict=True):
            one.validate(full=True)
            assert one.equals(other)
    assert cache.batch(1).equals(batches[1])
    assert (
        pa.table(cache.select("s").slice(2, 12))["s"].to_pylist()
        == (texts.to_pylist() + texts.to_pylist()[3:10])[2:14]
    )


COLUMNS = {
    "small": pa.decimal128(9, 2),
    "middle": pa.decimal128(18, 2),
    "wide": pa.decimal128(38, 2),
    "text": pa.string(),
    "large": pa.large_string(),
    "view": pa.string_view(),
    "bytes": pa.binary(),
    "float": pa.float64(),
}
DIGITS = {"small": 9, "middle": 18, "wide": 38}


def _value(name: str, number: int, seed: str) -> object:
    if name in DIGITS:
        digits = DIGITS[name]
        return Decimal(pow(7, 3 * number + 1, 10**digits) * (-1) ** number).scaleb(-2)
    if name == "float":
        return struct.unpack("d", struct.pack("Q", pow(3, 90 * number + 1, 2**64)))[0]
    text = seed * (number % 5) + str(number)
    return text.encode() if name == "bytes" else text


@st.composite
def streams(draw):
    schema = pa.schema(COLUMNS)
    seed = draw(st.text(max_size=8))
    batches = []
    for rows in draw(st.lists(st.integers(0, 700), max_size=4)):
        columns = []
        for name, kind in COLUMNS.items():
            # So many distinct ones: a dictionary for one batch may be none for the next.
            distinct = draw(st.sampled_from([1, 2, 60, 70, 300, 700]))
            nulls = draw(st.sampled_from([0, 2, 7]))
            values = [
                None if nulls and row % nulls == 1 else _value(name, row * 11 % distinct, seed)
                for row in range(rows)
            ]
            columns.append(pa.array(values, kind))
        batch = pa.record_batch(columns, schema=schema)
        cut = draw(st.integers(0, rows))
        batches.append(batch.slice(cut) if draw(st.booleans()) else batch)
    return schema, batches


def _bits(batch: pa.RecordBatch) -> list[object]:
    """What can be compared: NaN is not equal to itself, its bits are."""
    return [batch.drop_columns("float"), batch["float"].view(pa.int64())]


@given(streams(), st.sampled_from(WAYS), st.booleans())
def test_random_streams_come_back(tmp_path_factory, stream, optimize, spills):
    schema, batches = stream
    options = {"memory": None, "disk": None}
    if spills:
        directory = tmp_path_factory.getbasetemp()
        options = {"memory": 30_000, "disk": "1 GiB", "directory": directory, "allow_tmpfs": True}
    source = pa.RecordBatchReader.from_batches(schema, batches)
    with respool.cache(source, optimize=optimize, **options) as cache:
        for _ in range(2):
            assert list(map(_bits, cache)) == list(map(_bits, batches))


@pytest.mark.parametrize("optimize", WAYS)
def test_what_came_in_is_let_go(optimize):
    """A batch is given back as a whole: what is kept of it must not hold what was converted."""

    class Owner:
        pass

    def source():
        owner = Owner()
        gone.append(weakref.ref(owner))
        data = bytes(range(256)) * 512
        buffer = pa.foreign_buffer(pa.py_buffer(data).address, len(data), base=(owner, data))
        numbers = pa.Array.from_buffers(pa.int64(), 16_000, [None, buffer])
        texts = pa.array(["text"] * 16_000)
        yield pa.record_batch({"n": numbers, "s": texts})

    gone = []
    schema = pa.schema({"n": pa.int64(), "s": pa.string()})
    cache = respool.cache(source(), schema=schema, optimize=optimize)
    cache.ingest_all()
    gc.collect()
    assert [one() for one in gone] == [None]
    assert cache.num_rows == 16_000


def test_memory_full_resize_and_the_rest():
    source = Source(20, rows=1000)
    cache = respool.cache(source.reader(), memory="100 KiB", disk=None, optimize="duckdb")
    for _ in range(3):
        with pytest.raises(MemoryError):
            cache.ingest_all()
    cache.resize(memory=None)
    assert pa.table(cache).equals(expected(20, 1000))
    assert source.pulls == 21


def test_a_failed_source_gives_its_batches_and_then_its_error():
    def source():
        yield pa.record_batch({"s": ["a", "b"]})
        raise RuntimeError("the wire broke")

    cache = respool.cache(source(), schema=pa.schema({"s": pa.string()}), optimize="duckdb")
    for _ in range(2):
        reader = cache.reader()
        assert next(reader).to_pydict() == {"s": ["a", "b"]}
        with pytest.raises(RuntimeError, match="the wire broke"):
            next(reader)


def test_views_of_views_casts_and_filters():
    table = pa.table(
        {
            "s": [f"v{i % 4}" for i in range(1000)],
            "d": pa.array([Decimal(i).scaleb(-2) for i in range(1000)], pa.decimal128(12, 2)),
        }
    )
    plain, kept = (
        respool.cache(table.to_reader(100), optimize=optimize) for optimize in (None, "duckdb")
    )

    def shown(cache):
        wider = pa.schema({"d": pa.decimal128(20, 4), "s": pa.large_string()})
        some = cache.filter([("d", ">", Decimal("2.50")), ("s", "in", ["v1", "v3"])])
        return [
            pa.table(view)
            for view in (
                some,
                some.slice(7, 90),
                cache.select("d", "s").cast(wider),
                cache.select("d", "s").cast(wider).slice(150, 33),
                cache.slice(450, 300).prefix(),
            )
        ]

    assert shown(kept) == shown(plain)
    assert kept.nbytes == plain.nbytes
    assert kept.schema == plain.schema == table.schema


@pytest.mark.parametrize("optimize", WAYS)
def test_text_that_is_kept_as_views_is_given_so_without_a_copy(optimize):
    texts = [f"text {i} that is too long for a view" for i in range(1000)]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        table = pa.table({"s": pa.array(texts, kind), "n": range(1000)})
        views = pa.schema({"s": pa.string_view()})
        cache = respool.cache(table.to_reader(), optimize=optimize)
        shown = [next(iter(cache.select("s").cast(views)))["s"] for _ in range(2)]
        assert shown[0].to_pylist() == texts
        assert len({array.buffers()[1].address for array in shown}) == 1


@pytest.mark.parametrize("optimize", WAYS)
def test_threads_that_read_while_it_fills(optimize, store):
    source = Source(40, rows=2000)
    cache = respool.cache(source.reader(), optimize=optimize, **store)
    whole = expected(40, 2000)
    with ThreadPoolExecutor(4) as threads:
        read = [threads.submit(lambda: pa.table(cache)) for _ in range(8)]
        assert all(one.result().equals(whole) for one in read)
    assert source.pulls == 41


def test_joined_batches_are_encoded_together():
    cache = respool.cache(Source(20).reader(), coalesce_rows=100, optimize="duckdb")
    assert pa.table(cache).equals(expected(20))


@pytest.mark.parametrize("wrong", ["DuckDB", "", "parquet"])
def test_other_names_are_refused(wrong):
    with pytest.raises(ValueError, match="duckdb"):
        respool.cache(Source().reader(), optimize=wrong)


def test_a_log_with_a_path_refuses_it(log_dir):
    with pytest.raises(ValueError, match="optimize=True"):
        respool.cache(Source().reader(), path=log_dir / "log", optimize="duckdb")
    assert not (log_dir / "log").exists()


def test_slices_count_as_what_is_kept_of_them():
    prices = pa.array([Decimal(i % 1000) for i in range(100_000)], pa.decimal128(18, 2))
    given = pa.record_batch({"price": prices})
    for memory in ("1 MiB", "1.7 MiB", "2 MiB", "4 MiB"):
        cache = respool.cache(
            iter([given]),
            schema=given.schema,
            memory=memory,
            disk=None,
            optimize="duckdb",
            batch_rows=(None, 10_000),
        )
        assert sum(batch.num_rows for batch in cache) == 100_000


def test_what_can_not_be_copied_counts_with_all_that_it_holds():
    rows = 50_000
    prices = pa.array([Decimal(i % 1000) for i in range(rows)], pa.decimal128(9, 2))
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([rows], pa.int32()), pa.array([1]))
    big = pa.array(range(rows))
    nested = pa.ListArray.from_arrays(
        pa.array(range(rows + 1), pa.int32()),
        pa.DictionaryArray.from_arrays(big.cast(pa.int32()), big),
    )
    given = pa.record_batch({"price": prices, "runs": runs, "nested": nested})
    cache = respool.cache(given, memory=None, disk=None, optimize="duckdb")
    cache.ingest_all()
    del prices, runs, big, nested
    held = given.nbytes
    assert cache.metrics()["memory_bytes"] > held
