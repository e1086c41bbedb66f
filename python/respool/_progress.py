"""What an export shows of itself, as ``ingest_all(progress=...)`` does of an ingest."""

import sys
import time
from collections.abc import Callable

_BETWEEN_LINES = 0.1
"""Seconds."""


class Progress:
    """Counts what was written, and tells: nobody, standard error, or a callable.

    Parameters
    ----------
    wanted
        False: nobody. True: a line on standard error, rewritten at most every tenth of a second. A
        callable: called with batches and rows so far.

    Raises
    ------
    TypeError
        If it is none of these.
    """

    def __init__(self, wanted: bool | Callable[[int, int], object] | None) -> None:
        if not (wanted is None or isinstance(wanted, bool) or callable(wanted)):
            raise TypeError("progress is True, False or a callable")
        self._wanted = wanted
        self._next_line = time.monotonic()
        self.batches = 0
        self.rows = 0

    def add(self, rows: int) -> None:
        """Count one batch."""
        self.batches += 1
        self.rows += rows
        if callable(self._wanted):
            self._wanted(self.batches, self.rows)
        elif self._wanted and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _BETWEEN_LINES
            self._write_line("")

    def end(self, size: int) -> None:
        """Tell that everything is written, into so many bytes."""
        if self._wanted is True:
            self._write_line(f", {_shown(size)}\n")

    def _write_line(self, end: str) -> None:
        sys.stderr.write(f"\rrespool: {self.batches} batches, {self.rows} rows{end}")
        sys.stderr.flush()


def _shown(size: float) -> str:
    if size < 1024:  # noqa: PLR2004 - the next unit
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:  # noqa: PLR2004
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"
