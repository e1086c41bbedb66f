"""DuckDB's filters as predicates that zone maps can decide.

DuckDB offers a filter as a small tree (`duckdb._sources.nodes`). A filter that is accepted leaves
DuckDB's plan, so what is not understood to the last row is refused: `predicate` returns None.
"""

from __future__ import annotations

import decimal
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from duckdb._sources.nodes import Binary, Col, In, Lit, Node, Postfix, Unary

from respool._native import Predicate, Term
from respool._predicates import plain_term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respool import StreamCacheView

# Deeper trees are left to DuckDB: proving and applying recurse.
_MAX_DEPTH = 64
_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
# DuckDB's name of a constant's type, and the Arrow type that carries the constant. The engine brings
# it to the type of the column, and refuses where that would not be exact.
_CONSTANTS = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP_S": pa.timestamp("s"),
    "TIMESTAMP_MS": pa.timestamp("ms"),
    "TIMESTAMP": pa.timestamp("us"),
    # The value is an int: microseconds since the epoch.
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}
# Other Arrow types that DuckDB reads as one of these. No date64: what is not a whole day in it
# compares otherwise here and there.
_ALSO = {
    pa.large_string(): "VARCHAR",
    pa.string_view(): "VARCHAR",
    pa.large_binary(): "BLOB",
    pa.binary_view(): "BLOB",
    pa.time32("s"): "TIME",
    pa.time32("ms"): "TIME",
}
_ENGINE_TYPES = {kind: name for name, kind in _CONSTANTS.items()} | _ALSO
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


class _UnknownError(Exception):
    """Something in the filter is not understood."""


def predicate(node: Node, view: StreamCacheView) -> Predicate | None:
    """Translate a filter on a view.

    Returns
    -------
    Predicate
        True of exactly the rows that pass DuckDB's filter; None if that can't be promised.
    """
    try:
        translated = _predicate(node, view, _MAX_DEPTH)
    except (_UnknownError, pa.ArrowException, ValueError, TypeError, OverflowError):
        return None
    return translated if translated.is_exact else None


def _predicate(node: Node, view: StreamCacheView, depth: int) -> Predicate:
    if depth == 0:
        raise _UnknownError
    match node:
        case Binary(op="AND" | "OR" as word):
            join = Predicate.all_of if word == "AND" else Predicate.any_of
            return join([_predicate(part, view, depth - 1) for part in _parts(node)])
        case Unary(op="NOT", operand=operand):
            return _predicate(operand, view, depth - 1).negate()
        case Binary(op=operator, left=Col() as column, right=Lit() as constant) if (
            operator in _COMPARISONS
        ):
            term = _term(column, view)
            return Predicate.compare(term, operator, _constants(term, [constant]))
        case In(operand=Col() as column, values=values):
            term = _term(column, view)
            return Predicate.is_in(term, _constants(term, values))
        case Postfix(op="IS NULL", operand=Col() as column):
            return Predicate.is_null(_term(column, view))
        case Postfix(op="IS NOT NULL", operand=Col() as column):
            return Predicate.is_not_null(_term(column, view))
    raise _UnknownError


def _parts(node: Binary) -> Iterator[Node]:
    """Yield what a chain of ANDs, or of ORs, joins: however long the chain, without recursion."""
    pending: list[Node] = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, Binary) and part.op == node.op:
            pending += (part.right, part.left)
        else:
            yield part


def _term(column: Col, view: StreamCacheView) -> Term:
    term = plain_term(column.parts, view)
    if term is None:
        raise _UnknownError
    return term


def _constants(term: Term, constants: list[Node]) -> pa.Array[Any]:
    kind = _engine_type(term.data_type)
    values = []
    for constant in constants:
        if not isinstance(constant, Lit) or constant.type != kind or constant.value is None:
            raise _UnknownError
        values.append(constant.value)
    if kind in _CONSTANTS:
        return pa.array(values, _CONSTANTS[kind])
    shape = _DECIMAL.fullmatch(kind)
    if shape is None or not all(isinstance(value, decimal.Decimal) for value in values):
        raise _UnknownError
    return pa.array(values, pa.decimal128(int(shape[1]), int(shape[2])))


def _engine_type(kind: pa.DataType) -> str:
    """Return DuckDB's name for the type that it reads an Arrow type as."""
    if (name := _ENGINE_TYPES.get(kind)) is not None:
        return name
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pa.types.is_fixed_size_binary(kind):
        return "BLOB"
    if pa.types.is_timestamp(kind) and kind.tz is not None and kind.unit != "ns":
        return "TIMESTAMP WITH TIME ZONE"
    raise _UnknownError
