"""Frames over stored batches, with a chunk for each batch.

Polars keeps every plan that it was given for as long as the LazyFrame lives. So plans share what they can:
a column that is wanted whole is imported once. What a plan has for itself, because it leaves batches out,
is counted, and ends somewhere.
"""

from __future__ import annotations

from threading import Lock

import polars as pl

from respool._polars.types import Stream, Table

CHUNK = 600
"""Bytes that one chunk of one column takes in Polars, about."""

VIEW = 16
"""Bytes of a value in a column that Polars can't share with a batch, at least."""

HELD = 64 << 20
"""Bytes that the plans of one LazyFrame may take beside what they share, about."""


class Frames:
    """Frames over the batches of one view."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lock = Lock()
        self._spare = HELD
        # Whole columns, by their numbers, and where they were read.
        self._shared: dict[int, pl.Series] = {}
        self._from_log: bool | None = None

    def of_rows(self, numbers: list[int], rows: int, *, from_log: bool) -> pl.DataFrame | None:
        """Return the first rows, or None if plans hold too much already."""
        share = rows / max(self._table.view.num_rows, 1)
        if share >= 1:
            return self._whole(numbers, from_log=from_log)
        if self._spend(numbers, share):
            return self._read(numbers, rows=rows, from_log=from_log)
        return None

    def of_batches(
        self, numbers: list[int], kept: list[bool] | None, *, from_log: bool
    ) -> pl.DataFrame | None:
        """Return the rows of the batches that are kept, all if None; None as above."""
        share = 1.0 if not kept else sum(kept) / len(kept)
        if share < 1 and self._spend(numbers, share):
            return self._read(numbers, kept=kept, from_log=from_log)
        # Filtering twice as many rows is still faster than an IO source.
        return self._whole(numbers, from_log=from_log) if share > 1 / 2 else None

    def _spend(self, numbers: list[int], share: float) -> bool:
        """Count what a plan over a part of these columns takes, if that is left."""
        columns = self._table.columns
        view = self._table.view
        copied = sum(not columns[number].is_weightless for number in numbers)
        taken = share * (len(numbers) * view.num_batches * CHUNK + copied * view.num_rows * VIEW)
        with self._lock:
            is_left = taken <= self._spare
            if is_left:
                self._spare -= int(taken)
        return is_left

    def _whole(self, numbers: list[int], *, from_log: bool) -> pl.DataFrame:
        if not numbers:
            return self._read(numbers, from_log=from_log)  # it has rows none the less
        with self._lock:
            if from_log != self._from_log:
                self._shared.clear()
                self._from_log = from_log
            missing = [number for number in numbers if number not in self._shared]
            if missing:
                frame = self._read(missing, from_log=from_log)
                self._shared.update(zip(missing, frame.get_columns(), strict=True))
            columns = [self._shared[number] for number in numbers]
        # By name: from a list Polars would give a column without a name one.
        return pl.DataFrame({column.name: column for column in columns})

    def _read(
        self,
        numbers: list[int],
        *,
        from_log: bool,
        kept: list[bool] | None = None,
        rows: int | None = None,
    ) -> pl.DataFrame:
        shown = self._table.shown(numbers, rows)
        stream = shown._frames(kept=kept, from_log=from_log).take()  # noqa: SLF001
        return self._table.empty(numbers) if stream is None else pl.DataFrame(Stream(stream))
