"""What takes bytes and can't be taken back: pipes, FIFOs, devices. What fails midway must not look whole there."""

from __future__ import annotations

import select
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from typing_extensions import Buffer

_MOST = 1 << 16
"""Bytes that wait to be written together."""

_ROOM = 4096
"""Bytes that a pipe takes without a wait where it takes any."""

_PATIENCE = 0.5
"""Seconds for who reads to take what is left after an error."""

_CUT = b"\xff\xff\xff\xff\x10\x00\x00\x00"
"""The begin of a message of Arrow, of which no more comes. A stream may end without a mark, so one that was cut between
two messages would be a whole one."""


class Pipe:
    """A file that nobody can take anything back from, with a buffer.

    Parameters
    ----------
    raw
        A file without a buffer, which is not closed.
    """

    closed = False

    def __init__(self, raw: Any) -> None:  # noqa: ANN401 - whatever can be written to
        self._raw = raw
        self._waiting = bytearray()
        self._is_over = False

    def write(self, content: Buffer, /) -> int:
        """Take bytes. After an error, as where a writer goes that was not closed, they are dropped."""
        given = memoryview(content).cast("B")
        if not self._is_over:
            self._waiting += given
            if len(self._waiting) >= _MOST:
                self.flush()
        return len(given)

    def flush(self) -> None:
        """Write what waits."""
        while self._waiting and not self._is_over:
            # Where Ctrl-C comes here nobody knows how much was written, and no more will be.
            self._is_over = True
            with memoryview(self._waiting) as waiting:
                written = self._raw.write(waiting)
            del self._waiting[: written or 0]
            self._is_over = False
            if written is None:  # somebody has made it one that does not block
                select.select([], [self._raw], [])

    @contextmanager
    def writing(self) -> Iterator[Pipe]:
        """Write what waits at the end; after an error, what the reader takes at once, and then nothing more."""
        try:
            yield self
            self.flush()
        except BaseException:
            # It has no place to be told: there is an error already.
            with suppress(OSError, ValueError):
                self._leave()
            raise
        finally:
            self._is_over = True

    def _leave(self) -> None:
        until = time.monotonic() + _PATIENCE
        while self._waiting and not self._is_over:
            left = max(0.0, until - time.monotonic())
            if not select.select([], [self._raw], [], left)[1]:
                return
            written = self._raw.write(bytes(self._waiting[:_ROOM]))
            del self._waiting[: written or 0]


@contextmanager
def closing(
    writer: pq.ParquetWriter | pa.RecordBatchStreamWriter | pa.RecordBatchFileWriter,
    file: pa.NativeFile,
) -> Iterator[None]:
    """Close a writer at the end. After an error it is not: what it wrote must not look whole."""
    try:
        yield
    except BaseException:
        if isinstance(writer, pq.ParquetWriter):
            # Or it closes itself where it goes.
            writer.is_open = False
        else:
            with suppress(OSError, ValueError):
                file.write(_CUT)
        raise
    writer.close()
