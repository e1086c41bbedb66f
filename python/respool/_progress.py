"""What a long read or write shows of itself: a bar of tqdm, a line, or what a callable makes of it."""

import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

_BETWEEN_LINES = 0.1
"""Seconds, on a terminal; what is no terminal keeps every line, and gets one now and then."""

_BETWEEN_KEPT_LINES = 10.0

_UNSHOWN = (OSError, ValueError)
"""What a terminal that is gone, or a file that is closed, makes of what is shown: no end of what is read or written,
and nothing to hide the error that is."""


def begin(
    wanted: bool | Callable[[int, int], object] | None, rows: int | None = None
) -> "Progress":
    """Begin to show how far something is.

    Parameters
    ----------
    wanted
        False or None: nothing is shown. True: a bar of tqdm if it is installed and somebody looks, else a line
        on standard error. A callable: called with batches and rows so far.
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
    check(wanted)
    if wanted is None or wanted is False:
        return Progress()
    if wanted is True:
        bar = _bar(rows) if _is_terminal() or _is_notebook() else None
        return Line(rows) if bar is None else Bar(bar)
    return Call(wanted)


def check(wanted: bool | Callable[[int, int], object] | None) -> None:
    """Refuse what says not how to show how far something is, before anything is read.

    Raises
    ------
    TypeError
        If it is neither None, nor a bool, nor a callable.
    """
    if not (wanted is None or isinstance(wanted, bool) or callable(wanted)):
        raise TypeError(f"progress is True, False or a callable, not {type(wanted).__name__}")


class Progress:
    """Shows nothing."""

    is_told_each = False
    """Whether each batch is to be told by itself."""

    def __init__(self) -> None:
        self.batches = 0
        self.rows = 0
        self._began: tuple[float, int] | None = None

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

    def _rate(self, size: int) -> str:
        """Bytes a second since it began, as text; nothing while that is not known."""
        now = time.monotonic()
        if self._began is None:
            self._began = (now, size)
        time_before, size_before = self._began
        if now - time_before < _BETWEEN_LINES:
            return ""
        return f", {shown((size - size_before) / (now - time_before))}/s"


class Call(Progress):
    """Tells a callable."""

    is_told_each = True

    def __init__(self, function: Callable[[int, int], object]) -> None:
        super().__init__()
        self._function = function

    def _show(self, size: int) -> None:  # noqa: ARG002
        self._function(self.batches, self.rows)


class Line(Progress):
    """A line on standard error: on a terminal one that is rewritten, else a new one now and then, and at the end."""

    def __init__(self, rows: int | None = None) -> None:
        super().__init__()
        self._all_rows = rows
        self._is_terminal = _is_terminal()
        self._between = _BETWEEN_LINES if self._is_terminal else _BETWEEN_KEPT_LINES
        self._next = time.monotonic() + (0 if self._is_terminal else self._between)
        self._size = 0
        self._is_open = False

    def _show(self, size: int) -> None:
        self._size = size
        self._is_open = True
        text = self._text()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._between
            self._write(text, "" if self._is_terminal else "\n")

    def end(self, size: int) -> None:
        """Write the last line."""
        self._size = size
        self._write(self._text(), "\n")
        self._is_open = False

    def stop(self) -> None:
        """Let what others write begin on a line of its own."""
        if self._is_open:
            self._is_open = False
            self._write(self._text(), "\n")

    def _text(self) -> str:
        share = f", {self.rows / self._all_rows:.0%}" if self._all_rows else ""
        return (
            f"respool: {_count(self.batches, 'batch', 'batches')}, {_count(self.rows, 'row', 'rows')}, "
            f"{shown(self._size)}"
            f"{self._rate(self._size)}{share}"
        )

    def _write(self, text: str, end: str) -> None:
        if sys.stderr is None:
            return
        # What a shorter line leaves of the one before is written over.
        begin = "\r\x1b[K" if self._is_terminal else ""
        with suppress(*_UNSHOWN):
            sys.stderr.write(f"{begin}{text}{end}")
            sys.stderr.flush()


class Bar(Progress):
    """A bar of tqdm over the rows, in a terminal or a notebook."""

    def __init__(self, bar: Any) -> None:  # noqa: ANN401 - an extra that may be missing
        super().__init__()
        self._bar = bar

    def _show(self, size: int) -> None:
        text = f"{_count(self.batches, 'batch', 'batches')}, {shown(size)}{self._rate(size)}"
        with suppress(*_UNSHOWN):
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(self.rows - self._bar.n)

    def end(self, size: int) -> None:
        """Show the last figures, which tqdm may have left out."""
        self._show(size)
        with suppress(*_UNSHOWN):
            self._bar.refresh()

    def stop(self) -> None:
        """Leave the bar as it is."""
        with suppress(*_UNSHOWN):
            self._bar.close()


def _is_terminal() -> bool:
    # It may be None, closed, or nothing but what takes text.
    with suppress(AttributeError, *_UNSHOWN):
        return bool(sys.stderr.isatty())
    return False


def _is_notebook() -> bool:
    """Tell whether a notebook shows what is printed. Its standard error is no terminal."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and type(shell).__name__ != "TerminalInteractiveShell"


def _bar(rows: int | None) -> Any:  # noqa: ANN401 - an extra that may be missing
    with warnings.catch_warnings():
        # That the notebook has no widgets is no news for who asked for a bar.
        warnings.simplefilter("ignore")
        try:
            # An extra without types, imported when used.
            from tqdm.auto import tqdm  # noqa: PLC0415
        except ImportError:
            return None
        with suppress(*_UNSHOWN):
            return tqdm(total=rows, desc="respool", unit=" rows", unit_scale=True)
        return None


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def shown(size: float) -> str:
    """Bytes as people read them."""
    if size < 1024:  # noqa: PLR2004 - the next unit
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:  # noqa: PLR2004
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"
