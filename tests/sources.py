"""One-shot sources: each can be read once, counts its pulls, and misbehaves on demand."""

import threading
import time
from collections.abc import Iterator

import pyarrow as pa

SCHEMA = pa.schema({"n": pa.int64(), "s": pa.string()})
ROWS = 100


class SourceBrokeError(Exception):
    """What a failing source raises, unlike anything that respool could raise by itself."""


def batch(i: int, rows: int = ROWS) -> pa.RecordBatch:
    """Batch i of the stream that every test expects: no value occurs twice in a stream."""
    first = i * rows
    return pa.record_batch(
        [range(first, first + rows), [f"row {n}" for n in range(first, first + rows)]],
        schema=SCHEMA,
    )


def expected(batches: int, rows: int = ROWS) -> pa.Table:
    return pa.Table.from_batches([batch(i, rows) for i in range(batches)], schema=SCHEMA)


def rows_of(batches: int, rows: int = ROWS) -> list[int]:
    return list(range(batches * rows))


class Source:
    """A generator of batches that counts: ``pulls`` is how often it was asked for the next.

    Parameters
    ----------
    fail_at
        Raise ``error`` instead of giving this batch.
    stall_at, stall
        Wait for ``stall`` seconds, or until ``released`` is set, before giving this batch.
    pause
        Sleep this long before each batch.
    """

    def __init__(
        self,
        batches: int = 5,
        *,
        rows: int = ROWS,
        fail_at: int | None = None,
        error: BaseException | None = None,
        stall_at: int | None = None,
        stall: float = 1.5,
        pause: float = 0.0,
    ) -> None:
        self.batches = batches
        self.rows = rows
        self.fail_at = fail_at
        self.error = error or SourceBrokeError(f"no batch {fail_at}")
        self.stall_at = stall_at
        self.stall = stall
        self.pause = pause
        self.pulls = 0
        self.stalling = threading.Event()
        self.released = threading.Event()
        self._iterator = self._generate()

    def _generate(self) -> Iterator[pa.RecordBatch]:
        for i in range(self.batches):
            if self.pause:
                time.sleep(self.pause)
            if i == self.stall_at:
                self.stalling.set()
                self.released.wait(self.stall)
            if i == self.fail_at:
                raise self.error
            yield batch(i, self.rows)

    def __iter__(self) -> "Source":
        return self

    def __next__(self) -> pa.RecordBatch:
        self.pulls += 1
        return next(self._iterator)

    def reader(self) -> pa.RecordBatchReader:
        """The same source behind pyarrow's C stream: errors arrive there as errno and text."""
        return pa.RecordBatchReader.from_batches(SCHEMA, self)
