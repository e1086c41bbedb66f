"""The logs that a directory has for DuckDB, and their names."""

import errno
import os
from pathlib import Path

import respool
from respool import StreamCache, _native
from respool._named import ours, place
from respool.typing import Path as AnyPath

_SHOWN = ("complete", "growing")


def found(directory: AnyPath | None) -> tuple[list[tuple[str, Path]], bool]:
    """Return name and path of each log, and whether the directory itself is the log.

    Raises
    ------
    FileNotFoundError
        If the directory is not there.
    """
    root = place.root(directory)
    try:
        _native._peek(root)  # noqa: SLF001
    except FileNotFoundError:
        if not root.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root)) from None
        return [(one.name, one.path) for one in respool.ls(root) if one.state in _SHOWN], False
    return [(root.name, root)], True


def opened(path: Path, timeout: float | None) -> StreamCache:
    """Open a log, or return the cache of this process that fills it."""
    identity = _native._peek(path)["identity"]  # noqa: SLF001
    return ours.find(identity) or _native.open(path, timeout=timeout)
