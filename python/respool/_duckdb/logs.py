"""The logs that a directory has for DuckDB, and their names."""

import errno
import os
from pathlib import Path

import respool
from respool import StreamCache, _native
from respool._named import layout, ours
from respool.exceptions import RespoolError

_SHOWN = ("complete", "growing")


def found(root: Path) -> tuple[list[tuple[str, Path]], bool]:
    """Return name and path of each log, and whether the directory itself is the log.

    Raises
    ------
    FileNotFoundError
        If the directory is not there.
    PermissionError
        If it is not ours alone.
    """
    if layout.is_log(root):
        return [(root.name, root)], True
    if not root.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))
    listed = respool.ls(root)
    named = [(one.name, one.path if one.state in _SHOWN else one.kept) for one in listed]
    return [(name, path) for name, path in named if path is not None] + _unnamed(root), False


def _unnamed(root: Path) -> list[tuple[str, Path]]:
    """Return the logs in a directory that were made there with a ``path``."""
    directories = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    logs = [path for path in directories if layout.is_log(path)]
    return [(path.name, path) for path in logs if _is_shown(path)]


def _is_shown(path: Path) -> bool:
    try:
        return _native._peek(path)["state"] in _SHOWN  # noqa: SLF001
    except (RespoolError, OSError, ValueError):
        return True  # whoever opens it is told what is wrong with it


def opened(path: Path, timeout: float | None) -> StreamCache:
    """Open a log, or return the cache of this process that fills it."""
    identity = _native._peek(path)["identity"]  # noqa: SLF001
    return ours.find(identity) or _native.open(path, timeout=timeout)
