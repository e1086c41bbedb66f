"""What every translator of filters needs: terms that mean one column, and comparisons made of others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from respool._native import Predicate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respool import StreamCacheView
    from respool._native import Term

SWAPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""What each comparison becomes when its sides are exchanged."""

EXACT_IN_DOUBLE = 1 << 53
"""Integers up to here are floats of double precision."""


def compare_integers(term: Term, operator: str, number: float) -> Predicate:
    """Compare integers with a float, as the integers that lie next to it; unknown beyond `EXACT_IN_DOUBLE`."""
    if abs(number) > EXACT_IN_DOUBLE:
        return Predicate.unknown()
    floor = math.floor(number)
    below: pa.Array[Any] = pa.array([floor], pa.int64())
    if floor == number:
        return Predicate.compare(term, operator, below)
    return between(term, operator, below)


def between(term: Term, operator: str, below: pa.Array[Any]) -> Predicate:
    """Compare with what lies between this value and the next one that the term can have."""
    if operator in ("=", "!="):
        return nowhere(term) if operator == "=" else nowhere(term).negate()
    return Predicate.compare(term, "<=" if operator in ("<", "<=") else ">", below)


def nowhere(term: Term) -> Predicate:
    """Make what is false where the term is not NULL, and NULL where it is."""
    return Predicate.is_in(term, pa.nulls(0))


def plain_term(path: Sequence[str], view: StreamCacheView) -> Term | None:
    """Find the column, or the field below it, that these names lead to.

    Returns
    -------
    Term
        None if there is no such column, more than one, or one whose values are not what its storage says:
        an extension type, or a union.
    """
    field: pa.Field[Any] | None = None
    for name in path:
        if field is None:
            found = view.schema.get_all_field_indices(name)
            fields = [view.schema.field(index) for index in found]
        elif pa.types.is_struct(field.type):
            fields = [child for child in field.type if child.name == name]
        else:
            return None
        if len(fields) != 1:
            return None
        field = fields[0]
        if _is_extension(field) or pa.types.is_union(field.type):
            return None
    return view._term(list(path))  # noqa: SLF001


def _is_extension(field: pa.Field[Any]) -> bool:
    """Whether an engine may see another type than the storage says."""
    return isinstance(field.type, pa.BaseExtensionType) or (
        field.metadata is not None and b"ARROW:extension:name" in field.metadata
    )
