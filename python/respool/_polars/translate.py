"""Polars expressions as predicates of the engine, as far as they can be told.

Public API only: an expression is popped into its operands, and compared with what known operations make
of these. What is not recognised is unknown, which rules no batch out. Expressions come from the
optimiser, which has brought both sides of a comparison to one type; where they still differ in more than
the engine compares by value, the comparison is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from respool._native import Predicate
from respool._polars import written
from respool._polars.constants import compares_by_value, constant, literal
from respool._polars.same import same
from respool._polars.targets import Targets
from respool._predicates import SWAPPED

if TYPE_CHECKING:
    from collections.abc import Callable

    from respool._polars.types import Table

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


def translated(expression: pl.Expr, table: Table) -> Predicate | None:
    """Translate what is known of a filter; None if that is nothing."""
    try:
        return Translator(table).predicate(expression, 0)
    except (Exception, pl.exceptions.PanicException):  # noqa: BLE001 - what can't be read is not known
        return None


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
        self._targets = Targets(table, exact=exact)

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
        expression = self._targets.selected(expression)
        if expression.meta.is_column():
            return self._boolean(expression)
        if expression.meta.is_literal():
            return constant(expression)
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
        return self._horizontal(expression, operands, depth)

    def _horizontal(
        self, expression: pl.Expr, operands: list[pl.Expr], depth: int
    ) -> Predicate | None:
        for order in (operands[::-1], operands):
            for join, combine in (
                (pl.all_horizontal, Predicate.all_of),
                (pl.any_horizontal, Predicate.any_of),
            ):
                if same(expression, join(*order)):
                    return self._all_or_any(combine, order, depth)
        return None

    def _boolean(self, column: pl.Expr) -> Predicate | None:
        target = self._targets.of(column)
        if target is None or target.dtype != pl.Boolean:
            return None
        return Predicate.boolean(target.term)

    def _unary(self, expression: pl.Expr, operand: pl.Expr, depth: int) -> Predicate | None:
        if same(expression, ~operand):
            inner = self.predicate(operand, depth + 1)
            return None if inner is None else inner.negate()
        if (joined := self._horizontal(expression, [operand], depth)) is not None:
            return joined
        target = self._targets.of(operand)
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
        makers = (make for made, make in known if same(expression, made))
        return next((make(target.term) for make in makers), None)

    def _binary(
        self, expression: pl.Expr, left: pl.Expr, right: pl.Expr, depth: int
    ) -> Predicate | None:
        if same(expression, left & right):
            return self._all_or_any(Predicate.all_of, [left, right], depth)
        if same(expression, left | right):
            return self._all_or_any(Predicate.any_of, [left, right], depth)
        for operator, compared in COMPARISONS.items():
            if same(expression, compared(left, right)):
                return self._compare(left, operator, right)
        if same(expression, left.is_in(right)):
            return self._is_in(left, right)
        if same(expression, left.str.starts_with(right)):
            return self._starts_with(left, right)
        return None

    def _starts_with(self, left: pl.Expr, right: pl.Expr) -> Predicate | None:
        target, prefix = self._targets.of(left), literal(right)
        if target is None or target.dtype != pl.String or prefix is None:
            return None
        if prefix.dtype != pl.String or prefix.null_count():
            return None
        return Predicate.starts_with(target.term, prefix.item().encode())

    def _all_or_any(
        self,
        combine: Callable[[list[Predicate]], Predicate],
        parts: list[pl.Expr],
        depth: int,
    ) -> Predicate:
        sides = (self.predicate(part, depth + 1) for part in parts)
        return combine([Predicate.unknown() if side is None else side for side in sides])

    def _between(
        self, expression: pl.Expr, value: pl.Expr, low: pl.Expr, high: pl.Expr
    ) -> Predicate | None:
        for closed, (above, below) in BOUNDS.items():
            if same(expression, value.is_between(low, high, closed=closed)):  # type: ignore[arg-type]
                sides = (self._compare(value, above, low), self._compare(value, below, high))
                return Predicate.all_of(
                    [Predicate.unknown() if side is None else side for side in sides]
                )
        return None

    def _compare(self, left: pl.Expr, operator: str, right: pl.Expr) -> Predicate | None:
        target = self._targets.of(left)
        if target is None:
            left, operator, right = right, SWAPPED[operator], left
            target = self._targets.of(left)
        if target is None:
            return None
        value = literal(right)
        if value is None or value.len() != 1:
            return None
        if value.null_count():
            return Predicate.constant(None)
        if (
            target.dtype == pl.Float32
            and value.dtype == pl.Float64
            and same(right, pl.lit(value.item()))
        ):
            # A number that was written without a type gets the type of the column.
            value = value.cast(pl.Float32)
        if value.dtype.is_float() and value.is_nan().item():
            return None
        if not compares_by_value(target.dtype, value.dtype):
            return written.compare(target, operator, value) if self._exact else None
        return Predicate.compare(target.term, operator, value.to_arrow())

    def _is_in(self, left: pl.Expr, right: pl.Expr) -> Predicate | None:
        target, values = self._targets.of(left), literal(right)
        if target is None or values is None:
            return None
        if isinstance(values.dtype, (pl.List, pl.Array)):
            if values.len() != 1 or values.null_count():
                return None
            values = values.item()
        # NULL is in no list, and a list with NULL has no more in it than without.
        values = values.drop_nulls()
        is_text = isinstance(target.dtype, pl.Categorical) and values.dtype == pl.String
        if not is_text and not compares_by_value(target.dtype, values.dtype):
            return None
        return Predicate.is_in(target.term, values.to_arrow())
