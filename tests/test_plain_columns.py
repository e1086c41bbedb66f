"""Streams of numbers, times, strings and binaries only: they come in from C by a shorter way."""

import datetime as dt
import decimal

import pyarrow as pa
import pytest

import respool

ROWS = 1000
EVERY_THIRD = [i if i % 3 else None for i in range(ROWS)]


def column(kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind):
        values = [None if i is None else decimal.Decimal(i) for i in EVERY_THIRD]
    elif pa.types.is_timestamp(kind):
        start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        values = [None if i is None else start + dt.timedelta(seconds=i) for i in EVERY_THIRD]
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = [None if i is None else i % 100 for i in EVERY_THIRD]
    else:
        values = [None if i is None else "x" * (i % 17) for i in EVERY_THIRD]
    return pa.array(values, kind)


KINDS = [
    *(pa.int8(), pa.int64(), pa.uint16(), pa.float32(), pa.float64()),
    *(pa.decimal128(20, 2), pa.timestamp("us", tz="UTC")),
    *(pa.string(), pa.large_string(), pa.binary(), pa.large_binary()),
]
TABLE = pa.table([column(kind) for kind in KINDS], [str(kind) for kind in KINDS])
WITHOUT_NULLS = TABLE.drop_null()


@pytest.mark.parametrize("rows", [1, 7, 8, 1000])
@pytest.mark.parametrize("table", [TABLE, WITHOUT_NULLS], ids=["nulls", "no nulls"])
@pytest.mark.parametrize("start", [0, 13])
def test_slices_come_back_equal(table, rows, start):
    table = table.slice(start)
    cache = respool.StreamCache(table.to_reader(rows))
    for _ in range(2):
        found = pa.table(cache)
        found.validate(full=True)
        assert found.equals(table)


def test_columns_of_nulls_and_of_empty_strings():
    table = pa.table({"n": pa.nulls(9, pa.int32()), "s": [""] * 9, "b": pa.nulls(9, pa.binary())})
    found = pa.table(respool.StreamCache(table.to_reader(4)))
    found.validate(full=True)
    assert found.equals(table)


def test_buffers_that_are_not_aligned():
    numbers = pa.py_buffer(b"?" + b"".join(i.to_bytes(8, "little") for i in range(9))).slice(1)
    array = pa.Array.from_buffers(pa.int64(), 9, [None, numbers])
    assert numbers.address % 8
    batch = pa.record_batch({"n": array, "s": ["x"] * 9})
    cache = respool.StreamCache(pa.RecordBatchReader.from_batches(batch.schema, [batch]))
    assert pa.table(cache)["n"].to_pylist() == list(range(9))


def test_batches_outlive_their_source():
    cache = respool.StreamCache(TABLE.to_reader(100))
    batches = list(cache)
    cache.close()
    del cache
    assert pa.Table.from_batches(batches).equals(TABLE)
