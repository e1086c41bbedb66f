"""``respool export``: a log as a file of another format."""

import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from respool._cli import options, reading, targets
from respool._cli.causes import why
from respool._cli.endings import Ending, Exit
from respool._cli.interrupts import noted
from respool._cli.rows import formats
from respool._cli.terminal import progress, say_json
from respool.exceptions import CorruptLogError

if TYPE_CHECKING:
    from respool import StreamCacheView

_SUFFIXES = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
    ".arrows": "arrow",
}

_CODECS = {
    "parquet": ("zstd", "lz4", "snappy", "gzip", "brotli", "none"),
    "arrow": ("zstd", "lz4"),
}

_GROUP_ROWS = 1 << 20
"""Rows of a row group, as ``to_parquet`` has them."""

_TEXT = {".csv", ".json", ".jsonl", ".ndjson"}
"""What only ``respool sql`` writes."""


@click.command("export", short_help="Write Parquet or Arrow IPC.")
@options.target()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-f",
    "--format",
    "chosen",
    type=click.Choice(["parquet", "arrow", "ipc"]),
    help="Where ipc is arrow. [default: what the name of FILE says]",
)
@click.option(
    "-c",
    "--compression",
    metavar="CODEC",
    help="zstd, lz4; for Parquet also snappy, gzip, brotli, none.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@options.partial
@options.timeout
@options.as_json
@options.directory
def command(
    word: str,
    file: Path,
    chosen: str | None,
    compression: str | None,
    force: bool,
    is_partial: bool,
    timeout: float | None,
    is_json: bool,
    directory: str | None,
) -> Exit:
    """Write all rows to FILE, as Parquet or Arrow IPC.

    FILE is there whole or not at all: it gets its name when everything in it is on the disk.
    """
    named = _SUFFIXES.get(file.suffix.lower())
    if chosen == "ipc":
        chosen = "arrow"
    if named and chosen not in {None, named}:
        raise formats.contradicted(str(file), named, f"--format {chosen}")
    wanted = chosen or named
    if wanted is None and file.suffix.lower() in _TEXT:
        raise Ending(
            Exit.USAGE,
            f"export writes Parquet and Arrow, and no {file.suffix}",
            _by_sql(word, file, directory),
        )
    if wanted is None:
        raise Ending(
            Exit.USAGE,
            f"what is to be in {file}? Its name does not say",
            f"end it in one of {' '.join(_SUFFIXES)}, or add --format",
        )
    codec = None if compression is None else compression.lower()
    if codec is not None and codec not in _CODECS[wanted]:
        has = ", ".join(_CODECS[wanted])
        raise Ending(Exit.USAGE, f"{wanted} has no compression {compression}: it has {has}")
    formats.refuse_what_is_there(file, is_forced=force)
    target = targets.found(word, directory)
    read = reading.opened(target, is_partial=is_partial, timeout=timeout)
    total = read.log.rows if read.log.state == "complete" or is_partial else None
    before = _identity(file)
    try:
        with noted(), progress(f"export {word}", total) as tell, formats.unreplaced(file):

            def told(_batches: int, rows: int) -> None:
                tell(rows)

            rows = _write(read.view, file, wanted, codec, told, is_forced=force)
    except KeyboardInterrupt:
        raise Ending(Exit.INTERRUPTED, f"interrupted; {_said(file, before)}") from None
    except CorruptLogError as error:
        step = f"respool verify {target.written} lists what is damaged and what is not"
        raise Ending(Exit.DAMAGED, why(error), step) from error
    if is_json:
        say_json({"file": str(file), "rows": rows, "bytes": formats.size_of(file)})
    else:
        formats.say_written(file, rows)
    return Exit.OK


def _identity(file: Path) -> tuple[int, int] | None:
    """Return what tells a file from another that had the name; None if there is none, or what is there takes bytes."""
    try:
        there = file.stat()
    except OSError:
        return None
    return (there.st_dev, there.st_ino) if stat.S_ISREG(there.st_mode) else None


def _said(file: Path, before: tuple[int, int] | None) -> str:
    """Return what became of a file when Ctrl-C came."""
    if _identity(file) != before:
        return f"{file} was written before"
    return f"{file} was not written" if before or not file.exists() else f"{file} got a part"


def _write(
    view: "StreamCacheView",
    file: Path,
    wanted: str,
    codec: str | None,
    told: Callable[[int, int], object],
    *,
    is_forced: bool,
) -> int:
    from respool import _export  # noqa: PLC0415 - with all of Arrow
    from respool._whole import whole  # noqa: PLC0415

    opened = whole(str(file), is_new=not is_forced)
    if wanted == "parquet":
        return _export.parquet(view, opened, told, _GROUP_ROWS, {"compression": codec or "zstd"})
    known: Any = codec
    return _export.ipc(view, opened, known, told, is_stream=file.suffix == ".arrows")


def _by_sql(word: str, file: Path, directory: str | None) -> str:
    """Return what to type instead; the table has a name of its own, as that of the log may be none of SQL."""
    place = [] if directory is None else ["--directory", directory]
    return shlex.join(["respool", "sql", "from t", f"t={word}", "-o", str(file), *place])
