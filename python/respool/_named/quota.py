"""How much named caches may take together, and who makes room."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from respool import _native
from respool._named.home import size_of
from respool._named.removal import shrink, sweep_graves

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from respool._named.home import Found, Home
    from respool.typing import ByteSize

_VARIABLE = "RESPOOL_CACHE_QUOTA"


def bytes_of(size: ByteSize, root: Path) -> int:
    """Return a size in bytes; a share is one of the disk that the directory is on."""
    whole = shutil.disk_usage(root).total
    return _native._bytes_of(size, whole)  # noqa: SLF001


def chosen(given: ByteSize | None, root: Path) -> int | None:
    """Return the caller's quota in bytes, or that of ``RESPOOL_CACHE_QUOTA``; None is none."""
    return _bytes_of(given, lambda size: bytes_of(size, root))


def _bytes_of(given: ByteSize | None, measure: Callable[[ByteSize], int]) -> int | None:
    if given is not None:
        return measure(given)
    text = os.environ.get(_VARIABLE)
    if not text:
        return None
    try:
        return measure(text)
    except ValueError as error:
        raise ValueError(f"{_VARIABLE}: {error}") from None


def check(given: ByteSize | None) -> None:
    """Refuse a quota that is no size, before anything is done for it."""
    _bytes_of(given, lambda size: _native._bytes_of(size, 0))  # noqa: SLF001


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
