"""Filters of Polars as people write them: other names, other types, and what selects a column."""

import datetime as dt
from decimal import Decimal

import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pytest

import respool
from filtering import NAN, OPERATORS, passing
from respool._filters import predicate

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose
MICROSECOND = dt.timedelta(microseconds=1)
COL = pl.col
IS_POLARS_1 = pl.__version__.startswith("1.")
needs_polars_2 = pytest.mark.skipif(
    IS_POLARS_1, reason="Polars 1 does not take these apart: they are refused"
)


def extremes(name: str) -> list[int]:
    bits = int(name.strip("uint"))
    low, high = (0, (1 << bits) - 1) if name[0] == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)
    middle = [k for at in (0, 1 << 24, 1 << 53) for k in (at - 1, at, at + 1, at + 2)]
    return [k for k in (low, *middle, high) if low <= k <= high]


def padded(values: list[object], kind: pa.DataType) -> pa.Array:
    return pa.array([*values, *[None] * (16 - len(values))], kind)


@pytest.fixture(scope="module")
def rows():
    days = [dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2020, 6, 1), dt.date(1, 1, 1)]
    points = [-1001, -1000, -999, -1, 0, 1, 999, 1000, 1001, 86_400_000_000_000, None]
    columns = {
        "row": pa.array(range(16)),
        **{name: padded(extremes(name), pa.type_for_alias(name)) for name in INTEGERS},
        "day": padded(days, pa.date32()),
        **{f"in_{unit}": padded(points, pa.timestamp(unit)) for unit in ("ms", "us", "ns")},
        "utc": padded(points, pa.timestamp("ns", "UTC")),
        "category": padded(["b", "a", "", None, "b"], pa.string()).dictionary_encode(),
        "yes": padded([True, True, True, False, False, False, None, None, None], pa.bool_()),
        "no": padded([True, False, None] * 3, pa.bool_()),
    }
    return pa.table(columns)


@pytest.fixture(scope="module")
def cache(rows):
    cache = respool.cache(rows.to_reader(max_chunksize=6))
    cache.ingest_all()
    return cache


@pytest.fixture(scope="module")
def frame(rows):
    return pl.DataFrame(rows)


def check(cache, frame, expression):
    for part in (expression, ~expression):
        expected = frame.filter(part)["row"].to_list()
        assert passing(cache, part) == expected, part
        assert frame.lazy().filter(part).collect()["row"].to_list() == expected


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_and_floats(cache, frame, name):
    values = (0.0, -0.0, 0.1, 1.5, -1.5, 1e8, 2.9999999999, 16777215.5, 2.0**53 - 1)
    low, high = extremes(name)[0], extremes(name)[-1]
    # Beyond what the column can hold is refused, as it is for integers.
    for value in (value for value in values if low <= value <= high):
        for compare in OPERATORS.values():
            check(cache, frame, compare(COL(name), value))
            check(cache, frame, compare(pl.lit(value), COL(name)))
    check(cache, frame, COL(name).is_between(0.5, 2.5))
    check(cache, frame, COL(name) > pl.lit(1.5, pl.Float64))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_points_in_time_and_days_in_whatever_unit(cache, frame, unit):
    for compare in OPERATORS.values():
        for step in (-86_400_000_000, -1000, -1, 0, 1, 1000, 86_400_000_000):
            value = EPOCH + step * MICROSECOND
            # Milliseconds against what they can't hold are refused.
            if unit != "ms" or step % 1000 == 0:
                check(cache, frame, compare(COL(f"in_{unit}"), value))
            for other in ("ms", "us"):
                check(cache, frame, compare(COL("day"), pl.lit(value, pl.Datetime(other))))
            check(cache, frame, compare(COL(f"in_{unit}"), value.date()))
            if unit != "ms":
                coarse = pl.lit(value).cast(pl.Datetime("ms"))
                check(cache, frame, compare(COL(f"in_{unit}"), coarse))
        if not IS_POLARS_1:  # which makes more of it than a constant
            aware = (EPOCH + MICROSECOND).replace(tzinfo=dt.UTC)
            check(cache, frame, compare(COL("utc"), aware))
        check(cache, frame, compare(COL(f"in_{unit}"), pl.datetime(1970, 1, 1)))
        check(cache, frame, compare(COL(f"in_{unit}"), pl.date(1970, 1, 1)))
        check(cache, frame, compare(COL("day"), pl.date(1970, 1, 1)))
    check(cache, frame, COL(f"in_{unit}").is_between(dt.date(1970, 1, 1), dt.date(2020, 1, 1)))


def test_categories_and_text(cache, frame):
    for value in ("a", "", "missing"):
        check(cache, frame, COL("category") == value)
        check(cache, frame, COL("category") != value)
        check(cache, frame, COL("category").is_in([value, None, "b"]))
    check(cache, frame, COL("category").is_null())


OTHER_NAMES = [
    (COL("int32") > 1).alias("row"),
    COL("int32").alias("int8") > 1,
    (COL("int32").alias("q") > pl.lit(1).alias("r")).alias("s") & COL("yes").alias("no"),
    COL("yes").alias("no"),
]


@pytest.mark.parametrize("expression", OTHER_NAMES, ids=str)
def test_other_names_change_no_row(cache, frame, expression):
    check(cache, frame, expression)


SELECTED = [
    cs.by_name("int32") > 1,
    cs.date() > dt.date(2000, 1, 1),
    cs.starts_with("ye") | COL("no"),
    COL("^int3.$") > 1,
    pl.nth(3) > 1,
    pl.first() > 1,
    (pl.last() & COL("int8").is_null()) | cs.date().is_null(),
]


@needs_polars_2
@pytest.mark.parametrize("expression", SELECTED, ids=str)
def test_what_selects_one_column_is_that_column(cache, frame, expression):
    check(cache, frame, expression)


HORIZONTAL = [
    pl.all_horizontal(COL("yes"), COL("no")),
    pl.any_horizontal(COL("yes"), COL("no")),
    pl.all_horizontal("yes", COL("no"), COL("int32") > 1),
    pl.any_horizontal("yes", COL("no"), COL("int32") > 1, COL("int8").is_null()),
    pl.all_horizontal("yes"),
    pl.any_horizontal(pl.all_horizontal("yes", "no"), COL("row") == 3),
]


@needs_polars_2
@pytest.mark.parametrize("expression", HORIZONTAL, ids=str)
def test_all_and_any_of_several(cache, frame, expression):
    check(cache, frame, expression)


REFUSED = [
    COL("int8") > pl.lit(1.5, pl.Float32),
    COL("int64") < 2.0**53,
    COL("uint64") > float("inf"),
    COL("int32") > NAN,
    COL("category").cast(pl.Int32) > 0,
    COL("day") > pl.lit(EPOCH, pl.Datetime("ns")),
    COL("utc") > dt.date(1970, 1, 1),
    COL("in_ns") > dt.datetime(9000, 1, 1),  # noqa: DTZ001 - naive on purpose
    pl.all_horizontal(cs.boolean()),
    pl.any_horizontal(cs.integer() > 1),
    pl.all_horizontal(COL("yes"), COL("int32").shift(1) > 0),
    pl.len() > 3,
]


@pytest.mark.parametrize("expression", REFUSED, ids=str)
def test_what_is_not_surely_the_same_is_refused(cache, expression):
    with pytest.raises(ValueError, match=r"^cannot filter by"):
        predicate(expression, cache)


@pytest.mark.skipif(
    not hasattr(pl, "Categories"), reason="this Polars is given text in place of categories"
)
def test_the_order_of_categories_is_left_to_polars(cache):
    for expression in (COL("category") > "a", COL("category").is_between(pl.lit("a"), pl.lit("b"))):
        with pytest.raises(ValueError, match="not exact"):
            predicate(expression, cache)


def test_a_pattern_is_no_column_of_that_name():
    rows = pa.table({"row": [0, 1], "^a$": [1, 2], "a": [2, 1]})
    view, frame = respool.cache(rows), pl.DataFrame(rows)
    for expression in (COL("a") > 1, COL("^a$") > 1):
        assert passing(view, expression) == frame.filter(expression)["row"].to_list() == [0]
    with pytest.raises(ValueError, match=r"cannot filter by .*\^a\$"):
        predicate(cs.by_name("^a$") > 1, view)  # no name that `pl.col` would take as it is


def test_decimals_and_floats_are_left_to_polars():
    rows = pa.table({"price": pa.array([Decimal("1.5")], pa.decimal128(9, 2))})
    with pytest.raises(ValueError, match="not exact"):
        predicate(COL("price") > 1.25, respool.cache(rows))
