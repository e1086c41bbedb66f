"""Filters in JSON: a small tree of known functions, read and built again. Nothing is unpickled.

Which of them can be applied exactly says the engine, on the side that has the batches.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from respool._filters import tuples
from respool._filters.expression import COMPARISONS, Call, Field, Literal, Node, read
from respool._flight.constants import ConstantError, from_json, to_json

MAX_DEPTH = 60
"""Deeper trees are refused on both sides: Python's stack is not for whoever sends one."""

_JOINS = {"and_kleene": "and", "or_kleene": "or"}
_BINARY = frozenset(COMPARISONS)
_UNARY = frozenset({"invert", "is_nan", "is_valid"})


class PredicateError(ValueError):
    """A filter that can't be sent, or is none."""


def to_form(what: object) -> list[Any]:
    """Return the tree of a filter as people write it: pyarrow's tuples, or an expression of its.

    Raises
    ------
    PredicateError
        If a part of it can't be sent.
    TypeError
        If it has none of these forms.
    """
    if isinstance(what, (list, tuple)):
        what = tuples.joined(what)
    if not isinstance(what, pc.Expression):
        kind = type(what)
        raise TypeError(
            f"cannot send {kind.__module__}.{kind.__qualname__} as a filter: expected a pyarrow.compute.Expression "
            "or a list of (column, operator, value) tuples; what else there is filters the cache that comes"
        )
    try:
        return _form(read(what), MAX_DEPTH)
    except ConstantError as error:
        raise PredicateError(str(error)) from error


def to_expression(form: object) -> pc.Expression:
    """Build the expression of a tree.

    Raises
    ------
    PredicateError
        If it is none.
    """
    try:
        return _expression(form, MAX_DEPTH)
    except PredicateError:
        raise
    except (LookupError, TypeError, ValueError, pa.ArrowException) as error:
        raise PredicateError("the filter is none that is known") from error


def _form(  # noqa: PLR0911 - one for each form
    node: Node, depth: int
) -> list[Any]:
    if depth == 0:
        raise PredicateError(
            f"cannot send a filter that is nested more than {MAX_DEPTH} deep: try isin, or filter what comes"
        )
    match node:
        case Field(path=path):
            return ["field", *path]
        case Literal(value=value):
            return ["is", to_json(value)]
        case Call(function=function) if function in _JOINS:
            return [_JOINS[function], *(_form(part, depth - 1) for part in _parts(node))]
        case Call(function=function) if function in _BINARY or function in _UNARY:
            return [function, *(_form(part, depth - 1) for part in node.arguments)]
        case Call(function="is_null", arguments=(operand,)):
            return ["is_null", _form(operand, depth - 1), bool(node.option("nan_is_null"))]
        case Call(function="starts_with", arguments=(operand,)):
            pattern = node.option("pattern")
            text = pattern.decode() if isinstance(pattern, bytes) else pattern
            return [
                "starts_with",
                _form(operand, depth - 1),
                text,
                bool(node.option("ignore_case")),
            ]
        case Call(function="is_in", arguments=(operand,)) if node.expression is not None:
            skips = node.option("null_matching_behavior") == 1
            return ["is_in", _form(operand, depth - 1), to_json(node.value_set()), skips]
    raise PredicateError(
        f"cannot send a filter by {node}: this function is not known; filter what comes instead"
    )


def _parts(node: Call) -> list[Node]:
    """Return what a chain of ANDs, or of ORs, joins: however long the chain, without recursion."""
    found: list[Node] = []
    pending: list[Node] = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, Call) and part.function == node.function:
            pending += reversed(part.arguments)
        else:
            found.append(part)
    return found


def _expression(  # noqa: C901, PLR0911 - one for each form
    form: Any,  # noqa: ANN401 - anybody's JSON
    depth: int,
) -> pc.Expression:
    if depth == 0 or not isinstance(form, list) or not form or not isinstance(form[0], str):
        raise PredicateError("the filter is none that is known, or too deep")
    match form:
        case ["field", *names] if names and all(isinstance(name, str) for name in names):
            return pc.field(names[0]) if len(names) == 1 else pc.field(*names)
        case ["is", constant]:
            values = from_json(constant)
            if len(values) != 1:
                raise PredicateError("a constant is one value")
            return pc.scalar(values[0])
        case ["and" | "or" as join, first, *others]:
            joined = _expression(first, depth - 1)
            for other in others:
                part = _expression(other, depth - 1)
                joined = joined & part if join == "and" else joined | part
            return joined
        case [name, left, right] if name in _BINARY:
            return _call(name, _expression(left, depth - 1), _expression(right, depth - 1))
        case [name, operand] if name in _UNARY:
            return _call(name, _expression(operand, depth - 1))
        case ["is_null", operand, bool(nan_is_null)]:
            return _call("is_null", _expression(operand, depth - 1), nan_is_null=nan_is_null)
        case ["starts_with", operand, str(pattern), bool(ignore_case)]:
            operand = _expression(operand, depth - 1)
            return _call("starts_with", operand, pattern=pattern, ignore_case=ignore_case)
        case ["is_in", operand, values, bool(skip_nulls)]:
            operand, listed = _expression(operand, depth - 1), from_json(values)
            return _call("is_in", operand, value_set=listed, skip_nulls=skip_nulls)
    raise PredicateError("the filter is none that is known")


def _call(function: str, *operands: pc.Expression, **options: object) -> pc.Expression:
    """Call one of the functions that are named in this file."""
    made: pc.Expression = getattr(pc, function)(*operands, **options)
    return made
