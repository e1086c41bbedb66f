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
_ENTRY = 64
_NUMBERS, _ROW, _COUNT, _SHOWN = 8, 4, 6, 7
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
    content = content[: len(content) // _ENTRY * _ENTRY]
    numbers = memoryview(content).cast("Q")

    def column(at: int) -> list[int]:
        every: list[int] = numbers[_NUMBERS + at :: _NUMBERS].tolist()
        return every if not others else [every[i] for i in wanted]

    # Whole columns at a time: there may be millions.
    kinds = content[_ENTRY::_ENTRY]
    wanted = [i for i, kind in enumerate(kinds) if kind == _BATCH][: log.batches]
    others = len(wanted) != len(kinds)
    firsts, counts, rest = column(_ROW), column(_COUNT), column(_SHOWN)
    ends = [first + (count & _SIX_BYTES) for first, count in zip(firsts, counts, strict=True)]
    if len(firsts) != log.batches or [0, *ends] != [*firsts, log.rows]:
        raise _changed(path)
    sizes = [
        count >> 48 | (more & 0xFFFF_FFFF) << 16 for count, more in zip(counts, rest, strict=True)
    ]
    return Batches(firsts, sizes, log.rows)


def _changed(path: Path) -> CorruptLogError:
    return CorruptLogError(
        5, "the index does not say what it said when it was opened", os.fspath(path)
    )
