"""Frames over stored batches, with a chunk for each batch."""

from __future__ import annotations

from threading import Lock

import polars as pl

from respool._polars.types import Stream, Table


class Frames:
    """Frames over the batches of one view.

    What Polars can't share with a batch (text that is not in views, above all) is converted once and
    kept, for all plans of a LazyFrame.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lock = Lock()
        # Chunks by batch, for each column that was converted.
        self._converted: dict[int, dict[int, pl.Series]] = {}

    def of_rows(self, numbers: list[int], rows: int, *, from_log: bool) -> pl.DataFrame:
        """Return the first rows."""
        return self._read(numbers, rows=rows, from_log=from_log)

    def of_batches(
        self, numbers: list[int], kept: list[bool] | None, *, from_log: bool
    ) -> pl.DataFrame:
        """Return the rows of the batches that are kept, all if None."""
        columns = self._table.columns
        light = [number for number in numbers if columns[number].is_weightless]
        if light == numbers:
            return self._read(numbers, kept=kept, from_log=from_log)
        series: dict[int, pl.Series] = {}
        if light:
            frame = self._read(light, kept=kept, from_log=from_log)
            series = {number: frame[columns[number].name] for number in light}
        for number in numbers:
            if number not in series:
                series[number] = self._heavy(number, kept, from_log=from_log)
        return pl.DataFrame([series[number] for number in numbers])

    def _heavy(self, number: int, kept: list[bool] | None, *, from_log: bool) -> pl.Series:
        name = self._table.columns[number].name
        marks = [True] * self._table.view.num_batches if kept is None else kept
        wanted = [batch for batch, mark in enumerate(marks) if mark]
        with self._lock:
            chunks = self._converted.setdefault(number, {})
            missing = [mark and batch not in chunks for batch, mark in enumerate(marks)]
            if any(missing):
                read = self._read([number], kept=missing, from_log=from_log)[name]
                made = read.get_chunks()
                if len(made) != sum(missing):
                    # Chunks without rows were left out: nobody knows which.
                    return self._read([number], kept=kept, from_log=from_log)[name]
                batches = (batch for batch, mark in enumerate(missing) if mark)
                chunks.update(zip(batches, made, strict=True))
            if not wanted:
                return self._table.empty([number])[name]
            return pl.concat([chunks[batch] for batch in wanted], rechunk=False)

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
