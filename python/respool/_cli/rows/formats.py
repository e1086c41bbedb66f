"""Which formats rows can have, and where they go."""

from __future__ import annotations

import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from respool._cli import shown, standard
from respool._cli.endings import Ending, Exit
from respool._cli.terminal import is_terminal, note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from respool._cli.options import Command

FORMATS = ("table", "csv", "json", "jsonl", "parquet", "arrow")

MOST_ROWS = 50
"""What a table has where nothing else is said."""

_SUFFIXES = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arrows": "arrow",
}

_BINARY = {"parquet", "arrow"}


def option(default: str) -> Callable[[Command], Command]:
    """Give a command ``--format``, as ``chosen``; its help says what holds without it."""
    return click.option(
        "-f",
        "--format",
        "chosen",
        type=click.Choice(FORMATS),
        help=f"How rows are written. [default: {default}]",
    )


def of(chosen: str | None, output: str | None, *, is_json: bool = False) -> str:
    """Return the format that is wanted.

    Parameters
    ----------
    chosen
        What ``--format`` says.
    output
        The file, if there is one.
    is_json
        Whether ``--json`` was said.

    Raises
    ------
    Ending
        If nothing says which, or it can't go there.
    """
    if is_json and chosen not in {None, "json", "jsonl"}:
        raise Ending(Exit.USAGE, f"--json is no --format {chosen}", "leave one of them out")
    named = None if output is None else _SUFFIXES.get(Path(output).suffix.lower())
    if named is not None:
        option = f"--format {chosen}" if chosen else "--json" if is_json else ""
        if option and named not in ({chosen} if chosen else {"json", "jsonl"}):
            raise contradicted(str(output), named, option)
        return named
    if is_json:
        chosen = chosen or "json"
    if output is None:
        if chosen in _BINARY and is_terminal(sys.stdout):
            raise Ending(
                Exit.USAGE,
                f"{chosen} is not for a terminal",
                "send it to a file with > FILE, or to a program with |",
            )
        return chosen or "table"
    if chosen is None:
        raise Ending(
            Exit.USAGE,
            f"what is to be in {output}? Its name does not say",
            f"end it in one of {' '.join(_SUFFIXES)}, or add --format",
        )
    if chosen == "table":
        raise Ending(Exit.USAGE, "a table is for people, not for a file", "choose another --format")
    return chosen


def contradicted(file: str, named: str, option: str) -> Ending:
    """Return the ending where an option says another format than the name of a file."""
    return Ending(
        Exit.USAGE,
        f"{file} is to be {named} by its name, and {option} is not that",
        "leave the option out, or end the name otherwise",
    )


def refuse_what_is_there(file: Path, *, is_forced: bool) -> None:
    """Refuse to replace a file, unless that is wanted."""
    if file.is_file() and not is_forced:
        raise _is_there(file)


@contextmanager
def unreplaced(file: Path) -> Iterator[None]:
    """Say of a file that came meanwhile what is said of one that is there."""
    try:
        yield
    except FileExistsError:
        raise _is_there(file) from None


def _is_there(file: Path) -> Ending:
    return Ending(Exit.USAGE, f"{file} is there already", "--force replaces it")


def write(
    reader: pa.RecordBatchReader,
    chosen: str,
    output: str | None,
    most_rows: int = MOST_ROWS,
    *,
    is_forced: bool = False,
) -> None:
    """Write rows as one of the formats, to a file that is there whole or not at all, or to standard output.

    Of ``most_rows`` only a table takes no more. A file that is there is replaced only if that is forced.
    """
    # With all of Arrow, for which a shell that completes would wait.
    import pyarrow as pa  # noqa: PLC0415

    from respool._cli.rows import table  # noqa: PLC0415
    from respool._pipes import Pipe  # noqa: PLC0415
    from respool._whole import whole  # noqa: PLC0415

    if chosen == "table":
        table.show_table(reader, most_rows)
    elif output is None:
        standard.flush()
        is_shown = is_terminal(sys.stdout)
        # What lies in its buffer would be written for all that happens; and not closed, as it is not ours.
        raw = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        with Pipe(raw).writing() as pipe:
            printed = pa.PythonFile(pipe, mode="w")  # type: ignore[arg-type]
            _write(reader, chosen, printed, is_stream=True, is_shown=is_shown)
    else:
        with unreplaced(Path(output)), whole(output, is_new=not is_forced) as file:
            is_stream = Path(output).suffix.lower() == ".arrows"
            rows = _write(reader, chosen, file, is_stream=is_stream, is_shown=False)
        say_written(Path(output), rows)


def say_written(file: Path, rows: int) -> None:
    """Say how many rows went into a file, and how large it is."""
    size = size_of(file)
    sized = "" if size is None else f", {shown.size(size)}"
    note(f"{shown.count(rows, 'row')}{sized}: {file}")


def size_of(file: Path) -> int | None:
    """Return the bytes of a file; None of what only takes bytes."""
    there = file.stat()
    return there.st_size if stat.S_ISREG(there.st_mode) else None


def _write(
    reader: pa.RecordBatchReader,
    chosen: str,
    file: pa.NativeFile,
    *,
    is_stream: bool,
    is_shown: bool,
) -> int:
    from respool._cli.rows import files, text  # noqa: PLC0415

    match chosen:
        case "csv":
            return text.write_csv(reader, file.write, is_shown=is_shown)
        case "json" | "jsonl":
            return text.write_json(reader, file.write, is_lines=chosen == "jsonl")
        case "parquet":
            return files.write_parquet(reader, file)
        case _:
            return files.write_arrow(reader, file, is_stream=is_stream)
