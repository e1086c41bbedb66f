"""Files with a header and sections: the manifest, why a log failed, and what is kept beside it."""

import struct
from pathlib import Path

from respool._cli.checks.crc import crc32c
from respool._cli.checks.found import Damage

HEADER = 64
_MAGICS = {b"RSPINDEX", b"RSPMANIF", b"RSPFAILD", b"RSPSIDEC"}
_VERSION = 1
_SECTION = struct.Struct("<HHQI")  # type, whether it must be known, length, checksum
_BEFORE = 12


def header_damage(content: bytes) -> tuple[int, str] | None:
    """Return what is wrong with the header of a file, and where; None if nothing is."""
    if len(content) < HEADER:
        return len(content), "it is cut short"
    if content[:8] not in _MAGICS:
        return 0, "it does not begin with the magic bytes"
    if crc32c(content[:60]) != int.from_bytes(content[60:64], "little"):
        return 0, "its checksum does not fit"
    return None


def version(content: bytes) -> int:
    """Return the version that a header says."""
    return int.from_bytes(content[8:10], "little")


def sections(content: bytes) -> list[tuple[int, int, bytes]]:
    """Return type, place and bytes of each section.

    Raises
    ------
    ValueError
        With place and reason, if a checksum does not fit or something is missing.
    """
    found, at = [], HEADER
    while at < len(content):
        head = content[at : at + _SECTION.size]
        if len(head) < _SECTION.size:
            raise ValueError(at, "it is cut short")
        kind, _, length, checksum = _SECTION.unpack(head)
        inside = content[at + _SECTION.size : at + _SECTION.size + length]
        if len(inside) < length:
            raise ValueError(at, "it is cut short")
        if crc32c(head[:_BEFORE] + inside) != checksum:
            raise ValueError(at, "its checksum does not fit")
        found.append((kind, at, inside))
        size = _SECTION.size + length
        padding = content[at + size : at + size + -size % 8]
        if len(padding) < -size % 8 or any(padding):
            raise ValueError(at + size, "its padding is not zeros")
        at += size + -size % 8
    return found


def damage(file: Path, identity: bytes) -> Damage | None:
    """Return what is wrong with a file that belongs to a log; None if nothing is."""
    content = file.read_bytes()
    if (wrong := header_damage(content)) is not None:
        return Damage(file, *wrong)
    if version(content) > _VERSION:
        return None
    if content[16:32] != identity:
        return Damage(file, 16, "it is that of another log")
    if int.from_bytes(content[32:40], "little") != len(content):
        return Damage(file, 32, "it has another length than its header says")
    try:
        sections(content)
    except ValueError as error:
        at, reason = error.args
        return Damage(file, at, reason)
    return None
