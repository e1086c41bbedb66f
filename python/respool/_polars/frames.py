"""Frames over stored batches, with a chunk for each batch.

Polars keeps every plan that it was given for as long as the LazyFrame lives. So plans share what they can:
a column that is wanted whole is imported once, and so are the batches that several filters leave. What
there is of the latter is counted, and ends somewhere.
"""

from __future__ import annotations

from threading import Lock
from typing import Literal

import polars as pl

from respool._polars.types import Stream, Table

CHUNK = 600
"""Bytes that one array of a chunk takes in Polars, about."""

HELD = 64 << 20
"""Bytes that frames over parts may take for one LazyFrame, about."""


class Frames:
    """Frames over the batches of one view, where they are: in memory, or in a mapped log."""

    def __init__(self, table: Table, place: Literal["memory", "log"]) -> None:
        self.place = place
        self._table = table
        self._lock = Lock()
        # Whole columns, by their numbers.
        self._columns: dict[int, pl.Series] = {}
        # Frames over a part, by what part it is; and what more of them may take.
        self._parts: dict[tuple[int | bytes, ...], pl.DataFrame] = {}
        self._spare = HELD

    def bring(
        self, numbers: list[int], *, kept: list[bool] | None = None, rows: int | None = None
    ) -> Literal["there", "coming", "much"]:
        """Have the system bring in what a frame is about to show of a log, if it is not in memory."""
        if self.place != "log" or not numbers:
            return "there"
        return self._table.shown(numbers, rows)._bring(kept=kept)  # noqa: SLF001

    def of_rows(self, numbers: list[int], rows: int) -> pl.DataFrame | None:
        """Return the first rows; None if frames take too much already."""
        share = rows / max(self._table.view.num_rows, 1)
        if share >= 1:
            return self._whole(numbers)
        return self._part((rows, *numbers), share, numbers, rows=rows)

    def of_batches(self, numbers: list[int], kept: list[bool] | None) -> pl.DataFrame | None:
        """Return the rows of the batches that are kept, at least, all if None; None as above."""
        if kept is None or all(kept):
            return self._whole(numbers)
        share = sum(kept) / len(kept)
        part = self._part((bytes(kept), *numbers), share, numbers, kept=kept)
        # An IO source would be read on one thread: better twice the rows on all.
        return self._whole(numbers) if part is None and share > 1 / 2 else part

    def _part(
        self,
        key: tuple[int | bytes, ...],
        share: float,
        numbers: list[int],
        *,
        kept: list[bool] | None = None,
        rows: int | None = None,
    ) -> pl.DataFrame | None:
        with self._lock:
            part = self._parts.get(key)
            if part is None:
                taken = self._taken(numbers, share)
                if taken is None or taken > self._spare:
                    return None
                part = self._parts[key] = self._read(numbers, kept=kept, rows=rows)
                self._spare -= taken
        return part

    def _taken(self, numbers: list[int], share: float) -> int | None:
        """Bytes that a frame over a part of these columns takes; None if nobody can tell."""
        columns = [self._table.columns[number] for number in numbers]
        copied = [column.copied for column in columns]
        if None in copied:
            return None
        view = self._table.view
        chunks = view.num_batches * CHUNK * sum(column.arrays for column in columns)
        return int(share * (chunks + view.num_rows * sum(filter(None, copied))))

    def _whole(self, numbers: list[int]) -> pl.DataFrame:
        if not numbers:
            return self._read(numbers)  # it has rows none the less
        with self._lock:
            missing = [number for number in numbers if number not in self._columns]
            if missing:
                frame = self._read(missing)
                self._columns.update(zip(missing, frame.get_columns(), strict=True))
            columns = [self._columns[number] for number in numbers]
        # By name: from a list Polars would give a column without a name one.
        return pl.DataFrame({column.name: column for column in columns})

    def _read(
        self, numbers: list[int], *, kept: list[bool] | None = None, rows: int | None = None
    ) -> pl.DataFrame:
        shown = self._table.shown(numbers, rows)
        stream = shown._frames(kept=kept, from_log=self.place == "log").take()  # noqa: SLF001
        return self._table.empty(numbers) if stream is None else pl.DataFrame(Stream(stream))
