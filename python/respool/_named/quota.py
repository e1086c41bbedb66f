"""How much named caches may take together, and who makes room."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from respool import _native
from respool._named.home import size_of
from respool._named.removal import shrink, sweep_graves

if TYPE_CHECKING:
    from pathlib import Path

    from respool._named.home import Found, Home
    from respool.typing import ByteSize

_VARIABLE = "RESPOOL_CACHE_QUOTA"


def bytes_of(size: ByteSize, root: Path | None, what: str) -> int:
    """Return a size in bytes; a share is one of the disk that the directory is on.

    Parameters
    ----------
    size
        What somebody gave.
    root
        The directory; None only asks whether it is a size.
    what
        The name of the argument, for messages.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    whole = 0 if root is None else shutil.disk_usage(root).total
    try:
        return _native._bytes_of(size, whole)  # noqa: SLF001
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None


def chosen(given: ByteSize | None, root: Path | None) -> int | None:
    """Return the caller's quota in bytes, or that of ``RESPOOL_CACHE_QUOTA``; None is none.

    Parameters
    ----------
    given
        The caller's.
    root
        The directory that it is for; None only asks whether it is a size.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    if given is not None:
        return bytes_of(given, root, "quota")
    text = os.environ.get(_VARIABLE)
    return bytes_of(text, root, _VARIABLE) if text else None


def make_room(root: Path, home: Home, newest: Found | None, most: int) -> int:
    """Make room for what is to be filled, and return how many bytes there are for it.

    What it will take nobody knows. The least recently used go until there is room for twice what the
    name has now, if that is complete; or else for a quarter of the whole at least, so that what did not
    fit finds more room the next time.
    """
    sweep_graves(root)
    wanted = 2 * max((size_of(log.path) for log in (newest, home.last()) if log), default=0)
    if newest is None or newest.state != "complete":
        wanted = max(wanted, most // 4)
    shrink(root, most - wanted, keep=home)
    return max(0, min(most - size_of(root), shutil.disk_usage(root).free // 10 * 9))
