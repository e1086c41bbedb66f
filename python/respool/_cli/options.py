"""Arguments and options that several subcommands have."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from respool._cli.targets import Word

Command = TypeVar("Command", bound=Callable[..., Any])

directory = click.option(
    "-d",
    "--directory",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where the names are. [default: $RESPOOL_CACHE_DIR, or the user's cache]",
)

as_json = click.option(
    "--json", "is_json", is_flag=True, help="Print JSON, for programs; errors too."
)

partial = click.option(
    "--partial",
    "is_partial",
    is_flag=True,
    help="Read what there is of a log that is not whole, and wait for nobody.",
)

timeout = click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="How long to wait for each next batch of a log that is being written. [default: for ever]",
)

yes = click.option("-y", "--yes", "is_sure", is_flag=True, help="Don't ask.")

dry_run = click.option(
    "-n", "--dry-run", "is_dry", is_flag=True, help="Remove nothing; say what would go."
)


def targets(*, required: bool = True) -> Callable[[Command], Command]:
    """Give a command one or more names or paths, as ``words``."""
    metavar = "NAME..." if required else "[NAME]..."
    return click.argument("words", metavar=metavar, nargs=-1, required=required, type=Word())


def target() -> Callable[[Command], Command]:
    """Give a command one name or path, as ``word``."""
    return click.argument("word", metavar="NAME", type=Word())
