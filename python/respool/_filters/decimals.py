"""Decimals against floats, as pyarrow compares them: the decimals made floats.

How it rounds them is its own affair, and has changed. So pyarrow itself is asked, about the decimal that
lies next to the float and its two neighbours. That settles all others, as long as a greater decimal never
becomes a smaller float: so it is where every decimal of the type has no more digits than a double.
"""

from __future__ import annotations

import decimal
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from respool._native import Predicate
from respool._predicates import between

if TYPE_CHECKING:
    from respool._native import Term

DIGITS = 15
"""Integers of so many digits are floats of double precision."""


def compare_decimals(term: Term, operator: str, number: float) -> Predicate:
    """Compare decimals of 128 bits with a float; unknown where pyarrow might round two of them to it."""
    kind: Any = term.data_type
    if kind.precision > DIGITS or not 0 <= kind.scale <= DIGITS or not math.isfinite(number):
        return Predicate.unknown()
    if abs(number) >= 10**DIGITS:
        return Predicate.unknown()
    step = decimal.Decimal(1).scaleb(-kind.scale)
    with decimal.localcontext(prec=2 * DIGITS + 400):
        near = decimal.Decimal(number).quantize(step)
    asked: pa.Array[Any] = pa.array([near - step, near, near + step], pa.decimal128(38, kind.scale))
    less, equal = (
        compare(asked, pa.scalar(number, pa.float64())).to_pylist()
        for compare in (pc.less, pc.equal)
    )
    if not less[0] or equal[0] or less[2] or equal[2]:
        return Predicate.unknown()
    if equal[1]:
        return Predicate.compare(term, operator, asked[1:2])
    return between(term, operator, asked[1:2] if less[1] else asked[0:1])
