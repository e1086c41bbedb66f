"""pyarrow's expressions as predicates.

pyarrow compares floats as IEEE 754 says, so NaN is neither smaller nor greater than anything; to the
engine it is the greatest number. Everything else is compared by value on both sides. Where pyarrow would
round a constant or a column to do so, the comparison is refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from respool._filters.decimals import compare_decimals
from respool._filters.expression import COMPARISONS, Call, Field, Literal, Node, read
from respool._filters.refusal import missing, refused
from respool._native import Predicate
from respool._predicates import EXACT_IN_DOUBLE, SWAPPED, compare_integers, nowhere, plain_term

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow.compute as pc

    from respool import StreamCacheView
    from respool._native import Term

MAX_DEPTH = 100
"""Deeper expressions are refused: applying them recurses."""


def translated(expression: pc.Expression, view: StreamCacheView) -> Predicate:
    """Translate an expression to a predicate that is true of the same rows.

    Raises
    ------
    ValueError
        If that can't be done exactly.
    """
    return _predicate(read(expression), view, MAX_DEPTH)


def _predicate(  # noqa: C901, PLR0911 - one for each form
    node: Node, view: StreamCacheView, depth: int
) -> Predicate:
    if depth == 0:
        raise refused(node, f"it is nested more than {MAX_DEPTH} deep")
    match node:
        case Call(function="and_kleene" | "or_kleene"):
            join = Predicate.all_of if node.function == "and_kleene" else Predicate.any_of
            return join([_predicate(part, view, depth - 1) for part in _parts(node)])
        case Call(function="invert", arguments=(operand,)):
            return _predicate(operand, view, depth - 1).negate()
        case Call(arguments=(Field() as field, Literal() as constant)) if _compares(node):
            return _comparison(node, field, COMPARISONS[node.function], constant, view)
        case Call(arguments=(Literal() as constant, Field() as field)) if _compares(node):
            operator = SWAPPED[COMPARISONS[node.function]]
            return _comparison(node, field, operator, constant, view)
        case Call(arguments=(Field() as field,)) if node.expression is not None:
            return _test(node, field, view)
        case Field():
            term = _term(node, node, view)
            if pa.types.is_boolean(term.data_type):
                return Predicate.boolean(term)
            raise refused(node, f"it is {term.data_type}, which is neither true nor false")
        case Literal(value=value) if pa.types.is_boolean(value.type):
            return Predicate.constant(value[0].as_py())
    if isinstance(node, Call) and node.expression is None:
        raise refused(_unknown(node), "this function is not known")
    raise refused(node, "it is no test of a column")


def _compares(node: Call) -> bool:
    return node.function in COMPARISONS


def _unknown(node: Call) -> Call:
    """Find the innermost call that is not known."""
    for argument in node.arguments:
        if isinstance(argument, Call) and argument.expression is None:
            return _unknown(argument)
    return node


def _parts(node: Call) -> Iterator[Node]:
    """Yield what a chain of ANDs, or of ORs, joins: however long the chain, without recursion."""
    pending: list[Node] = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, Call) and part.function == node.function:
            pending += reversed(part.arguments)
        else:
            yield part


def _term(node: Node, field: Field, view: StreamCacheView) -> Term:
    term = plain_term(field.path, view)
    if term is None and (error := missing(node, field.path[:1], view)):
        raise error
    if term is None:
        raise refused(
            node, f"no single plain column {str(field)!r}; the columns are {view.schema.names}"
        )
    return term


def _comparison(
    node: Call, field: Field, operator: str, constant: Literal, view: StreamCacheView
) -> Predicate:
    term = _term(node, field, view)
    kind, value = term.data_type, constant.value
    is_float = pa.types.is_floating(kind)
    if value.null_count:
        return Predicate.constant(None)
    if pa.types.is_floating(value.type) and (
        is_float or pa.types.is_integer(kind) or pa.types.is_decimal128(kind)
    ):
        number = value[0].as_py()
        if math.isnan(number):
            return nowhere(term).negate() if operator == "!=" else nowhere(term)
        compared = _compare_with_float(term, operator, number)
    else:
        compared = Predicate.compare(term, operator, value)
    if not compared.is_exact:
        raise refused(node, f"{kind} can't hold {constant} ({value.type}) exactly")
    if is_float and operator in (">", ">="):
        return Predicate.all_of([compared, Predicate.is_nan(term).negate()])
    return compared


def _compare_with_float(term: Term, operator: str, number: float) -> Predicate:
    value: pa.Array[Any] = pa.array([number], pa.float64())
    if pa.types.is_integer(term.data_type):
        return compare_integers(term, operator, number)
    if pa.types.is_decimal128(term.data_type):
        return compare_decimals(term, operator, number)
    compared = Predicate.compare(term, operator, value)
    wide = None if compared.is_exact else term.cast(pa.schema([("value", pa.float64())]))
    return compared if wide is None else Predicate.compare(wide, operator, value)


def _test(node: Call, field: Field, view: StreamCacheView) -> Predicate:
    """Translate a function of one column."""
    term = _term(node, field, view)
    kind = term.data_type
    match node.function:
        case "is_valid":
            return Predicate.is_not_null(term)
        case "is_null" if node.option("nan_is_null") and pa.types.is_floating(kind):
            return Predicate.any_of([Predicate.is_null(term), Predicate.is_nan(term)])
        case "is_null":
            return Predicate.is_null(term)
        case "is_nan" if pa.types.is_floating(kind) or pa.types.is_integer(kind):
            return Predicate.is_nan(term)
        case "is_in":
            return _is_in(node, term)
        case "starts_with" if _is_bytes(kind) and not node.option("ignore_case"):
            pattern = node.option("pattern")
            prefix = pattern.encode() if isinstance(pattern, str) else pattern
            return Predicate.starts_with(term, prefix)
    raise refused(node, f"{node.function} of {kind} can't be told exactly")


def _is_in(node: Call, term: Term) -> Predicate:
    """Translate membership, which is never NULL in pyarrow: NULL is in a list that holds it."""
    values = node.value_set()
    known = _known(values)
    if pa.types.is_floating(term.data_type) and any(
        value == 0 or value != value  # noqa: PLR0124 - NaN
        for value in known.to_pylist()
    ):
        raise refused(
            node, "is_in tells 0.0 from -0.0 and one NaN from another; use == and is_nan instead"
        )
    if pa.types.is_date64(term.data_type) and pa.types.is_timestamp(values.type):
        raise refused(node, "is_in takes a point in time for its day")
    if pa.types.is_floating(known.type) and pa.types.is_integer(term.data_type):
        known = _integers(node, known)
    found = Predicate.is_in(term, known)
    if not found.is_exact:
        raise refused(node, f"{term.data_type} can't hold all of the list ({values.type}) exactly")
    if values.null_count and node.option("null_matching_behavior") == 0:
        return Predicate.any_of([Predicate.is_null(term), found])
    return Predicate.all_of([Predicate.is_not_null(term), found])


def _integers(node: Call, floats: pa.Array[Any]) -> pa.Array[Any]:
    """Return floats that are integers as integers."""
    values: list[Any] = floats.to_pylist()
    if not all(value.is_integer() and abs(value) <= EXACT_IN_DOUBLE for value in values):
        raise refused(node, "not all of the list are integers that a double can hold")
    return pa.array([int(value) for value in values], pa.int64())


def _known(values: pa.Array[Any]) -> pa.Array[Any]:
    """Leave NULL out."""
    types: Any = pa.types
    if not values.null_count or not (
        types.is_string_view(values.type) or types.is_binary_view(values.type)
    ):
        return values.drop_null()
    # pyarrow has no kernel that leaves out views, and casts short ones to what can't be handed over.
    known = [value for value in values.to_pylist() if value is not None]
    views: pa.Array[Any] = pa.array(known, values.type)
    return views


def _is_bytes(kind: pa.DataType) -> bool:
    types: Any = pa.types
    tests = (
        types.is_string,
        types.is_large_string,
        types.is_string_view,
        types.is_binary,
        types.is_large_binary,
        types.is_binary_view,
        types.is_fixed_size_binary,
    )
    return any(test(kind) for test in tests)
