"""Rows to filter, with everything that two libraries may see otherwise, and those that pass."""

import datetime as dt
import math
import operator
from decimal import Decimal

import pyarrow as pa

import respool
from respool._filters import predicate

NAN, INF = math.nan, math.inf
UTC = dt.UTC
NOON = dt.datetime(2020, 6, 1, 12)  # noqa: DTZ001 - naive on purpose
NOON_UTC = NOON.replace(tzinfo=UTC)
DAY = dt.date(2020, 6, 1)
OPERATORS = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def around(middle: dt.date | dt.datetime, step: dt.timedelta) -> list[object]:
    return [middle - step, middle, middle + step, None, middle]


def instants(unit: str, zone: str | None) -> pa.Array:
    middle = NOON if zone is None else NOON_UTC
    return pa.array(around(middle, dt.timedelta(seconds=1)), pa.timestamp(unit, zone))


DECIMALS = [Decimal("1.50"), Decimal("-2.00"), None, Decimal("0.00"), Decimal("9.99")]
TEXTS = ["", "b", None, "\xe9", "ba"]
COLUMNS = {
    "int8": pa.array([-1, 0, 2, None, 127], pa.int8()),
    "int32": pa.array([-5, 0, 2, None, 3], pa.int32()),
    "int64": pa.array([-5, 0, 2, None, 3], pa.int64()),
    "uint8": pa.array([0, 1, 2, None, 255], pa.uint8()),
    "uint64": pa.array([0, 1, 2, None, 255], pa.uint64()),
    "float32": pa.array([0.1, -0.0, NAN, None, 2.0], pa.float32()),
    "float64": pa.array([0.0, -0.0, NAN, None, 2.0], pa.float64()),
    "infinite": pa.array([INF, -INF, NAN, None, 0.5], pa.float64()),
    "bool": pa.array([True, False, None, True, False]),
    "text": pa.array(TEXTS),
    "text_large": pa.array(TEXTS, pa.large_string()),
    "bytes": pa.array(TEXTS).cast(pa.binary()),
    "fixed": pa.array([b"aa", b"ab", None, b"\x00\x00", b"\xff\xff"], pa.binary(2)),
    "date": pa.array(around(DAY, dt.timedelta(days=1)), pa.date32()),
    "date64": pa.array(around(DAY, dt.timedelta(days=1)), pa.date64()),
    **{f"naive_{unit}": instants(unit, None) for unit in ("s", "ms", "us", "ns")},
    **{f"utc_{unit}": instants(unit, "UTC") for unit in ("s", "ms", "us", "ns")},
    "berlin": instants("us", "Europe/Berlin"),
    "time": pa.array(
        [dt.time(1), dt.time(2, 0, 1), None, dt.time(0), dt.time(23)], pa.time64("us")
    ),
    "duration": pa.array([dt.timedelta(k) if k else None for k in (1, 0, -1, 2, 3)]),
    "decimal": pa.array(DECIMALS, pa.decimal128(9, 2)),
    "decimal256": pa.array(DECIMALS, pa.decimal256(50, 2)),
    "category": pa.array(["b", "", None, "b", "ba"]).dictionary_encode(),
    "coded": pa.array([NAN, 1.0, None, -0.0, 1.0]).dictionary_encode(),
}


def table() -> pa.Table:
    """Three batches: as it is, of NULLs alone, and in another order."""
    plain = pa.table(COLUMNS)
    nulls = pa.table({name: pa.nulls(5, array.type) for name, array in COLUMNS.items()})
    turned = plain.take([4, 2, 1, 0, 3])
    whole = pa.concat_tables([plain, nulls, turned])
    return whole.append_column("row", pa.array(range(15))).append_column(
        "nested", structs(whole["int32"].combine_chunks(), whole["float64"].combine_chunks())
    )


def structs(number: pa.Array, float_: pa.Array) -> pa.Array:
    mask = pa.array([row % 4 == 2 for row in range(15)])
    return pa.StructArray.from_arrays([number, float_], ["n", "f"], mask=mask)


def stored(rows: pa.Table) -> respool.StreamCache:
    """Keep the rows in three batches."""
    cache = respool.cache(rows.to_reader(max_chunksize=5))
    cache.ingest_all()
    assert cache.num_batches == 3
    return cache


class Stream:
    def __init__(self, capsule):
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema=None):
        return self._capsule


def passing(view, what) -> list[int]:
    found = view._scan([view.schema.get_field_index("row")], predicate(what, view))
    return pa.RecordBatchReader.from_stream(Stream(found)).read_all()["row"].to_pylist()
