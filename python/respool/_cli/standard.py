"""The standard streams, which who starts the command may have closed, or may take nothing."""

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _Closed(io.RawIOBase):
    """What standard output is where it was closed: an error, for who prints something."""

    def writable(self) -> bool:
        return True

    def write(self, _content: object, /) -> int:
        raise OSError(errno.EBADF, "standard output is closed")


class _Waiting(io.FileIO):
    """Standard output that who gave it to us has made one that does not block: Python drops what it does not take."""

    def write(self, content: "Buffer", /) -> int:
        while (written := super().write(content)) is None:
            select.select([], [self], [])
        return written


def stand_in() -> None:
    """Put something in the place of each stream that is closed, and of an output that does not wait.

    The next file that is opened would have the number of a closed one, and get what C prints there.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free. What is written there is an error.
            os.open(os.devnull, os.O_RDONLY)
    if sys.stdin is None:
        sys.stdin = io.StringIO()
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Closed()), encoding="utf-8")
    elif sys.stdout is sys.__stdout__ and sys.platform != "win32" and not os.get_blocking(1):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Waiting(1, "wb", closefd=False)),
            encoding=getattr(sys.__stdout__, "encoding", None),
            errors=getattr(sys.__stdout__, "errors", None),
        )
    if sys.stderr is None:
        sys.stderr = io.StringIO()


def flush() -> None:
    """Write what was printed; what nobody takes is dropped, or the end of Python would be one more error.

    Raises
    ------
    OSError
        If it can't be written.
    """
    try:
        sys.stdout.flush()
    except OSError:
        drop_output()
        raise


def drop_output() -> None:
    """Let what was printed, and was not written so far, go nowhere."""
    if isinstance(getattr(getattr(sys.stdout, "buffer", None), "raw", None), _Closed):
        sys.stdout = io.StringIO()
    else:
        _drop(sys.stdout)


@contextmanager
def telling(file: IO[str] | None = None) -> Iterator[None]:
    """Write to standard error, which may take nothing: that is no error, since it has no place to be told.

    Parameters
    ----------
    file
        What it is, where another stands in its place.
    """
    file = file or sys.stderr
    try:
        yield
        file.flush()
    except OSError:
        _drop(file)


def _drop(stream: IO[str]) -> None:
    # It has no number where it is no file.
    with suppress(OSError, ValueError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
