"""How much named caches may take together."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from respool import _native

if TYPE_CHECKING:
    from pathlib import Path

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
