"""``respool export``: a log as a file of another format."""

from pathlib import Path

import click

from respool._cli import options, reading, shown, targets
from respool._cli.endings import Ending, Exit
from respool._cli.terminal import note, progress, say_json

_SUFFIXES = {
    ".parquet": "parquet",
    ".arrow": "ipc",
    ".ipc": "ipc",
    ".feather": "ipc",
    ".arrows": "ipc",
}


@click.command("export", short_help="Write Parquet or Arrow IPC.")
@options.target()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-f",
    "--format",
    "chosen",
    type=click.Choice(["parquet", "ipc"]),
    help="[default: what the name of FILE says]",
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
    wanted = chosen or _SUFFIXES.get(file.suffix.lower())
    if wanted is None:
        raise Ending(
            Exit.USAGE,
            f"what is to be in {file}? Its name does not say",
            f"end it in one of {' '.join(_SUFFIXES)}, or add --format",
        )
    if file.is_file() and not force:
        raise Ending(Exit.USAGE, f"{file} is there already", "--force replaces it")
    target = targets.found(word, directory)
    read = reading.opened(target, is_partial=is_partial, timeout=timeout)
    total = read.log.rows if read.log.state == "complete" or is_partial else None
    with progress(f"export {word}", total) as tell:

        def told(_batches: int, rows: int) -> None:
            tell(rows)

        try:
            if wanted == "parquet":
                rows = read.view.to_parquet(file, progress=told, compression=compression or "zstd")
            else:
                # Any other text is refused with those that there are.
                rows = read.view.to_ipc(file, progress=told, compression=compression)  # type: ignore[arg-type]
        except KeyboardInterrupt:
            raise Ending(Exit.INTERRUPTED, f"interrupted; {file} was not written") from None
    size = file.stat().st_size
    if is_json:
        say_json({"file": str(file), "rows": rows, "bytes": size})
    else:
        note(f"{shown.count(rows, 'row')}, {shown.size(size)}: {file}")
    return Exit.OK
