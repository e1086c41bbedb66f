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
from typing import TYPE_CHECKING, Literal

import polars as pl
from polars.lazyframe.resolver import LazyFrameResolver, ResolvedLazyFrameProps

from respool._polars.frames import Frames
from respool._polars.io_source import io_source
from respool._polars.prune import kept_batches
from respool._polars.types import Table

if TYPE_CHECKING:
    from polars.lazyframe.resolver import FilterExpr

    from respool import StreamCacheView


_VERSIONS = {"much": "stream"}
"""The versions of plans that depend on where pages are, rather than batches."""


class CacheResolver(LazyFrameResolver):
    """Makes plans over a view.

    Two scans in one query are never said to be one (`cse_eq`): Polars 2.0 and 2.1 go wrong over that, with a
    panic where `.cache()` stands above both. Frames cost nothing twice; an IO source is read by each.
    """

    def __init__(self, view: StreamCacheView) -> None:
        self.view = view
        self._table = Table(view)
        self._frames: Frames | None = None
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

    def resolve_lazyframe(
        self,
        *,
        projection: list[str] | None,
        limit: int | None,
        filters: list[FilterExpr],
        filter_columns: list[str] | None = None,
        **_: object,
    ) -> tuple[pl.LazyFrame, ResolvedLazyFrameProps]:
        """Return a plan for the columns, and its version.

        Always a plan: where Polars says that it has one of this version, it may have lost it by the time
        of the answer to one that another thread got.
        """
        # Polars keeps a plan without a version for good, and asks about one with a version at every
        # collect, which takes longer than many a query. Asked, we can have pages brought in that are missing.
        is_settled = self.view._is_settled  # noqa: SLF001 - before the place, which may move until then
        place = self.view._place  # noqa: SLF001
        names = None if projection is None else [*projection, *(filter_columns or [])]
        frame, pages = self._frame(place, self._table.numbers(names), limit, filters)
        kept_for_good = is_settled and pages == "there"
        properties = ResolvedLazyFrameProps(
            version_key=None if kept_for_good else _VERSIONS.get(pages, place or "stream")
        )
        return self._reading(filters) if frame is None else frame.lazy(), properties

    def _frame(
        self,
        place: Literal["memory", "log"] | None,
        numbers: list[int],
        limit: int | None,
        filters: list[FilterExpr],
    ) -> tuple[pl.DataFrame | None, Literal["there", "coming", "much"]]:
        """Return a frame, if it costs no memory that the cache would give back, and where its pages are."""
        if place is None:
            self._frames = None
            return None, "there"
        frames = self._frames
        if frames is None or frames.place != place:
            # What the others hold is wanted back there.
            frames = self._frames = Frames(self._table, place)
        columns = [self._table.columns[number] for number in numbers]
        pays = place == "memory" or all(column.is_weightless for column in columns)
        if not pays or any(column.refusal for column in columns):
            return None, "there"
        try:
            if limit is not None:
                pages = frames.bring(numbers, rows=limit)
                return frames.of_rows(numbers, limit), pages
            kept = kept_batches(self._table, [each.expr for each in filters])
            pages = frames.bring(numbers, kept=kept)
            if pages == "much":
                # Read through an IO source, as much ahead as is good.
                return None, pages
            return frames.of_batches(numbers, kept), pages
        except Exception:  # noqa: BLE001 - it comes again when it is read, if it is
            # What goes wrong goes wrong there, not when somebody asks for the plan.
            return None, "there"

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
