"""Which batches a query need not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respool._native import Predicate
from respool._polars.translate import translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from respool._polars.types import Table


def kept_batches(table: Table, filters: Sequence[pl.Expr]) -> list[bool] | None:
    """Say of each stored batch whether rows of it may pass all filters; None if nothing is known."""
    predicates = [
        predicate
        for expression in filters
        if (predicate := translated(expression, table)) is not None
    ]
    if not predicates:
        return None
    verdicts = table.view._prove(Predicate.all_of(predicates))  # noqa: SLF001
    return [verdict is not False for verdict in verdicts]
