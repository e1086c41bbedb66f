"""Comparisons as people write them: of types that the optimiser would bring together first.

What Polars makes of them is told by value here, where it does so in every supported version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from respool._native import Predicate
from respool._polars.constants import UNITS
from respool._predicates import EXACT_IN_DOUBLE, between, compare_integers

if TYPE_CHECKING:
    from respool._polars.targets import Target


def compare(target: Target, operator: str, value: pl.Series) -> Predicate | None:
    """Compare a term with the only value of a series, of another type; None is unknown."""
    column, kind = target.dtype, value.dtype
    if column.is_integer() and kind == pl.Float64:
        number = value.item()
        # Polars makes the column floats. Smaller ones stay what they are, greater ones stay greater.
        is_exact = abs(number) < EXACT_IN_DOUBLE
        return compare_integers(target.term, operator, number) if is_exact else None
    if isinstance(column, pl.Categorical) and kind == pl.String:
        # Which text comes first depends on the version.
        is_equality = operator in ("=", "!=")
        return Predicate.compare(target.term, operator, value.to_arrow()) if is_equality else None
    if isinstance(column, pl.Datetime) and column.time_zone is None and kind == pl.Date:
        midnight = _held(value, column)
        return (
            None
            if midnight is None
            else Predicate.compare(target.term, operator, midnight.to_arrow())
        )
    if column == pl.Date and isinstance(kind, pl.Datetime) and kind.time_zone is None:
        return None if kind.time_unit == "ns" else _compare_day(target, operator, value)
    if isinstance(column, pl.Datetime) and isinstance(kind, pl.Datetime):
        is_same = column.time_zone == kind.time_zone
        is_coarser = UNITS.index(kind.time_unit) < UNITS.index(column.time_unit)
        return _compare_coarser(target, operator, value) if is_same and is_coarser else None
    return None


def _held(value: pl.Series, dtype: pl.DataType) -> pl.Series | None:
    """Return the value as one of this type; None if that can't hold it."""
    held = value.cast(dtype, strict=False)
    return held if held.cast(value.dtype, strict=False).equals(value) else None


def _compare_day(target: Target, operator: str, value: pl.Series) -> Predicate:
    """Compare a day, as its midnight, with a point in time."""
    day = value.dt.date()
    if day.cast(value.dtype).equals(value):
        return Predicate.compare(target.term, operator, day.to_arrow())
    return between(target.term, operator, day.to_arrow())


def _compare_coarser(target: Target, operator: str, value: pl.Series) -> Predicate | None:
    """Compare points in time, rounded down to the unit of the value, with it."""
    first = _held(value, target.dtype)
    after = _held((value.to_physical() + 1).cast(value.dtype), target.dtype)
    if first is None or after is None:
        return None
    reaches = Predicate.compare(target.term, ">=", first.to_arrow())
    exceeds = Predicate.compare(target.term, ">=", after.to_arrow())
    return {
        ">": exceeds,
        ">=": reaches,
        "<": reaches.negate(),
        "<=": exceeds.negate(),
        "=": Predicate.all_of([reaches, exceeds.negate()]),
        "!=": Predicate.any_of([reaches.negate(), exceeds]),
    }[operator]
