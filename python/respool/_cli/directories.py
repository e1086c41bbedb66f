"""The directory of the names, as the command line or the environment names it."""

import os
from pathlib import Path

from respool._cli.endings import Ending, Exit
from respool._named import place

_VARIABLE = "RESPOOL_CACHE_DIR"


def root(directory: str | None) -> Path:
    """Return the directory that holds the names, which need not be there.

    Parameters
    ----------
    directory
        What ``--directory`` says, if it was given.

    Raises
    ------
    Ending
        If what was written can't be one.
    """
    try:
        return straight(place.root(directory))
    except ValueError as error:
        raise Ending(Exit.USAGE, str(error)) from None


def there(directory: str | None) -> Path:
    """Return the directory that holds the names; only the default may be missing, which nobody has named.

    Raises
    ------
    Ending
        As :func:`root`, and if it is missing.
    """
    path = root(directory)
    is_default = directory is None and not os.environ.get(_VARIABLE)
    if is_default or os.path.lexists(path):
        return path
    said = f"{path} is not there"
    if directory is None:
        said += f", where {_VARIABLE} says that the names are"
    raise Ending(Exit.NOT_FOUND, said, "the first respool.named(...) that fills a name makes it")


def is_meant(path: Path) -> bool:
    """Tell whether a directory is the one that is meant where none is written."""
    try:
        return path == root(None)
    except Ending:
        return False


def straight(path: Path) -> Path:
    """Return a path without the ``..`` in it, for people to read. Where it ends in a link it still does."""
    if ".." not in path.parts:
        return path
    return path.resolve() if path.name == ".." else path.parent.resolve() / path.name


def full(path: Path) -> str:
    """Return a path for programs: one from the root, which the command does not take for a name."""
    return str(straight(path.absolute()))
