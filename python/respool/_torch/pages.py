"""Steps that are pointers into the log, in the order in which it was written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respool import StreamCacheView

__all__ = ["pages"]


def pages(
    view: StreamCacheView, steps: range, batch_size: int, rank: int, world_size: int
) -> Iterator[pa.RecordBatch]:
    """Give this rank's rows of each step; those that lie in one batch of the view share its buffers."""
    part = batch_size // world_size
    firsts = range(
        steps.start * batch_size + rank * part, steps.stop * batch_size, steps.step * batch_size
    )
    # No generator: one that has raised an error looks as if it had come to its end.
    return map(partial(_rows, view, part), firsts)


def _rows(view: StreamCacheView, count: int, first: int) -> pa.RecordBatch:
    """Return so many rows; after the last one comes the first again."""
    of_all = view.num_rows
    parts: list[pa.RecordBatch] = []
    while count:
        first %= of_all
        length = min(count, of_all - first)
        parts += view.slice(first, length)
        first, count = first + length, count - length
    if len(parts) == 1:
        return parts[0]
    return pa.Table.from_batches(parts, view.schema).combine_chunks().to_batches()[0]
