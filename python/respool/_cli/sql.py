"""``respool sql``: DuckDB over logs."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from respool._cli import directories, options, reading, targets
from respool._cli.causes import why
from respool._cli.endings import Ending, Exit
from respool._cli.interrupts import Interrupts, held, noted
from respool._cli.rows import formats
from respool._cli.targets import Target
from respool._cli.terminal import note, progress
from respool._named.home import homes
from respool.exceptions import RespoolError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from respool import StreamCacheView

_TABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.+)", re.DOTALL)

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_MISSING = re.compile(r"Table with name (\S+) does not exist")

_OF_STREAM = re.compile(r"reading the stream registered as '.*?' failed: (\w+): (.*)", re.DOTALL)


@click.command(
    "sql",
    short_help="Run a query of DuckDB.",
    epilog="Each NAME is a table: of a path the name of its directory. TABLE=NAME chooses another. Names with a - "
    'or a . in them are quoted in SQL: from "trips-2026".',
)
@click.argument("query")
@options.targets(required=False)
@formats.option("what the name of --output says, else table")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write to a file, whole or not at all.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.option(
    "-n",
    "--rows",
    "most_rows",
    type=click.IntRange(min=1),
    help=f"How many rows at most. [default: {formats.MOST_ROWS} of a table, all of another format]",
)
@options.partial
@options.timeout
@options.as_json
@options.directory
def command(
    query: str,
    words: tuple[str, ...],
    chosen: str | None,
    output: str | None,
    force: bool,
    most_rows: int | None,
    is_partial: bool,
    timeout: float | None,
    is_json: bool,
    directory: str | None,
) -> Exit:
    """Run QUERY with DuckDB on one or more logs."""
    if not query.strip():
        raise Ending(Exit.USAGE, "the query is empty", 'respool sql "from trips" trips')
    wanted = formats.of(chosen, output, is_json=is_json)
    if output is not None:
        formats.refuse_what_is_there(Path(output), is_forced=force)
    # An extra, and the command has other uses.
    try:
        with held():
            import duckdb  # noqa: PLC0415
    except ModuleNotFoundError:
        raise Ending(
            Exit.FAILED,
            "sql needs DuckDB, which can't be imported",
            "pip install 'respool[cli,duckdb]'",
        ) from None
    tables = _tables(words, directory)
    try:
        with (
            noted() as interrupts,
            duckdb.connect() as connection,
            interrupts.passed_to(connection.interrupt),
        ):
            # Where a query takes long, DuckDB would draw among what is printed.
            connection.execute("set enable_progress_bar = false")
            # Or what has no table is looked for among the variables of this module.
            connection.execute("set python_enable_replacements = false")
            _know(connection, tables, interrupts, is_partial=is_partial, timeout=timeout)
            interrupts.again()
            reader = _rows(connection, query, None if wanted == "table" else most_rows)
            if reader is None:
                note("done; the statement gives no rows")
            else:
                most = most_rows or formats.MOST_ROWS
                formats.write(reader, wanted, output, most, is_forced=force)
    except (duckdb.Error, OSError, RuntimeError) as error:
        if isinstance(error, BlockingIOError | BrokenPipeError | TimeoutError | RespoolError):
            raise
        raise _ended(error, query, tables, directory) from error
    return Exit.OK


def _tables(words: tuple[str, ...], directory: str | None) -> dict[str, Target]:
    """Return the targets by the names that SQL knows them by."""
    tables: dict[str, Target] = {}
    for word in words:
        match = None if targets.is_path(word.partition("=")[0]) else _TABLE.fullmatch(word)
        name, meant = (match[1], match[2]) if match else (None, word)
        target = targets.found(meant, directory)
        if name is None:
            name = target.home.name if target.home else Path(target.path).resolve().name
        # DuckDB takes small letters and capitals for the same.
        if name.lower() in {known.lower() for known in tables}:
            raise Ending(
                Exit.USAGE,
                f"two of these are the table {name!r}",
                f"write another name before one: other={meant}",
            )
        tables[name] = target
    return tables


def _know(
    connection: "duckdb.DuckDBPyConnection",
    tables: dict[str, Target],
    interrupts: Interrupts,
    *,
    is_partial: bool,
    timeout: float | None,
) -> None:
    from respool import duckdb as door  # noqa: PLC0415 - imports DuckDB

    for name, target in tables.items():
        # Whoever waits is not to have lost it.
        interrupts.again()
        read = reading.opened(target, is_partial=is_partial, timeout=timeout)
        if read.log.state == "growing" and not is_partial:
            _wait(target, read.view)
        door.register(connection, name, read.view)


def _wait(target: Target, view: "StreamCacheView") -> None:
    """Wait for a log to be whole.

    Here, and not in the query: DuckDB would wait on a thread of its own, which Ctrl-C does not reach.
    """
    with progress(f"{target.word} is being written", None) as tell:

        def told(_batches: int, rows: int) -> None:
            tell(rows)

        view.ingest_all(progress=told)


def _rows(
    connection: "duckdb.DuckDBPyConnection", query: str, most_rows: int | None
) -> "pa.RecordBatchReader | None":
    relation: Any = connection.sql(query)
    if relation is None:
        return None
    if most_rows is not None:
        relation = relation.limit(most_rows)
    # DuckDB 1.5 has both names, 2.0 the first alone.
    make = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    reader: pa.RecordBatchReader = make()
    return reader


def _ended(
    error: Exception, query: str, tables: dict[str, Target], directory: str | None
) -> Ending:
    """Return the ending of a query; what ended a stream comes through DuckDB as a text."""
    said = why(error)
    if (stream := _OF_STREAM.search(said)) is None:
        return Ending(
            Exit.FAILED, said, *_forgotten(said, directory), *_unquoted(query, list(tables))
        )
    kind, said = stream.groups()
    if kind == "CorruptLogError":
        words = dict.fromkeys(target.word for target in tables.values())
        meant = shlex.join([*words, *(["--directory", directory] if directory else [])])
        return Ending(
            Exit.DAMAGED, said, f"respool verify {meant} lists what is damaged and what is not"
        )
    if kind in {"IncompleteStreamError", "TimeoutError"}:
        return Ending(Exit.UNFINISHED, said, "--partial reads what there is")
    return Ending(Exit.FAILED, said)


def _forgotten(said: str, directory: str | None) -> list[str]:
    """Return what to do where a query is about a name that is there, and was not given."""
    if (missing := _MISSING.search(said)) is None:
        return []
    # SQL takes small letters and capitals for the same.
    meant = [
        it.name
        for it in homes(directories.root(directory))
        if it.name.lower() == missing[1].lower()
    ]
    return [f"name it behind the query: respool sql QUERY {name}" for name in meant]


def _unquoted(query: str, tables: list[str]) -> list[str]:
    """Return what to do where a query that failed has a name in it that SQL takes in quotes only."""
    return [
        f'quote the name: "{name}"'
        for name in tables
        if not _PLAIN.fullmatch(name)
        and re.search(rf"""(?<!["'\w]){re.escape(name)}(?!["'\w])""", query, re.IGNORECASE)
    ]
