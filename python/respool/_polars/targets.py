"""Polars expressions of one column as terms of the engine: columns, fields of structs, monotone functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pyarrow as pa

from respool._polars.same import same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respool._native import Term
    from respool._polars.types import Table

# What orders and compares in Polars as it does in the engine. Not here: categories and enums, which
# order in their own way, and everything nested.
PLAIN = (
    pl.Boolean,
    pl.String,
    pl.Binary,
    pl.Date,
    pl.Time,
    pl.Datetime,
    pl.Duration,
    pl.Decimal,
    pl.Float32,
    pl.Float64,
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.UInt8,
    pl.UInt16,
    pl.UInt32,
    pl.UInt64,
)
CASTS: list[tuple[pl.DataType, pa.DataType]] = [
    (pl.Float64(), pa.float64()),
    (pl.Float32(), pa.float32()),
    (pl.Int16(), pa.int16()),
    (pl.Int32(), pa.int32()),
    (pl.Int64(), pa.int64()),
    (pl.UInt16(), pa.uint16()),
    (pl.UInt32(), pa.uint32()),
    (pl.UInt64(), pa.uint64()),
    (pl.Datetime("ms"), pa.timestamp("ms")),
    (pl.Datetime("us"), pa.timestamp("us")),
    (pl.Datetime("ns"), pa.timestamp("ns")),
]


class Target(NamedTuple):
    """A term, and the type that Polars sees there."""

    term: Term
    dtype: pl.DataType


class Targets:
    """The terms of one table.

    Parameters
    ----------
    table
        Whose columns they are.
    exact
        Whether they are to decide rows, and not only to rule out batches.
    """

    def __init__(self, table: Table, *, exact: bool) -> None:
        self._exact = exact
        self._view = table.view
        self._columns = {column.name: column for column in table.columns}
        self._empty = table.empty(list(range(len(table.columns)))) if exact else None

    def selected(self, expression: pl.Expr) -> pl.Expr:
        """Return the column that a selector selects, if it selects one; otherwise the expression."""
        if self._empty is None or expression.meta.is_column():
            return expression
        if not expression.meta.is_column_selection():
            return expression
        names = self._empty.select(expression).columns
        return pl.col(names[0]) if len(names) == 1 else expression

    def of(self, expression: pl.Expr) -> Target | None:
        """Translate a column, a field of one, or a monotone function of these."""
        expression = self.selected(expression)
        if expression.meta.is_column():
            return self._column(expression.meta.output_name())
        operands = expression.meta.pop()
        if len(operands) != 1:
            return None
        path = list(self._path(expression))
        if path:
            return _plain(self._view._term([name for name, _ in path]), path[-1][1])  # noqa: SLF001
        inner = self.of(operands[0])
        # The last digits of a decimal made a float are not the same everywhere; bounds allow for that.
        if inner is None or (self._exact and inner.dtype.is_decimal()):
            return None
        return _transformed(expression, operands[0], inner)

    def _column(self, name: str) -> Target | None:
        column = self._columns.get(name)
        term = self._view._term([name])  # noqa: SLF001
        if column is None or term is None or column.refusal is not None:
            return None
        if self._exact and isinstance(column.dtype, pl.Categorical):
            return Target(term, column.dtype)
        return _plain(term, column.dtype)

    def _path(self, expression: pl.Expr) -> Iterator[tuple[str, pl.DataType]]:
        """Walk down from a column to the field of a struct that the expression is; nothing if it is none."""
        if expression.meta.is_column():
            column = self._columns.get(expression.meta.output_name())
            if column is not None:
                yield column.name, column.dtype
            return
        operands = expression.meta.pop()
        if len(operands) != 1:
            return
        above = list(self._path(operands[0]))
        if not above or not isinstance(above[-1][1], pl.Struct):
            return
        for field in above[-1][1].fields:
            if same(expression, operands[0].struct.field(field.name)):
                yield from above
                yield field.name, field.dtype  # type: ignore[misc]


def _transformed(expression: pl.Expr, operand: pl.Expr, inner: Target) -> Target | None:
    """Translate a function that keeps order; the engine says which do."""
    if isinstance(inner.dtype, pl.Categorical):
        return None
    for dtype, kind in CASTS:
        casts = (operand.cast(dtype, strict=strict) for strict in (False, True))
        if any(same(expression, cast) for cast in casts):
            return _plain(inner.term.cast(pa.schema([("value", kind)])), dtype)
    if inner.dtype != pl.Date and not isinstance(inner.dtype, pl.Datetime):
        return None
    if same(expression, operand.dt.date()):
        return _plain(inner.term.date(), pl.Date())
    if same(expression, operand.dt.year()):
        return _plain(inner.term.year(), pl.Int32())
    return None


def _plain(term: Term | None, dtype: pl.DataType) -> Target | None:
    if term is None or not isinstance(dtype, PLAIN):
        return None
    kind = term.data_type
    # What is in milliseconds there may be within a day, which days can't say.
    return None if pa.types.is_date64(kind) or pa.types.is_float16(kind) else Target(term, dtype)
