"""Constants in Polars expressions, and how Polars compares them with a column."""

from __future__ import annotations

import polars as pl

from respool._native import Predicate
from respool._polars.same import same

UNITS = ["ms", "us", "ns"]


def literal(expression: pl.Expr, dtype: pl.DataType | None) -> pl.Series | None:
    """Evaluate a literal, or one that is brought to the type of a column."""
    if not expression.meta.is_literal(allow_aliasing=True):
        operands = expression.meta.pop() if not expression.meta.root_names() else []
        if dtype is None or not operands or not operands[-1].meta.is_literal():
            return None
        inner = operands[-1] if len(operands) == 1 else None
        if inner is None or not any(
            same(expression, inner.cast(dtype, strict=strict)) for strict in (False, True)
        ):
            return None
    return pl.select(expression.alias("value")).to_series()


def constant(expression: pl.Expr) -> Predicate | None:
    """Translate a literal that is a condition."""
    value = literal(expression, None)
    if value is None or value.dtype != pl.Boolean:
        return None
    return Predicate.constant(value.item())


def compares_by_value(column: pl.DataType, value: pl.DataType) -> bool:
    """Whether Polars compares values of these types as they are, without rounding one of them."""
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
