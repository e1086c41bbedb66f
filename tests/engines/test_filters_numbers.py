"""Numbers of one type against numbers of another, as pyarrow compares them."""

import itertools
import math
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import respool
from filtering import OPERATORS, passing
from respool._filters import predicate

SHAPES = [(1, 0), (5, 2), (9, 2), (9, 9), (15, 2), (15, 15)]


def around(number: float, precision: int, scale: int) -> list[Decimal]:
    """The decimals next to a number that the type has."""
    step = Decimal(1).scaleb(-scale)
    near = Decimal(number).quantize(step)
    most = Decimal(10**precision - 1).scaleb(-scale)
    return [near + k * step for k in (-2, -1, 0, 1, 2) if abs(near + k * step) <= most]


@pytest.mark.parametrize(("precision", "scale"), SHAPES)
def test_decimals_and_floats(precision, scale):
    most = float(10**precision - 1) / 10**scale
    numbers = [0.0, -0.0, 0.1, 0.3, 1.5, -1.5, 2.675, 1 / 3, most, -most, most / 3, most * 0.7]
    numbers += [math.nextafter(number, inf) for number in numbers for inf in (-math.inf, math.inf)]
    taken = asked = 0
    for number in numbers:
        values = [None, *around(number, precision, scale)]
        rows = pa.table({"row": range(len(values))}).append_column(
            "d", pa.array(values, pa.decimal128(precision, scale))
        )
        view = respool.cache(rows)
        for compare in OPERATORS.values():
            for expression in (compare(pc.field("d"), number), ~compare(pc.field("d"), number)):
                asked += 1
                try:
                    found = passing(view, expression)
                except ValueError:
                    continue
                taken += 1
                assert found == rows.filter(expression)["row"].to_pylist(), expression
    # What lies beyond the type, or next to its end, need not be taken.
    assert taken > asked / 2, (taken, asked)


@pytest.mark.parametrize("number", [1.5, 0.1, 100.0])
def test_common_ones_are_taken(number):
    rows = pa.table({"row": [0, 1, 2]}).append_column(
        "d", pa.array([Decimal("0.10"), Decimal("1.51"), Decimal("100.00")], pa.decimal128(15, 2))
    )
    for name in OPERATORS:
        filters = [("d", name, number)]
        expression = OPERATORS[name](pc.field("d"), number)
        assert passing(respool.cache(rows), filters) == rows.filter(expression)["row"].to_pylist()


def test_nan_is_no_decimal():
    rows = pa.table({"row": [0, 1], "d": pa.array([Decimal(1), None], pa.decimal128(9, 2))})
    for compare in OPERATORS.values():
        for expression in (compare(pc.field("d"), math.nan), ~compare(pc.field("d"), math.nan)):
            found = passing(respool.cache(rows), expression)
            assert found == rows.filter(expression)["row"].to_pylist()


def test_decimals_of_more_digits_are_refused():
    rows = pa.table({"d": pa.array([Decimal(1)], pa.decimal128(20, 2))})
    with pytest.raises(ValueError, match=r"can't hold 1\.5"):
        predicate(pc.field("d") > 1.5, respool.cache(rows))


INTEGERS = {
    "int8": [-128, -1, 0, 1, 127, None],
    "uint8": [0, 1, 255, None],
    "int64": [-(1 << 53), -1, 0, 1, 1 << 53, (1 << 53) + 1, (1 << 63) - 1, None],
    "uint64": [0, 1, 1 << 53, (1 << 53) + 1, (1 << 64) - 1, None],
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_in_lists_of_floats(name):
    rows = pa.table({"row": range(len(INTEGERS[name]))}).append_column(
        "i", pa.array(INTEGERS[name], pa.type_for_alias(name))
    )
    view = respool.cache(rows)
    lists = ([1.0], [0.0], [-0.0], [1.0, 127.0], [1.0, None], [2.0**53], [2.0], [])
    for values, skip in itertools.product(lists, (False, True)):
        if max((value or 0 for value in values), default=0) > 255 and name.endswith("8"):
            continue
        floats = pa.array(values, pa.float64())
        listed = pc.is_in(pc.field("i"), floats, skip_nulls=skip)
        for expression in (listed, ~listed):
            assert passing(view, expression) == rows.filter(expression)["row"].to_pylist()
    assert passing(view, [("i", "in", [1.0])]) == passing(view, [("i", "in", [1])])
