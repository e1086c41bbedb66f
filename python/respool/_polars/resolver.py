"""Lazy scans as a resolver, since Polars 2.0: frames that share the buffers of the cache.

Polars asks the resolver for a plan when it optimises a query, with the columns and filters that the
query has. Batches that zone maps rule out are left out; Polars filters the others, exactly and on all
its threads.

The plan lives as long as the LazyFrame, and holds what its frames hold. So frames are handed out only
where that costs no memory that the cache would give back: of a stream that is read to its end and is in
memory, or is in a log that is mapped. A frame over a map holds address space and, until it goes, the
disk space of a log that was closed meanwhile, but no memory: its pages are the system's to drop.
Everything else is read by an IO source, frame by frame.
"""

from __future__ import annotations

import pickle
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING

import polars as pl
from polars.lazyframe.resolver import LazyFrameResolver, ResolvedLazyFrameProps

from respool._polars.frames import Frames
from respool._polars.io_source import io_source
from respool._polars.prune import kept_batches
from respool._polars.types import Table

if TYPE_CHECKING:
    from polars.lazyframe.resolver import FilterExpr

    from respool import StreamCacheView


class CacheResolver(LazyFrameResolver):
    """Makes plans over a view."""

    def __init__(self, view: StreamCacheView) -> None:
        self.view = view
        self._table = Table(view)
        self._frames = Frames(self._table)
        # One for all plans: engines read it once for all who name it.
        self._source = io_source(self._table)

    def __reduce__(self) -> tuple[type[CacheResolver], tuple[StreamCacheView]]:
        if find_spec("cloudpickle") is None:
            # Polars keeps to itself what pickle says, tries cloudpickle, and tells no more than that it is
            # missing.
            try:
                pickle.dumps(self.view)
            except TypeError as error:
                warnings.warn(str(error), RuntimeWarning, stacklevel=2)
        return (CacheResolver, (self.view,))

    def schema(self) -> pl.Schema:
        """Return the schema; nothing is read for it."""
        return self._table.schema

    def cse_eq(self, other: object) -> bool:
        """Whether one result serves both."""
        return isinstance(other, CacheResolver) and other.view is self.view

    def resolve_lazyframe(
        self,
        *,
        projection: list[str] | None,
        limit: int | None,
        filters: list[FilterExpr],
        existing_resolved_version_key: str | None,
        filter_columns: list[str] | None = None,
        **_: object,
    ) -> tuple[pl.LazyFrame | None, ResolvedLazyFrameProps]:
        """Return a plan for the columns, and its version; no plan if that of this version is at hand."""
        # Polars keeps a plan without a version for good, and asks about one with a version at every
        # collect, which takes longer than many a query.
        is_settled = self.view._is_settled  # noqa: SLF001 - before the place, which may move until then
        place = self.view._place  # noqa: SLF001
        properties = ResolvedLazyFrameProps(version_key=None if is_settled else place or "stream")
        if properties.version_key and existing_resolved_version_key == properties.version_key:
            return None, properties
        names = None if projection is None else [*projection, *(filter_columns or [])]
        numbers = self._table.numbers(names)
        columns = [self._table.columns[number] for number in numbers]
        pays = place == "memory" or all(column.is_weightless for column in columns)
        if place is None or not pays or any(column.refusal for column in columns):
            # Here too what goes wrong goes wrong when it is read, not when somebody asks for the plan.
            return self._reading(filters), properties
        if limit is None:
            kept = kept_batches(self._table, [each.expr for each in filters])
            frame = self._frames.of_batches(numbers, kept, from_log=place == "log")
        else:
            frame = self._frames.of_rows(numbers, limit, from_log=place == "log")
        return frame.lazy(), properties

    def _reading(self, filters: list[FilterExpr]) -> pl.LazyFrame:
        try:
            for each in filters:
                each.expr.meta.serialize()
        except pl.exceptions.PolarsError:
            # An IO source is given filters in bytes, and a Python function may have none: the query would
            # fail. A filter does not pass a row index.
            index = "".join(self._table.schema) + "#"
            return self._source.with_row_index(index).drop(index)
        return self._source
