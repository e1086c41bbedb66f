"""Filters as people write them, as predicates of the engine: exactly, or not at all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from respool._filters import arrow, tuples
from respool._filters.refusal import FORMS

if TYPE_CHECKING:
    from respool import StreamCacheView
    from respool._native import Predicate

__all__ = ["predicate"]


def predicate(what: object, view: StreamCacheView) -> Predicate:
    """Translate a filter on a view.

    Parameters
    ----------
    what
        A ``pyarrow.compute.Expression``, the tuples of pyarrow's ``filters=``, or a ``polars.Expr``. The
        rows that pass are those that pass there: NaN is greater than every number in a Polars expression,
        and neither greater nor smaller than any in one of pyarrow.
    view
        Whose columns it speaks about.

    Returns
    -------
    Predicate
        True of exactly the rows that pass.

    Raises
    ------
    ValueError
        If a part of it can't be translated exactly, or names a column that is not there; or if there is no
        condition in it.
    TypeError
        If it has none of these forms.

    Examples
    --------
    >>> import pyarrow as pa, pyarrow.compute as pc, respool
    >>> rows = respool.cache(pa.table({"id": [1, 2, 3], "city": ["Bonn", "Lima", None]}))
    >>> predicate([("id", ">", 1), ("city", "not in", ["Bonn"])], rows)
    id > 1 AND NOT (city IS NOT NULL AND city IN ('Bonn'))
    >>> predicate(pc.field("city").is_null() | (pc.field("id") == 1), rows)
    city IS NULL OR id = 1
    >>> predicate(pc.field("id") + 1 > 2, rows)
    Traceback (most recent call last):
    ...
    ValueError: cannot filter by add_checked(id, 1): this function is not known; ...
    """
    if isinstance(what, pc.Expression):
        return arrow.translated(what, view)
    if isinstance(what, (list, tuple)):
        return arrow.translated(tuples.joined(what), view)
    # Who has an expression of Polars has imported it.
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(what, polars.Expr):
        from respool._filters.polars import translated  # noqa: PLC0415 - imports polars

        return translated(what, view)
    raise TypeError(f"cannot filter by {type(what).__name__}: expected {FORMS}")
