"""Where named caches are: a directory that is ours alone."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respool.typing import Path as AnyPath

_VARIABLE = "RESPOOL_CACHE_DIR"


def root(directory: AnyPath | None) -> Path:
    """Return the directory that holds named caches, without a look at it.

    Parameters
    ----------
    directory
        The caller's; if None, what ``RESPOOL_CACHE_DIR`` says, or else ``respool`` where the platform
        has its caches.
    """
    if directory is not None:
        # Not `Path.expanduser`: it refuses a user whom nobody knows, where this is a name like others.
        return Path(os.path.expanduser(os.fsdecode(directory))).absolute()  # noqa: PTH111
    if chosen := os.environ.get(_VARIABLE):
        return Path(chosen).absolute()
    return _caches() / "respool"


def _caches() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    # The XDG Base Directory Specification: a relative path counts as none.
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return chosen if chosen.is_absolute() else Path.home() / ".cache"


def made(directory: Path) -> Path:
    """Return a directory that is ours; make it, for nobody but us, if there is none.

    Raises
    ------
    FileNotFoundError
        If the directory that it is to be in is not there.
    PermissionError
        As :func:`check`.
    """
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    check(directory)
    return directory


def check(directory: Path) -> None:
    """Refuse a directory in which somebody else may have put something.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    NotADirectoryError, PermissionError
        If it is no directory but a file or a link, belongs to another user, or others may write to it.
    """
    # Not followed: whoever may make a link there could lead us anywhere.
    there = directory.lstat()
    if stat.S_ISLNK(there.st_mode):
        raise _refusal(
            directory, "it is a symbolic link, which may lead anywhere; name the place itself"
        )
    if not stat.S_ISDIR(there.st_mode):
        raise NotADirectoryError(20, "it is not a directory", str(directory))
    if there.st_uid != os.geteuid():
        raise _refusal(
            directory,
            f"it belongs to user {there.st_uid}, and this process runs as user {os.geteuid()}",
        )
    if there.st_mode & 0o022:
        mode = stat.S_IMODE(there.st_mode)
        raise _refusal(
            directory,
            f"others may write to it (mode {mode:04o}); take that right away with chmod go-w",
        )


def _refusal(directory: Path, reason: str) -> PermissionError:
    return PermissionError(13, f"no caches are kept here: {reason}", str(directory))
