"""What is printed: tables, notes and progress, as wide as the terminal and as colourful as it may be."""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from respool._cli import standard
from respool._cli.escaped import escaped

_ENDLESS = 100_000
"""Columns of what is no terminal: nothing is cut there."""


def is_terminal(file: IO[Any]) -> bool:
    """Tell whether somebody looks at it."""
    return not file.closed and file.isatty()


def width(file: IO[Any]) -> int:
    """Return how many columns there are to print to."""
    if is_terminal(file) or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return _ENDLESS


def _console(file: IO[str], written: IO[str]) -> Console:
    is_coloured = is_terminal(file) and not os.environ.get("NO_COLOR")
    return Console(
        file=written,
        force_terminal=is_terminal(file),
        color_system="auto" if is_coloured else None,
        width=width(file),
        # What is printed is text of others, and none of it is markup.
        markup=False,
        emoji=False,
        highlight=False,
    )


def show(what: RenderableType, file: IO[str] | None = None) -> None:
    """Print something, by default to standard output."""
    file = file or sys.stdout
    # Not written by rich itself, which ends the process where a pipe is closed.
    written = io.StringIO()
    _console(file, written).print(what)
    for line in written.getvalue().splitlines():
        file.write(f"{line.rstrip()}\n")


def say(text: str, style: str = "", indent: int = 0) -> None:
    """Print a paragraph to standard output."""
    if not text:
        sys.stdout.write("\n")
        return
    show(Padding(Text(escaped(text), style), (0, 0, 0, indent), expand=False))


def note(text: str, style: str = "", indent: int = 0) -> None:
    """Print a paragraph to standard error, where it is in nobody's way."""
    standard.flush()
    with standard.telling():
        show(Padding(Text(escaped(text), style), (0, 0, 0, indent), expand=False), sys.stderr)


def say_json(value: object) -> None:
    """Print JSON of ASCII letters alone, which no terminal obeys."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def columns(*names: str, right: Iterable[str] = ()) -> Table:
    """Make a table of plain columns, for people and for awk."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        # Folded rather than cut: a name is there to be copied.
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def facts(lines: Iterable[tuple[str, str]]) -> Table:
    """Make a table of names and values."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines:
        table.add_row(name, Text(escaped(value)))
    return table


class _Unminded:
    """Standard error of which nobody minds that it is gone, as where a terminal was closed: work goes on."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - those of the file
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        # Not to what rich has put in its place: that would have what it holds written here, again and again.
        with standard.telling(self._file):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with standard.telling(self._file):
            pass


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Show how far something is, on a terminal only; gives what is to be called with the count so far."""
    if not is_terminal(sys.stderr):
        yield lambda _: None
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(compact=True),
        console=_console(sys.stderr, _Unminded(sys.stderr)),  # type: ignore[arg-type]
        transient=True,
    )
    with bar:
        task = bar.add_task(escaped(what), total=total)
        yield lambda count: bar.update(task, completed=count)
