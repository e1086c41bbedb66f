"""What is what on the disk: a log, the directory of a name, and what respool did not put there."""

from __future__ import annotations

import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "_manifest"
"""A directory without one is no log: see the format of logs."""

LOCK = "lock"
"""The file to lock in the directory of a name."""

_NUMBER = re.compile(r"[0-9]{8}|[1-9][0-9]{8,}")
_SEGMENT = re.compile(r"[0-9]{8,}\.arrows?")


def is_log(directory: Path) -> bool:
    """Tell whether a directory is a log. Not where a name is ``_manifest``: that is a directory there."""
    return _is(directory / MANIFEST, stat.S_IFREG)


def is_home(directory: Path) -> bool:
    """Tell whether a directory is that of a name: it has a file to lock, and numbered logs."""
    return _is(directory / LOCK, stat.S_IFREG) and any(
        is_log(directory / f"{number:08}") for number in numbers(directory)
    )


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


def in_home(home: Path) -> list[str]:
    """Return the names of what the directory of a name holds beside its logs and the file to lock."""
    return [
        name
        for name in sorted(_names(home))
        if name != LOCK and not (_NUMBER.fullmatch(name) and is_ours(home / name))
    ]


def shown(home: Path) -> str:
    """Return what makes a directory none of a name, for a message."""
    strangers = in_home(home) or sorted(_names(home))
    return ", ".join(strangers[:3]) + (" and others" if len(strangers) > 3 else "")  # noqa: PLR2004


def holds_only_logs(directory: Path) -> bool:
    """Tell whether there are numbered logs in a directory, or what is left of them, and nothing else.

    Logs that somebody named by dates look the same, so the numbers have to be ones that respool counts to.
    """
    names = _names(directory)
    logs = [directory / name for name in names if _NUMBER.fullmatch(name) and name[0] == "0"]
    return bool(logs) and len(logs) == len(names) and all(map(is_ours, logs))


def _names(directory: Path) -> list[str]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return [path.name for path in directory.iterdir()]
    return []


def _is(path: Path, kind: int) -> bool:
    try:
        return stat.S_IFMT(path.lstat().st_mode) == kind
    except (FileNotFoundError, NotADirectoryError):
        return False
