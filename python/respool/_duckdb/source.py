"""A view as a source of DuckDB 2: row counts, projection and filters, not only a stream.

`duckdb._sources` is private. Where it is missing or has changed, importing this module fails, and
`respool._duckdb.scannable` hands DuckDB something else.
"""

import contextlib
import threading
from collections.abc import Sequence

from duckdb._sources import ArrowScanSource
from duckdb._sources.nodes import Node

from respool import StreamCacheView
from respool._duckdb.translate import predicate
from respool._native import Predicate
from respool.exceptions import RespoolError

_REMEMBERED = 256
"""Filters that a source remembers to have declined."""


class ViewSource(ArrowScanSource):
    """A view, as DuckDB's Arrow scan asks for it."""

    schema_is_stable = True

    def __init__(self, view: StreamCacheView, *, optimize: bool) -> None:
        super().__init__(view)
        self._view = view
        self._encode = optimize
        self._encoding = threading.Lock()
        self._declined: set[str] = set()
        self._estimate: int | None = None
        if view.complete:
            self._optimize()

    def __arrow_c_schema__(self) -> object:
        return self.obj.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.obj.__arrow_c_stream__(requested_schema)

    def rows(self) -> int:
        """Rows stored so far, all of them once the view is complete; of a filtered one then an estimate."""
        if not self._view.complete:
            return self._view._rows  # noqa: SLF001
        if self._estimate is None:
            try:
                self._estimate = self._view._estimate()  # noqa: SLF001
            except (RespoolError, OSError, ValueError):
                return self._view._rows  # noqa: SLF001 - what can't be read says so where it is
        return self._estimate

    def accepts(self, node: Node) -> bool:
        """Whether the stream is to filter, and not DuckDB.

        Zone maps must decide nearly every batch: DuckDB pulls batches one at a time, so filtering
        rows while it waits is slower than its own filter on all cores. A view that is still
        filling has no zone maps to ask.
        """
        if not self._view.complete:
            return False
        self._optimize()
        # Of what is complete the answer stays what it is; most are this one, at every run of a query again.
        text = node.fragment()
        if text in self._declined:
            return False
        translated = predicate(node, self._view)
        if translated is not None and self._view._is_decided(translated):  # noqa: SLF001
            return True
        if len(self._declined) >= _REMEMBERED:
            self._declined.clear()
        self._declined.add(text)
        return False

    def stream(self, columns: Sequence[int] | None, filters: Sequence[Node]) -> tuple[object, bool]:
        """Stream the columns asked for, and the rows that pass the filters accepted."""
        if self._view.complete:
            self._optimize()
        accepted = [self._accepted(node) for node in filters]
        wanted = None if columns is None else list(columns)
        rows = Predicate.all_of(accepted) if accepted else None
        return self._view._scan(wanted, rows), wanted is not None  # noqa: SLF001

    def _optimize(self) -> None:
        """Go over to the encodings that DuckDB reads fastest, once; it lets a stream have its own.

        What the cache has no room for stays as it is: as right, and slower.
        """
        with self._encoding:
            if not self._encode:
                return
            self._encode = False
            with contextlib.suppress(MemoryError, OSError):
                self._view = self._view._encoded() or self._view  # noqa: SLF001

    def _accepted(self, node: Node) -> Predicate:
        translated = predicate(node, self._view)
        if translated is None:
            message = f"respool accepted a filter that it can't apply: {node.fragment()}"
            raise RuntimeError(message)
        return translated
