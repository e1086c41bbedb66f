"""The logs that a directory has for DuckDB, and their names."""

import errno
import os
from pathlib import Path

import respool
from respool import NamedCache, StreamCache, _native, _ours
from respool._named import layout, whole
from respool.exceptions import CorruptLogError, RespoolError

_LEFT_OUT = ("abandoned", "failed")
"""What is not whole; of all else that can't be read whoever opens it is told why."""


def found(root: Path) -> tuple[list[tuple[str, Path]], bool]:
    """Return name and path of each log, and whether the directory itself is the log.

    Raises
    ------
    FileExistsError
        If the directory is that of a name.
    FileNotFoundError
        If the directory is not there.
    PermissionError
        If it is not ours alone.
    """
    if layout.is_log(root):
        return [(root.resolve().name, root)], True
    if not root.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))
    named = [(one.name, _path_of(one)) for one in respool.ls(root)]
    return [(name, path) for name, path in named if path is not None] + _unnamed(root), False


def _path_of(one: NamedCache) -> Path | None:
    if one.kept is not None and one.state != "growing":
        return one.kept
    return None if one.state in _LEFT_OUT else one.path


def _unnamed(root: Path) -> list[tuple[str, Path]]:
    """Return the logs in a directory that were made there with a ``path``."""
    directories = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    return [(path.name, path) for path in directories if layout.is_log(path) and _is_shown(path)]


def _is_shown(path: Path) -> bool:
    try:
        return _native._peek(path)["state"] not in _LEFT_OUT  # noqa: SLF001
    except (RespoolError, OSError, ValueError):
        return True


def opened(path: Path, timeout: float | None) -> StreamCache:
    """Open a log, or return the cache of this process that fills it.

    Raises
    ------
    CorruptLogError
        If it is damaged, or a file of it is missing or too short.
    """
    about = _native._peek(path)  # noqa: SLF001
    filling = _ours.find(about["identity"])
    if filling is not None:
        return filling
    if about["state"] == "complete" and (segment := whole.missing(path)) is not None:
        raise CorruptLogError(errno.EIO, whole.MISSING, os.fspath(segment))
    return _native.open(path, timeout=timeout)
