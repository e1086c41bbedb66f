"""The index of a log, from its header to its last entry: a chain of checksums."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from respool._cli.checks import sections
from respool._cli.checks.crc import crc32c
from respool._cli.checks.found import Damage

_ENTRY = 64
_CHUNK = 4096
_BATCH, _SEAL, _CLOSE = 1, 3, 4
_FIELDS = struct.Struct("<BBxxI")  # kind, detail, segment
_COUNT = slice(48, 54)


@dataclass
class Index:
    """What an index says.

    Attributes
    ----------
    damage
        Where the chain is broken, if it is.
    behind
        Bytes from there on, or behind what ends the log.
    is_closed
        Whether the log has ended, whole or failed.
    seals
        Number of each segment that is sealed, and whether it has the layout of streams.
    rows
        By segment, those of each batch.
    """

    damage: Damage | None = None
    behind: int = 0
    is_closed: bool = False
    seals: list[tuple[int, bool]] = field(default_factory=list)
    rows: dict[int, list[int]] = field(default_factory=dict)


def read(file: Path) -> Index:
    """Read an index, and check every entry of it against the one before."""
    index = Index()
    size = file.stat().st_size
    with file.open("rb") as content:
        header = content.read(_ENTRY)
        if (wrong := sections.header_damage(header)) is not None:
            index.damage = Damage(file, *wrong)
            return index
        chain, at = header[60:64], _ENTRY
        for entry in _entries(content):
            if crc32c(chain + entry[:60]) != int.from_bytes(entry[60:], "little"):
                index.damage = Damage(
                    file, at, "its checksum does not fit that of the entry before"
                )
                break
            chain, at = entry[60:], at + _ENTRY
            kind, detail, segment = _FIELDS.unpack_from(entry)
            if kind == _BATCH:
                rows = int.from_bytes(entry[_COUNT], "little")
                index.rows.setdefault(segment, []).append(rows)
            if kind == _SEAL:
                index.seals.append((segment, detail == 1))
            if kind == _CLOSE:
                index.is_closed = True
                break
    index.behind = max(0, size - at)
    return index


def _entries(content: BinaryIO) -> Iterator[bytes]:
    while chunk := content.read(_ENTRY * _CHUNK):
        for at in range(0, len(chunk) - _ENTRY + 1, _ENTRY):
            yield chunk[at : at + _ENTRY]
