"""Filters in the words of pyarrow that are not exact, or name no column: they are refused by name."""

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import respool
from filtering import NAN, NOON, NOON_UTC, stored, table
from respool._filters import predicate


@pytest.fixture(scope="module")
def cache():
    return stored(table())


FIELD = pc.field
NOT_EXACT = [
    (FIELD("float64").isin([0.0]), r"is_in\(float64.*0\.0 from -0\.0"),
    (FIELD("float64").isin([NAN]), "one NaN from another"),
    (FIELD("float32").isin([0]), r"0\.0 from -0\.0"),
    (FIELD("float32").isin([0.7]), "can't hold all of the list"),
    (FIELD("date").isin([NOON]), "can't hold all of the list"),
    (FIELD("date64").isin([NOON]), "for its day"),
    (FIELD("int32").isin(["1"]), "can't hold all of the list"),
    (FIELD("int32") + 1 > 2, r"by add_checked\(int32, 1\): this function is not known"),
    (FIELD("int32") > FIELD("int64"), r"\(int32 > int64\)"),
    (FIELD("int32").cast(pa.int8()) > 2, r"by cast\(int32\): this"),
    (
        (FIELD("int32") > 1) & (pc.utf8_upper(FIELD("text")) == "B"),
        r"by utf8_upper\(text\): this",
    ),
    (pc.starts_with(FIELD("text"), "B", ignore_case=True), "starts_with of string"),
    (FIELD("int32"), "neither true nor false"),
    (FIELD("int32") == "1", r"int32 can't hold 1 \(string\)"),
    (FIELD("naive_s") > NOON + dt.timedelta(microseconds=1), r"timestamp\[s\] can't hold"),
    (FIELD("naive_us") > NOON_UTC, r"timestamp\[us\] can't hold"),
    (FIELD("date") == NOON, r"date32\[day\] can't hold"),
    (FIELD("decimal256") > 1.5, "can't hold 1.5"),
    (FIELD("decimal") > math.inf, "can't hold inf"),
    (FIELD("int32").isin([1.5]), "not all of the list are integers"),
    (FIELD("int32").isin([NAN]), "not all of the list are integers"),
    (FIELD("decimal") > Decimal("1.505"), "can't hold 1.505"),
    (FIELD("int64") < 1e300, "can't hold"),
    (FIELD("missing") > 1, "no column 'missing'; the columns are"),
    (FIELD("nested", "missing") > 1, "no single plain column 'nested.missing'"),
    (FIELD("nested") == 1, "can't hold 1"),
    (FIELD(0) > 1, "can't be read"),
    (pc.scalar(1), "no test of a column"),
    ([("nested.n", ">", 1)], "no column 'nested.n'"),
]


@pytest.mark.parametrize(("what", "text"), NOT_EXACT, ids=lambda value: str(value)[:30])
def test_what_is_not_exact_is_refused_by_name(cache, what, text):
    with pytest.raises(ValueError, match=text):
        predicate(what, cache)


@pytest.mark.parametrize("what", ["int32 > 1", 1, None, {"int32": 1}, True, pa.array([True])])
def test_what_is_no_filter_is_a_type_error(cache, what):
    with pytest.raises(TypeError, match=r"expected a pyarrow\.compute\.Expression"):
        predicate(what, cache)


def test_columns_with_the_same_name_are_refused():
    twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    inner = [pa.field("n", pa.int64()), pa.field("n", pa.int64())]
    within = pa.table(
        {"a": pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], fields=inner)}
    )
    with pytest.raises(ValueError, match="no single plain column 'a'"):
        predicate(pc.field("a") == 1, respool.cache(twice))
    with pytest.raises(ValueError, match=r"no single plain column 'a\.n'"):
        predicate(pc.field("a", "n") == 1, respool.cache(within))


def test_an_expression_that_reads_otherwise_is_refused(cache, monkeypatch):
    from respool._filters import expression as module

    tree_of = module._tree

    def altered(table):
        call = tree_of(table)
        other = module.Literal(pa.array([2]))
        arguments = (call.arguments[0], other)
        return module.Call(
            call.function, arguments, None, module._built(call.function, arguments, None)
        )

    monkeypatch.setattr(module, "_tree", altered)
    assert predicate(pc.field("int32") > 2, cache).is_exact
    with pytest.raises(ValueError, match="a form that is not known"):
        predicate(pc.field("int32") > 1, cache)
