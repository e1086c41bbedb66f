"""The stored batches of a range, by their numbers in the cache. Reads what is stored, and waits for nothing.

Of a whole cache a range is found at once; of a view it is reached by going through what is before it, since only
that tells which rows it shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respool._flight.limits import size_of
from respool._flight.predicates import to_expression
from respool._flight.stepping import Stepping, Waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from respool import StreamCacheReader, StreamCacheView
    from respool._flight.served import Served
    from respool._flight.tickets import Shown

_BYTES = 16 << 20
_BATCHES = 64
_TOP = (1 << 64) - 1
_LOOK, _NEXT = 0.25, 0.02
"""Seconds for which nothing is said while a view waits; where a batch is there to be sent, those for another one."""


def shown(view: StreamCacheView, what: Shown) -> StreamCacheView:
    """Narrow a view to rows and columns.

    Raises
    ------
    ValueError
        If a column is not there, or the filter can't be applied exactly.
    """
    if what.predicate is not None:
        view = view.filter(to_expression(what.predicate))
    if what.columns is not None:
        view = view.select(what.columns)
    return view


class Range:
    """Goes through batches from a number on, as far as they are stored."""

    def __init__(self, served: Served, what: Shown, first: int) -> None:
        self._served = served
        self._what = what
        self.position = first
        self._reader: StreamCacheReader | None = None
        self._stepping: Stepping | None = None
        view = shown(served.view, what)
        self.schema = view.schema
        if not served.is_whole:
            # Of a view that grows a step may wait for its source: nothing tells before what will pass.
            self._reader = view.reader()
            self._stepping = Stepping(self._reader, served.pull)

    @property
    def waits(self) -> bool:
        """Whether a view waits for its source."""
        return self._stepping is not None and self._stepping.waits

    def close(self) -> None:
        """Let go of the thread that reads a view."""
        if self._stepping is not None:
            self._stepping.close()

    def take(self, end: int, last: int | None) -> Iterator[tuple[list[pa.RecordBatch], int]]:
        """Yield batches before the number `end`, some at a time, and the number that comes after them.

        A filtered view may go on to the next one that passes, but not to `last`. None come while it waits.
        """
        if self._served.is_whole:
            between = self._served.cache._restored(_saved(self.position, end))  # noqa: SLF001
            yield from self._chunks(shown(between, self._what).reader(), end, end)
        elif self._reader is not None:
            yield from self._chunks(self._reader, end, last)

    def _chunks(
        self, reader: StreamCacheReader, end: int, last: int | None
    ) -> Iterator[tuple[list[pa.RecordBatch], int]]:
        chunk: list[pa.RecordBatch] = []
        size = 0
        first, position = self.position, reader.position
        while position < end:
            try:
                batch, after = self._next(reader, _NEXT if chunk else _LOOK)
            except Waits:
                self.position = max(first, position)
                yield chunk, self.position
                chunk, size = [], 0
                continue
            except BaseException:
                # What is good comes before what is not.
                if chunk:
                    self.position = max(first, position)
                    yield chunk, self.position
                raise
            if batch is None:
                break
            position = after
            if last is not None and position > last:
                break
            if position <= first:
                continue
            chunk.append(batch)
            size += size_of(batch)
            if size >= _BYTES or len(chunk) >= _BATCHES:
                self.position = position
                yield chunk, position
                chunk, size = [], 0
        self.position = end if last is not None else max(position, end)
        yield chunk, self.position

    def _next(self, reader: StreamCacheReader, seconds: float) -> tuple[pa.RecordBatch | None, int]:
        """Return the next batch and the number that comes after it; what is all there waits for nothing.

        Raises
        ------
        Waits
            If there is none yet.
        """
        if self._stepping is not None and (self.waits or not self._served.view.complete):
            return self._stepping.take(seconds)
        batch = next(reader, None)
        return batch, reader.position


def _saved(first: int, end: int) -> bytes:
    """Write the view of these batches as the engine saves views: see `crates/respool/src/saved`.

    It checks what it is given, and the tests check that it would write the same.
    """
    numbers = (first, end - first, 0, _TOP, 0, _TOP)
    start, length, *rows = (_number(number) for number in numbers)
    no_fields, no_columns, no_filters, a_range = b"\0", b"\0", b"\0", b"\1"
    return b"".join((b"rsview\1", no_fields, no_columns, no_filters, a_range, start, length, *rows))


def _number(number: int) -> bytes:
    """Write a number as LEB128."""
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
