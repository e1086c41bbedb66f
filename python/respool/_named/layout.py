"""What is what on the disk: a log, the directory of a name, and what respool did not put there."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "_manifest"
"""A directory without one is no log: see the format of logs."""

LOCK = "lock"
"""The file to lock in the directory of a name. Others have files that are called so, too."""

MARK = b"respool: the lock of a name, whose logs are beside it\n"
"""What is in the file to lock, and makes the directory that of a name: it is ours by nothing else."""

_NUMBER = re.compile(r"[0-9]{8}|[1-9][0-9]{8,17}")
_SEGMENT = re.compile(r"[0-9]{8,}\.arrows?")


def is_log(directory: Path) -> bool:
    """Tell whether a directory is a log. Not where a name is ``_manifest``: that is a directory there."""
    return _is(directory / MANIFEST, stat.S_IFREG)


def may_be_log(directory: Path) -> bool:
    """Tell whether a directory is a log, or can't be looked at and so may be one."""
    try:
        return is_log(directory)
    except OSError:
        return True


def is_home(directory: Path) -> bool:
    """Tell whether a directory is that of a name: the file to lock in it is ours."""
    return _in_lock(directory) == MARK


def is_free(directory: Path) -> bool:
    """Tell whether a directory may become that of a name: it holds nothing.

    Who made the file to lock may have been killed before there was anything in it, or all of it.
    """
    names = _names(directory)
    if not names:
        return True
    return names == [LOCK] and _may_be_marked(directory)


def _may_be_marked(directory: Path) -> bool:
    content = _in_lock(directory)
    return content is not None and MARK.startswith(content)


def _in_lock(directory: Path) -> bytes | None:
    """Return what is in the file to lock, as far as it may be a mark; None if there is no such file."""
    path = directory / LOCK
    if not _is(path, stat.S_IFREG):
        return None
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    try:
        return os.pread(lock, len(MARK) + 1, 0)
    finally:
        os.close(lock)


def numbers(directory: Path) -> list[int]:
    """Return the numbers of what has one as its name, highest first."""
    return sorted(
        (int(name) for name in _names(directory) if _NUMBER.fullmatch(name)), reverse=True
    )


def is_directory(path: Path) -> bool:
    """Tell whether there is a directory, which a link to one is not."""
    return _is(path, stat.S_IFDIR)


def in_log(log: Path) -> list[str]:
    """Return the names of what a directory holds beside a log, or what is left of one."""
    return [
        name for name in _names(log) if not name.startswith("_") and not _SEGMENT.fullmatch(name)
    ]


def is_ours(log: Path) -> bool:
    """Tell whether a numbered directory holds nothing but a log, or what is left of one."""
    return is_directory(log) and not in_log(log)


def strangers(directory: Path) -> str:
    """Return what makes a directory none of a name, for a message."""
    names = sorted(_names(directory))
    others = [name for name in names if not (_NUMBER.fullmatch(name) and is_ours(directory / name))]
    if others:
        return f"it holds what respool did not put there ({_first(others)})"
    return f"it holds logs that nobody named ({_first(names)}), or the file {LOCK!r} beside them was deleted"


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")  # noqa: PLR2004


def _names(directory: Path) -> list[str]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return [path.name for path in directory.iterdir()]
    return []


def _is(path: Path, kind: int) -> bool:
    try:
        return stat.S_IFMT(path.lstat().st_mode) == kind
    except (FileNotFoundError, NotADirectoryError):
        return False
