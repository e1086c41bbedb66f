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
    with (log / "_index").open("rb") as index:
        last = os.fstat(index.fileno()).st_size // _ENTRY - 1
        kind, _, _, _, slot = _entry(index.fileno(), last)
        if kind != _CLOSE:  # something follows that this version does not know
            return None
        while slot:
            kind, layout, number, length, slot = _entry(index.fileno(), slot)
            if kind != _SEAL:
                return log / "_index"
            segment = log / (f"{number:08}.arrows" if layout else f"{number:08}.arrow")
            # Sealed, it may still have its first name.
            if max(_size(segment), _size(log / f"_{number:08}.part")) < length:
                return segment
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
