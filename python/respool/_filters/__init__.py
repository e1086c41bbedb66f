"""Filters as people write them, as predicates of the engine: exactly, or not at all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from respool._filters import arrow
from respool._filters.refusal import refused

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
        If a part of it can't be translated exactly, or names a column that is not there.
    TypeError
        If it is none of these.

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
        return arrow.translated(_joined(what), view)
    # Who has an expression of Polars has imported it.
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(what, polars.Expr):
        from respool._filters.polars import translated  # noqa: PLC0415 - imports polars

        return translated(what, view)
    raise TypeError(
        f"cannot filter by {type(what).__name__}: expected a pyarrow.compute.Expression, "
        "a list of (column, operator, value) tuples, or a polars.Expr"
    )


def _joined(filters: Any) -> pc.Expression:  # noqa: ANN401 - pyarrow says what is wrong with it
    """Let pyarrow itself say what its tuples mean."""
    from pyarrow.parquet import filters_to_expression  # noqa: PLC0415 - slow, and rarely needed

    try:
        return filters_to_expression(filters)
    except (NotImplementedError, AttributeError, IndexError, KeyError) as error:
        raise refused(repr(filters), str(error)) from error
