"""Whether all files of a complete log are there, without a look at what is in them."""

import os
import struct
from pathlib import Path

MISSING = "it is not there, or shorter than it was written"
"""What is wrong with a segment that is missing."""

# See the format of logs: the index has entries of 64 bytes, and from the closing one the seals are found.
_ENTRY = 64
_SEAL, _CLOSE = 3, 4
_FIELDS = struct.Struct(
    "<BBxxIxxxxxxxxxxxxxxxxQxxxxxxxxQ16x"
)  # kind, detail, segment, length, slot


def missing(log: Path) -> Path | None:
    """Return a segment that is not there, or is shorter than it was when it was sealed; None if all are there.

    Which bytes are in them is proved when they are read.
    """
    # Asked of each name that is listed: without a buffer, which nothing here uses.
    index = os.open(log / "_index", os.O_RDONLY | os.O_CLOEXEC)
    try:
        kind, _, _, _, slot = _entry(index, os.fstat(index).st_size // _ENTRY - 1)
        if kind != _CLOSE:  # something follows that this version does not know
            return None
        while slot:
            kind, layout, number, length, slot = _entry(index, slot)
            if kind != _SEAL:
                return log / "_index"
            segment = log / (f"{number:08}.arrows" if layout else f"{number:08}.arrow")
            # Sealed, it may still have its first name.
            if _size(segment) < length and _size(log / f"_{number:08}.part") < length:
                return segment
    finally:
        os.close(index)
    return None


def _entry(index: int, slot: int) -> tuple[int, int, int, int, int]:
    content = os.pread(index, _ENTRY, slot * _ENTRY)
    # An index that is cut off has no such entry: a kind that there is not.
    return _FIELDS.unpack(content.ljust(_ENTRY, b"\xff"))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return -1
