"""The stored batches of a range, by their numbers in the cache. Reads what is stored, and waits for nothing.

A range is found at once. Of a slice it is reached by going through what is before it, since only that tells which
rows it shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respool._flight.limits import size_of
from respool._flight.predicates import to_expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from respool import StreamCacheReader, StreamCacheView
    from respool._flight.served import Served
    from respool._flight.tickets import Shown

_BYTES = 16 << 20
_BATCHES = 64
_TOP = (1 << 64) - 1


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
        self._before = _before_range(served.view)
        view = shown(served.view, what)
        self.schema = view.schema
        if self._before is None:
            # Of one that grows a step may wait for its source: nothing tells before which rows will be shown.
            self._reader = view.reader()

    def take(self, end: int, last: int | None) -> Iterator[tuple[list[pa.RecordBatch], int]]:
        """Yield batches before the number `end`, some at a time, and the number that comes after them.

        A slice may go on to the next one that it shows, but not to `last`.
        """
        if self._before is not None:
            # No further than is stored: the next batch that passes a filter may be long in coming.
            saved = self._before + _range(self.position, end)
            between = self._served.cache._restored(saved)  # noqa: SLF001
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
                batch = next(reader, None)
            except BaseException:
                # What is good comes before what is not.
                if chunk:
                    self.position = max(first, position)
                    yield chunk, self.position
                raise
            if batch is None:
                break
            position = reader.position
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


def _before_range(view: StreamCacheView) -> bytes | None:
    """Return what the engine saves of a view before its range, if that is everything; None if it is a slice.

    See `crates/respool/src/saved`.
    """
    saved: bytes = view._saved()  # noqa: SLF001
    everything = b"\0" + _ALL_ROWS
    if not saved.endswith(everything):
        return None
    before = saved.removesuffix(everything)
    try:
        # The same bytes end a range of no batches.
        view.cache._restored(before + _range(0, 0))  # noqa: SLF001
    except ValueError:
        return None
    return before


def _range(first: int, end: int) -> bytes:
    """Write the range of these batches as the engine does, which checks what it is given."""
    return b"".join((b"\1", _number(first), _number(end - first), _ALL_ROWS))


def _number(number: int) -> bytes:
    """Write a number as LEB128."""
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_ALL_ROWS = 2 * (_number(0) + _number(_TOP))
"""All rows of the batches, and all of those that pass."""
