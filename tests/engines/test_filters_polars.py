"""A filter in the words of Polars gives the rows that Polars gives, or is refused."""

import datetime as dt
import random
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from filtering import DAY, NAN, NOON, OPERATORS, passing, stored, table
from respool._filters import predicate


@pytest.fixture(scope="module")
def rows():
    return table()


@pytest.fixture(scope="module")
def cache(rows):
    return stored(rows)


COL = pl.col
POLARS = [
    *(compare(COL("int32"), value) for compare in OPERATORS.values() for value in (2, -9, 0)),
    *(compare(COL("float64"), value) for compare in OPERATORS.values() for value in (0.0, 1, 2.0)),
    *(compare(COL("float32"), value) for compare in OPERATORS.values() for value in (0.1, 0, 2)),
    *(compare(COL("text"), value) for compare in OPERATORS.values() for value in ("", "b", "z")),
    *(compare(COL("naive_us"), NOON) for compare in OPERATORS.values()),
    *(compare(COL("date"), DAY) for compare in OPERATORS.values()),
    *(compare(COL("decimal"), Decimal("1.5")) for compare in OPERATORS.values()),
    COL("bool"),
    COL("bool") == False,  # noqa: E712
    pl.lit(1) < COL("int64"),
    COL("int32").is_in([2, 3]),
    COL("int32").is_in([2, None]),
    COL("text").is_in(["b", "\xe9"]),
    COL("float64").is_in([0.0, NAN]),
    COL("text").str.starts_with("b"),
    COL("int32").is_between(0, 2),
    COL("int32").is_between(0, 2, closed="none"),
    COL("int32").is_null(),
    COL("text").is_not_null(),
    COL("float64").is_nan(),
    COL("float32").is_not_nan(),
    COL("naive_us").dt.year() == 2020,
    COL("naive_us").dt.date() >= DAY,
    COL("nested").struct.field("n") > 0,
    COL("uint8").cast(pl.Int64) > 1,
    COL("duration") > dt.timedelta(1),
    COL("bytes") >= b"b",
    pl.lit(True),
]


@pytest.fixture(scope="module")
def frame(rows) -> pl.DataFrame:
    # Polars 1.30 shows what lies under a NULL struct, and not every Polars reads decimals of 256 bits.
    bare = pa.array(rows["nested"].to_pylist(), rows["nested"].type)
    number = rows.schema.get_field_index("nested")
    rows = rows.set_column(number, "nested", bare)
    return pl.DataFrame(rows.drop_columns(["decimal256"]))


def of_polars(frame, expression) -> list[int]:
    return frame.filter(expression)["row"].to_list()


@pytest.mark.parametrize("expression", POLARS, ids=str)
def test_expressions_of_polars_are_those_of_polars(cache, frame, expression):
    for part in (expression, ~expression):
        assert passing(cache, part) == of_polars(frame, part)


def test_random_expressions_of_polars_are_those_of_polars(cache, frame):
    draw = random.Random(7)  # noqa: S311

    def grown(depth):
        if depth == 0 or draw.random() < 0.2:
            return draw.choice(POLARS)
        match draw.choice(("and", "or", "not")):
            case "and":
                return grown(depth - 1) & grown(depth - 1)
            case "or":
                return grown(depth - 1) | grown(depth - 1)
        return ~grown(depth - 1)

    sizes = set()
    for _ in range(300):
        expression = grown(4)
        found = passing(cache, expression)
        assert found == of_polars(frame, expression), expression
        sizes.add(len(found))
    assert len(sizes) > 5


UNKNOWN = [
    (COL("text").str.contains("b"), "contains"),
    (
        (COL("int32") > 1) & (COL("text").str.len_chars() > 1),
        r"\[\(col\(.text.\)\.str\.len_chars",
    ),
    (~((COL("int32") > 1) | (COL("int64") > COL("int64").mean())), r"mean"),
    (COL("int32").is_in([1, None], nulls_equal=True), "is_in"),
    (COL("float64") > NAN, "NaN"),
    (COL("int32").eq_missing(2), r"col\(.int32.\)"),
    (COL("int32").shift(1) > 0, "shift"),
    (COL("int32").is_between(0, COL("int64")), "int64"),
    (COL("missing") > 1, "missing"),
    (COL("int32", "int64") > 1, "multiple expressions"),
    (COL("int32"), "[Bb]oolean"),
    (COL("decimal").cast(pl.Float64) > 1.1, "decimal"),
]


@pytest.mark.parametrize(("expression", "text"), UNKNOWN, ids=lambda value: str(value)[:40])
def test_what_is_unknown_of_polars_is_refused_by_name(cache, expression, text):
    with pytest.raises(ValueError, match=rf"cannot filter by .*{text}"):
        predicate(expression, cache)


@pytest.mark.skipif(
    pl.__version__.startswith("1."), reason="Polars 1 casts what it makes of datetimes"
)
def test_times_are_compared_in_the_coarser_unit_of_the_column(cache, frame):
    for compare in OPERATORS.values():
        assert passing(cache, compare(COL("naive_ms"), NOON)) == of_polars(
            frame, compare(COL("naive_ms"), NOON)
        )
    with pytest.raises(ValueError, match="naive_ms"):
        predicate(COL("naive_ms") > NOON + dt.timedelta(microseconds=1), cache)
