"""``respool flight``: logs over Arrow Flight."""

import importlib
import os
from pathlib import Path

import click

from respool._cli import directories, options, targets
from respool._cli.causes import why
from respool._cli.endings import Ending, Exit

_OPTIONS = {
    # The command has no way to send a token in the clear.
    "tls=(certificate, key), or tls=False where something else encrypts": "--cert and --key",
    "tls=(certificate, key)": "--cert and --key",
    "tls=": "--cert and --key",
    "token=": "--token or RESPOOL_FLIGHT_TOKEN",
}
"""How the command spells arguments of :func:`respool.flight.serve`, the longer ones first."""


@click.group("flight")
def command() -> None:
    """Serve logs to other machines."""


@command.command("serve")
@options.targets(required=False)
@click.option(
    "--location",
    metavar="URI",
    default="grpc://127.0.0.1:8815",
    show_default=True,
    help="Where to listen.",
)
@click.option(
    "--token",
    envvar="RESPOOL_FLIGHT_TOKEN",
    show_envvar=True,
    help="What clients have to send. As a variable it is not seen in the list of processes.",
)
@click.option(
    "--cert",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate, for TLS.",
)
@click.option(
    "--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its key."
)
@options.directory
def serve(
    words: tuple[str, ...],
    location: str,
    token: str | None,
    cert: Path | None,
    key: Path | None,
    directory: str | None,
) -> Exit:
    """Serve logs by Arrow Flight, until Ctrl-C.

    NAME may also be the directory of a log, or of names; without any, all names are served.
    """
    # It loads gRPC, which nobody else wants to wait for.
    serve_logs = importlib.import_module("respool._flight.command").serve
    paths = [_served(word, directory) for word in words] or [_all(directory)]
    try:
        serve_logs(paths, location, token, cert, key)
    except FileNotFoundError as error:
        raise Ending(Exit.NOT_FOUND, why(error)) from None
    except ValueError as error:
        # Of its arguments: what happens to clients later is told to them.
        raise click.UsageError(_spelt(str(error))) from None
    return Exit.OK


def _spelt(said: str) -> str:
    """Return what was said of arguments of Python as it is said of options."""
    for argument, option in _OPTIONS.items():
        said = said.replace(argument, option)
    return said


def _all(directory: str | None) -> Path:
    """Return the directory of all names, of which more may come while it is served."""
    root = directories.root(directory)
    if not os.path.lexists(root):
        raise Ending(
            Exit.NOT_FOUND,
            f"nothing is kept in {root}",
            "the first respool.named(...) that fills a name makes it",
        )
    return root


def _served(word: str, directory: str | None) -> Path:
    path = Path(word).expanduser()
    if targets.is_path(word) and path.is_dir():
        return path
    try:
        return targets.found(word, directory).path
    except Ending as ending:
        if ending.code is Exit.NOT_FOUND and path.is_dir():
            step = f"there is a directory at the path .{os.sep}{word}: write it so"
            raise Ending(ending.code, ending.said, step) from None
        raise
