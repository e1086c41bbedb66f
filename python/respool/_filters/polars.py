"""Polars expressions as predicates that decide each row.

What prunes batches for Polars translates here too; but nothing may stay unknown. The expressions come
from people and not from the optimiser, so Polars is asked first whether it takes them at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from respool._filters.refusal import missing, refused
from respool._polars.translate import MAX_DEPTH, Translator
from respool._polars.types import Table

if TYPE_CHECKING:
    from respool import StreamCacheView
    from respool._native import Predicate


def translated(expression: pl.Expr, view: StreamCacheView) -> Predicate:
    """Translate an expression to a predicate that is true of the same rows.

    Raises
    ------
    ValueError
        If that can't be done exactly, or Polars does not take the expression as a filter of these columns.
    """
    table = Table(view)
    try:
        table.empty(list(range(len(table.columns)))).filter(expression)
    except pl.exceptions.PolarsError as error:
        absent = missing(expression, expression.meta.root_names(), view)
        is_absent = isinstance(error, pl.exceptions.ColumnNotFoundError)
        known = absent if is_absent else None
        raise known or refused(expression, str(error)) from error
    translator = Translator(table, exact=True)
    try:
        # What a column is called on the way changes no row.
        found = translator.predicate(expression.meta.undo_aliases(), 0)
    except (Exception, pl.exceptions.PanicException) as error:
        raise refused(expression, str(error)) from error
    if found is None or not found.is_exact:
        part, *_ = translator.unknown
        if translator.is_too_deep:
            raise refused(part, f"it is nested more than {MAX_DEPTH} deep", "try is_in")
        raise refused(part, "it is not known, or not exact for this type")
    return found
