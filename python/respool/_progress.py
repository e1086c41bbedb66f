"""What a long read or write shows of itself: a bar of tqdm, a line, or what a callable makes of it."""

import sys
import time
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

_BETWEEN_LINES = 0.1
"""Seconds."""


def begin(
    wanted: bool | Callable[[int, int], object] | None, rows: int | None = None
) -> "Progress":
    """Begin to show how far something is.

    Parameters
    ----------
    wanted
        False or None: nothing is shown. True: a bar of tqdm if it is installed, else a line on standard
        error. A callable: called with batches and rows so far.
    rows
        How many there will be, if that is known.

    Returns
    -------
    Progress
        A context manager, which ends what is shown as it stands then.

    Raises
    ------
    TypeError
        If ``wanted`` is none of these.
    """
    if wanted is None or wanted is False:
        return Progress()
    if wanted is True:
        bar = _bar(rows)
        return Line() if bar is None else Bar(bar)
    if callable(wanted):
        return Call(wanted)
    raise TypeError(f"progress is True, False or a callable, not {type(wanted).__name__}")


class Progress:
    """Shows nothing."""

    is_told_each = False
    """Whether each batch is to be told by itself."""

    def __init__(self) -> None:
        self.batches = 0
        self.rows = 0

    def add(self, rows: int, size: int) -> None:
        """Count one batch; ``size`` bytes were read or written in all."""
        self.at(self.batches + 1, self.rows + rows, size)

    def at(self, batches: int, rows: int, size: int) -> None:
        """Tell how many batches, rows and bytes it is in all."""
        self.batches = batches
        self.rows = rows
        self._show(size)

    def end(self, size: int) -> None:
        """Tell that this is all."""

    def stop(self) -> None:
        """Leave what is shown as it is. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _show(self, size: int) -> None:
        pass


class Call(Progress):
    """Tells a callable."""

    is_told_each = True

    def __init__(self, function: Callable[[int, int], object]) -> None:
        super().__init__()
        self._function = function

    def _show(self, size: int) -> None:  # noqa: ARG002
        self._function(self.batches, self.rows)


class Line(Progress):
    """A line on standard error, rewritten at most every tenth of a second."""

    def __init__(self) -> None:
        super().__init__()
        self._next = time.monotonic()
        self._is_open = False

    def _show(self, size: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _BETWEEN_LINES
            self._write(size, "")

    def end(self, size: int) -> None:
        """Write the last line."""
        self._write(size, "\n")

    def stop(self) -> None:
        """Let what others write begin on a line of its own."""
        if self._is_open:
            self._is_open = False
            sys.stderr.write("\n")

    def _write(self, size: int, end: str) -> None:
        self._is_open = not end
        sys.stderr.write(f"\rrespool: {self.batches} batches, {self.rows} rows, {shown(size)}{end}")
        sys.stderr.flush()


class Bar(Progress):
    """A bar of tqdm over the rows, in a terminal or a notebook."""

    def __init__(self, bar: Any) -> None:  # noqa: ANN401 - an extra that may be missing
        super().__init__()
        self._bar = bar

    def _show(self, size: int) -> None:
        text = f"{self.batches} batches, {shown(size)}"
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(self.rows - self._bar.n)

    def end(self, size: int) -> None:
        """Show the last figures, which tqdm may have left out."""
        self._show(size)
        self._bar.refresh()

    def stop(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


def _bar(rows: int | None) -> Any:  # noqa: ANN401 - an extra that may be missing
    with warnings.catch_warnings():
        # That the notebook has no widgets is no news for who asked for a bar.
        warnings.simplefilter("ignore")
        try:
            # An extra without types, imported when used.
            from tqdm.auto import tqdm  # noqa: PLC0415
        except ImportError:
            return None
        return tqdm(total=rows, desc="respool", unit=" rows", unit_scale=True)


def shown(size: float) -> str:
    """Bytes as people read them."""
    if size < 1024:  # noqa: PLR2004 - the next unit
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:  # noqa: PLR2004
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"
