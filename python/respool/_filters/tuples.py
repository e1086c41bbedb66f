"""The tuples of pyarrow's ``filters=``, as the expression that pyarrow takes them for.

pyarrow itself fails on other forms somewhere in the middle, in words about what it was doing there.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from respool._filters.refusal import FORMS, refused, shown

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATORS: dict[str, Callable[[Any, Any], pc.Expression]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda field, values: field.isin(values),
    "not in": lambda field, values: ~field.isin(values),
}
UINT64 = range(1 << 63, 1 << 64)
"""Integers that pyarrow takes only where it is told their type."""


def joined(filters: list[Any] | tuple[Any, ...]) -> pc.Expression:
    """Join the conditions of one list with AND, and those lists with OR.

    Raises
    ------
    TypeError
        If it has another form.
    ValueError
        If it is empty, or has an operator or a value that pyarrow does not know.
    """
    if not filters:
        raise refused(repr(filters), "it holds no condition", "leave the filter out")
    if isinstance(filters[0], str):
        hint = f"; a single one is written [{shown(repr(tuple(filters)))}]"
        raise _formless(filters, hint if len(filters) == 3 else "")  # noqa: PLR2004
    # pyarrow decides by the first, too.
    first = filters[0]
    is_flat = not isinstance(first, (list, tuple)) or (first and isinstance(first[0], str))
    return functools.reduce(
        operator.or_, (_conjunction(group) for group in ([filters] if is_flat else filters))
    )


def _conjunction(group: Any) -> pc.Expression:  # noqa: ANN401 - as it was written
    if not isinstance(group, (list, tuple)) or (group and isinstance(group[0], str)):
        raise _formless(group)
    if not group:
        raise refused(repr(group), "it holds no condition", "leave the empty list out")
    return functools.reduce(operator.and_, (_condition(condition) for condition in group))


def _condition(condition: Any) -> pc.Expression:  # noqa: ANN401 - as it was written
    match condition:
        case (column, str(name), value) if _is_path(column):
            if name not in OPERATORS:
                raise refused(
                    repr(condition), f"no operator {name!r}", f"there are {', '.join(OPERATORS)}"
                )
        case _:
            raise _formless(condition)
    try:
        constant = _values(condition, value) if name in ("in", "not in") else _typed(value)
        return OPERATORS[name](pc.field(column), constant)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        if isinstance(error, _FormError):
            raise
        raise refused(
            repr(condition), f"its value has no type in Arrow ({error})", "give one type"
        ) from error


def _is_path(column: object) -> bool:
    names = column if isinstance(column, tuple) else (column,)
    return len(names) > 0 and all(isinstance(name, str) for name in names)


def _typed(value: Any) -> Any:  # noqa: ANN401 - whatever pyarrow takes
    if isinstance(value, int) and value in UINT64:
        return pa.scalar(value, pa.uint64())
    return value


def _values(condition: object, values: Any) -> pa.Array[Any]:  # noqa: ANN401 - whatever pyarrow takes
    try:
        iter(values)
    except TypeError as error:
        raise _FormError(
            f"cannot filter by {shown(repr(condition))}: 'in' and 'not in' take a list of values"
        ) from error
    if isinstance(values, (list, tuple, set, frozenset)):
        values = list(values)
        if any(isinstance(value, int) and value in UINT64 for value in values):
            return pa.array(values, pa.uint64())
    known: Any = values
    return known if isinstance(known, pa.Array) else pa.array(known)


class _FormError(TypeError):
    """None of the forms: what is said of a value is not said of this."""


def _formless(part: object, hint: str = "") -> TypeError:
    if not hint and type(part).__name__ in ("Expr", "Expression"):
        hint = "; expressions are joined with & and |, and given as one"
    return TypeError(f"cannot filter by {shown(repr(part))}: expected {FORMS}{hint}")
