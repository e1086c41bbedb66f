"""What one worker reads: a task that fits into a few hundred bytes, wherever it is run."""

from __future__ import annotations

import errno
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from respool import _ours, _pickle
from respool._filters import predicate
from respool._scan.kept import keep
from respool.exceptions import IncompleteStreamError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from respool import StreamCacheView
    from respool._scan.place import Log
    from respool._scan.plan import Span


@dataclass(frozen=True)
class Part:
    """Rows of a log, to be read by a process that sees the same files.

    Attributes
    ----------
    filters
        Each as its owner wrote it; translated where it is applied, exactly.
    columns
        What is left after filtering; None is all.
    """

    path: str
    identity: bytes
    is_whole: bool
    spans: tuple[Span, ...]
    filters: tuple[object, ...]
    columns: tuple[str, ...] | None

    @classmethod
    def of(
        cls,
        log: Log,
        spans: list[Span],
        filters: tuple[object, ...] = (),
        columns: list[str] | None = None,
    ) -> Part:
        wanted = None if columns is None else tuple(columns)
        return cls(log.path, log.identity, log.is_whole, tuple(spans), filters, wanted)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the rows that pass, in the order of the log: pointers into a map, where nothing is filtered.

        Raises
        ------
        FileNotFoundError
            If there is no log at the path, or another one.
        IncompleteStreamError
            If the log has fewer rows than when it was planned, as another machine may see it.
        """
        if not self.spans:
            return
        cache = self._opened()
        there = cache if self.is_whole else cache.prefix()
        predicates = [predicate(what, cache) for what in self.filters]
        for first, rows in self.spans:
            view = there.slice(first, rows)
            if view.num_rows != rows:
                raise IncompleteStreamError(
                    f"the log in {self.path} has {there.num_rows} rows on {platform.node()}, and rows "
                    f"{first} to {first + rows - 1} were planned: this machine does not see all of it yet"
                )
            for one in predicates:
                view = view._filtered(one)  # noqa: SLF001
            yield from view.reader() if self.columns is None else view.select(self.columns).reader()

    def _opened(self) -> StreamCacheView:
        # Where the process that fills the log reads it too, it has one cache for both.
        filling = _ours.find(self.identity)
        if filling is not None:
            return filling
        try:
            cache = _pickle.reopen(self.path, self.identity, None, None, 0)
        except FileNotFoundError as error:
            reason = "another log is there than the one that was planned to be read"
            if "another one" not in str(error):
                reason = "there is no log; it has to lie where every machine that reads it sees it"
            raise FileNotFoundError(
                errno.ENOENT, f"on {platform.node()}, {reason}", self.path
            ) from error
        keep(cache)
        return cache
