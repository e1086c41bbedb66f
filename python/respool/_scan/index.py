"""Where the batches of a log begin and what they take, read from its index alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from respool.exceptions import CorruptLogError

if TYPE_CHECKING:
    from respool._scan.place import Log

# See the format of logs: entries of 64 bytes, those of kind 1 are batches. As eight numbers of 64 bits each:
_NUMBERS, _KIND, _ROW, _COUNT, _SHOWN = 8, 0, 4, 6, 7
_BATCH = 1
_SIX_BYTES = (1 << 48) - 1


@dataclass(frozen=True)
class Batches:
    """The first row of each batch, and how many bytes its rows show."""

    firsts: list[int]
    sizes: list[int]
    rows: int

    def __len__(self) -> int:
        return len(self.firsts)

    def end(self, batch: int) -> int:
        """Return the row after the last one of a batch."""
        return self.firsts[batch + 1] if batch + 1 < len(self.firsts) else self.rows


def batches_of(log: Log) -> Batches:
    """Read as many batches as the log had when it was found.

    Raises
    ------
    CorruptLogError
        If the index says something else than it did then.
    """
    path = Path(log.path) / "_index"
    content = path.read_bytes()
    numbers = memoryview(content)[: len(content) // 64 * 64].cast("Q")
    firsts: list[int] = []
    sizes: list[int] = []
    row = 0
    for at in range(_NUMBERS, len(numbers), _NUMBERS):
        if len(firsts) == log.batches:
            break
        if numbers[at + _KIND] & 0xFF != _BATCH:
            continue
        if numbers[at + _ROW] != row:
            raise _changed(path)
        firsts.append(row)
        row += numbers[at + _COUNT] & _SIX_BYTES
        sizes.append((numbers[at + _COUNT] >> 48) | (numbers[at + _SHOWN] & 0xFFFF_FFFF) << 16)
    if len(firsts) != log.batches or row != log.rows:
        raise _changed(path)
    return Batches(firsts, sizes, row)


def _changed(path: Path) -> CorruptLogError:
    return CorruptLogError(
        5, "the index does not say what it said when it was opened", os.fspath(path)
    )
