"""``respool head``: the first rows of a log."""

import click

from respool import StreamCache
from respool._cli import logs, options, reading, states, targets
from respool._cli.endings import Ending, Exit
from respool._cli.logs import Log
from respool._cli.rows import formats
from respool._cli.targets import Target
from respool._cli.terminal import note


@click.command("head", short_help="Show the first rows.")
@options.target()
@click.option(
    "-n",
    "--rows",
    "count",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many.",
)
@formats.option("table")
@options.as_json
@options.directory
def command(
    word: str, count: int, chosen: str | None, is_json: bool, directory: str | None
) -> Exit:
    """Show the first rows, of what there is: it waits for nobody."""
    wanted = formats.of(chosen, None, is_json=is_json)
    log, cache = reading.settled(targets.found(word, directory), _opened, lambda _: False)
    if log.state != "complete":
        note(f"{word}: {states.meaning(log)}")
    # Loaded by who shows rows, not by a shell that completes.
    import pyarrow as pa  # noqa: PLC0415

    with cache:
        rows = cache.prefix().slice(0, count)
        reader = pa.RecordBatchReader.from_batches(rows.schema, iter(rows.reader()))
        formats.write(reader, wanted, None, most_rows=count)
    return Exit.OK


def _opened(target: Target) -> tuple[Log, StreamCache]:
    target, log = reading.looked(target)
    if log.state in {"damaged", "unreadable"}:
        code = Exit.DAMAGED if log.state == "damaged" else Exit.FAILED
        raise Ending(code, f"{target.word}: {states.meaning(log)}", *states.then(log, target))
    return log, logs.open(target.path)
