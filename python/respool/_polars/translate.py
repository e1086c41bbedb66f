"""Polars expressions as predicates of the engine, as far as they can be told.

Public API only: an expression is popped into its operands, and compared with what known operations make
of these. What is not recognised is unknown, which rules no batch out. Expressions come from the
optimiser, which has brought both sides of a comparison to one type; where they still differ in more than
the engine compares by value, the comparison is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pyarrow as pa

from respool._native import Predicate, Term
from respool._predicates import SWAPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from respool._polars.types import Table

IS_POLARS_1 = pl.__version__.startswith("1.")

MAX_DEPTH = 100
"""Deeper expressions are unknown: proving them recurses."""

COMPARISONS: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
BOUNDS = {"both": (">=", "<="), "left": (">=", "<"), "right": (">", "<="), "none": (">", "<")}

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
UNITS = ["ms", "us", "ns"]
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


def translated(expression: pl.Expr, table: Table) -> Predicate | None:
    """Translate what is known of a filter; None if that is nothing."""
    try:
        return Translator(table).predicate(expression, 0)
    except (Exception, pl.exceptions.PanicException):  # noqa: BLE001 - what can't be read is not known
        return None


class Target(NamedTuple):
    """A term, and the type that Polars sees there."""

    term: Term
    dtype: pl.DataType


class Translator:
    """Translates filters of one table, and remembers what it could not.

    Parameters
    ----------
    table
        Whose columns they speak about.
    exact
        Whether the predicates are to decide rows, and not only to rule out batches.
    """

    def __init__(self, table: Table, *, exact: bool = False) -> None:
        self._exact = exact
        self.unknown: list[pl.Expr] = []
        self.is_too_deep = False
        self._view = table.view
        self._columns = {column.name: column for column in table.columns}

    def predicate(self, expression: pl.Expr, depth: int) -> Predicate | None:
        """Translate a condition; None is unknown."""
        before = len(self.unknown)
        found = self._predicate(expression, depth)
        if (found is None or not found.is_exact) and len(self.unknown) == before:
            self.unknown.append(expression)
        return found

    def _predicate(self, expression: pl.Expr, depth: int) -> Predicate | None:
        if depth > MAX_DEPTH:
            self.is_too_deep = True
            return None
        if expression.meta.is_column():
            return self._boolean(expression)
        if expression.meta.is_literal():
            return _constant(expression)
        operands = expression.meta.pop()
        if len(operands) == 1:
            return self._unary(expression, operands[0], depth)
        # Versions differ in which operand they pop first.
        for order in (operands[::-1], operands):
            found = None
            if len(order) == 2:  # noqa: PLR2004
                found = self._binary(expression, order[0], order[1], depth)
            elif len(order) == 3:  # noqa: PLR2004
                found = self._between(expression, order[0], order[1], order[2])
            if found is not None:
                return found
        return None

    def _boolean(self, column: pl.Expr) -> Predicate | None:
        target = self._target(column)
        if target is None or target.dtype != pl.Boolean:
            return None
        return Predicate.boolean(target.term)

    def _unary(self, expression: pl.Expr, operand: pl.Expr, depth: int) -> Predicate | None:
        if _same(expression, ~operand):
            inner = self.predicate(operand, depth + 1)
            return None if inner is None else inner.negate()
        target = self._target(operand)
        if target is None:
            return None
        known = [
            (operand.is_null(), Predicate.is_null),
            (operand.is_not_null(), Predicate.is_not_null),
        ]
        if target.dtype.is_float():
            known += [
                (operand.is_nan(), Predicate.is_nan),
                (operand.is_not_nan(), lambda term: Predicate.is_nan(term).negate()),
            ]
        makers = (make for made, make in known if _same(expression, made))
        return next((make(target.term) for make in makers), None)

    def _binary(
        self, expression: pl.Expr, left: pl.Expr, right: pl.Expr, depth: int
    ) -> Predicate | None:
        if _same(expression, left & right):
            return self._all_or_any(Predicate.all_of, left, right, depth)
        if _same(expression, left | right):
            return self._all_or_any(Predicate.any_of, left, right, depth)
        for operator, compared in COMPARISONS.items():
            if _same(expression, compared(left, right)):
                return self._compare(left, operator, right)
        if _same(expression, left.is_in(right)):
            return self._is_in(left, right)
        if _same(expression, left.str.starts_with(right)):
            return self._starts_with(left, right)
        return None

    def _starts_with(self, left: pl.Expr, right: pl.Expr) -> Predicate | None:
        target, prefix = self._target(left), _literal(right, None)
        if target is None or target.dtype != pl.String or prefix is None:
            return None
        if prefix.dtype != pl.String or prefix.null_count():
            return None
        return Predicate.starts_with(target.term, prefix.item().encode())

    def _all_or_any(
        self,
        combine: Callable[[list[Predicate]], Predicate],
        left: pl.Expr,
        right: pl.Expr,
        depth: int,
    ) -> Predicate:
        sides = (self.predicate(side, depth + 1) for side in (left, right))
        return combine([Predicate.unknown() if side is None else side for side in sides])

    def _between(
        self, expression: pl.Expr, value: pl.Expr, low: pl.Expr, high: pl.Expr
    ) -> Predicate | None:
        for closed, (above, below) in BOUNDS.items():
            if _same(expression, value.is_between(low, high, closed=closed)):  # type: ignore[arg-type]
                sides = (self._compare(value, above, low), self._compare(value, below, high))
                return Predicate.all_of(
                    [Predicate.unknown() if side is None else side for side in sides]
                )
        return None

    def _compare(self, left: pl.Expr, operator: str, right: pl.Expr) -> Predicate | None:
        target = self._target(left)
        if target is None:
            left, operator, right = right, SWAPPED[operator], left
            target = self._target(left)
        if target is None:
            return None
        value = _literal(right, target.dtype)
        if value is None or value.len() != 1:
            return None
        if value.null_count():
            return Predicate.constant(None)
        if (
            target.dtype == pl.Float32
            and value.dtype == pl.Float64
            and _same(right, pl.lit(value.item()))
        ):
            # A number that was written without a type gets the type of the column.
            value = value.cast(pl.Float32)
        if not _compares_by_value(target.dtype, value.dtype):
            return None
        if value.dtype.is_float() and value.is_nan().item():
            return None
        return Predicate.compare(target.term, operator, value.to_arrow())

    def _is_in(self, left: pl.Expr, right: pl.Expr) -> Predicate | None:
        target, values = self._target(left), _literal(right, None)
        if target is None or values is None:
            return None
        if isinstance(values.dtype, (pl.List, pl.Array)):
            if values.len() != 1 or values.null_count():
                return None
            values = values.item()
        # NULL is in no list, and a list with NULL has no more in it than without.
        values = values.drop_nulls()
        if not _compares_by_value(target.dtype, values.dtype):
            return None
        return Predicate.is_in(target.term, values.to_arrow())

    def _target(self, expression: pl.Expr) -> Target | None:
        """Translate a column, a field of one, or a monotone function of these."""
        if expression.meta.is_column():
            name = expression.meta.output_name()
            column = self._columns.get(name)
            term = self._view._term([name])  # noqa: SLF001
            if column is None or term is None or column.refusal is not None:
                return None
            return _plain(term, column.dtype)
        operands = expression.meta.pop()
        if len(operands) != 1:
            return None
        path = list(self._path(expression))
        if path:
            return _plain(self._view._term([name for name, _ in path]), path[-1][1])  # noqa: SLF001
        inner = self._target(operands[0])
        # The last digits of a decimal made a float are not the same everywhere; bounds allow for that.
        if inner is None or (self._exact and inner.dtype.is_decimal()):
            return None
        return _transformed(expression, operands[0], inner)

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
            if _same(expression, operands[0].struct.field(field.name)):
                yield from above
                yield field.name, field.dtype  # type: ignore[misc]


def _transformed(expression: pl.Expr, operand: pl.Expr, inner: Target) -> Target | None:
    """Translate a function that keeps order; the engine says which do."""
    for dtype, kind in CASTS:
        casts = (operand.cast(dtype, strict=strict) for strict in (False, True))
        if any(_same(expression, cast) for cast in casts):
            return _plain(inner.term.cast(pa.schema([("value", kind)])), dtype)
    if inner.dtype != pl.Date and not isinstance(inner.dtype, pl.Datetime):
        return None
    if _same(expression, operand.dt.date()):
        return _plain(inner.term.date(), pl.Date())
    if _same(expression, operand.dt.year()):
        return _plain(inner.term.year(), pl.Int32())
    return None


def _same(one: pl.Expr, other: pl.Expr) -> bool:
    if one.meta.eq(other):
        return True
    # The optimiser of Polars 1 leaves marks on functions that compare but are not written.
    return IS_POLARS_1 and one.meta.serialize() == other.meta.serialize()


def _plain(term: Term | None, dtype: pl.DataType) -> Target | None:
    if term is None or not isinstance(dtype, PLAIN):
        return None
    kind = term.data_type
    # What is in milliseconds there may be within a day, which days can't say.
    return None if pa.types.is_date64(kind) or pa.types.is_float16(kind) else Target(term, dtype)


def _compares_by_value(column: pl.DataType, value: pl.DataType) -> bool:
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


def _constant(expression: pl.Expr) -> Predicate | None:
    value = _literal(expression, None)
    if value is None or value.dtype != pl.Boolean:
        return None
    return Predicate.constant(value.item())


def _literal(expression: pl.Expr, dtype: pl.DataType | None) -> pl.Series | None:
    """Evaluate a literal, or one that is brought to the type of a column."""
    if not expression.meta.is_literal(allow_aliasing=True):
        operands = expression.meta.pop() if not expression.meta.root_names() else []
        if dtype is None or not operands or not operands[-1].meta.is_literal():
            return None
        inner = operands[-1] if len(operands) == 1 else None
        if inner is None or not any(
            _same(expression, inner.cast(dtype, strict=strict)) for strict in (False, True)
        ):
            return None
    return pl.select(expression.alias("value")).to_series()
