"""Constants in Polars expressions, and how Polars compares them with a column."""

from __future__ import annotations

import polars as pl

from respool._native import Predicate
from respool._polars.same import same

UNITS = ["ms", "us", "ns"]


def literal(expression: pl.Expr) -> pl.Series | None:
    """Evaluate a literal, or one that is cast."""
    if expression.meta.is_literal(allow_aliasing=True):
        return pl.select(expression.alias("value")).to_series()
    operands = [] if expression.meta.root_names() else expression.meta.pop()
    if len(operands) != 1 or not operands[0].meta.is_literal():
        return None
    value = pl.select(expression.alias("value")).to_series()
    casts = (operands[0].cast(value.dtype, strict=strict) for strict in (False, True))
    return value if any(same(expression, cast) for cast in casts) else None


def constant(expression: pl.Expr) -> Predicate | None:
    """Translate a literal that is a condition."""
    value = literal(expression)
    if value is None or value.dtype != pl.Boolean:
        return None
    return Predicate.constant(value.item())


def compares_by_value(column: pl.DataType, value: pl.DataType) -> bool:
    """Whether Polars compares values of these types as they are, without rounding one of them."""
    if isinstance(column, pl.Categorical):
        return False
    if column == value:
        return True
    if isinstance(column, pl.Datetime) and isinstance(value, pl.Datetime):
        # Both become the coarser unit: what the column's unit holds exactly stays what it is.
        finer = UNITS.index(value.time_unit) > UNITS.index(column.time_unit)
        return finer and column.time_zone == value.time_zone
    if column.is_float():
        return value.is_integer()
    if column.is_integer() or column.is_decimal():
        return value.is_integer() or (value.is_decimal() and column.is_decimal())
    return False
