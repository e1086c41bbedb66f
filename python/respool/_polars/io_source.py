"""Lazy scans as an IO source: a generator of frames that the engine asks for them.

It serves what has no frames to hand out for nothing: a stream that is not read to its end, a log that
has to be decoded, text that Polars has to copy, and Polars before 2.0. It holds no batch between two
frames.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
from polars.io.plugins import register_io_source

from respool._polars.prune import kept_batches
from respool._polars.types import Stream, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 1 << 17
"""Rows of a frame: below that, what a frame costs shows."""


def io_source(table: Table) -> pl.LazyFrame:
    """Return a LazyFrame that reads the view when it is collected."""
    known = inspect.signature(register_io_source).parameters
    # Since 1.33. Without it Polars 1 reads twice what a query names twice; Polars 2 does so anyway.
    options: dict[str, Any] = {"is_pure": True} if "is_pure" in known else {}
    return register_io_source(partial(read, table), schema=table.schema, **options)


def read(
    table: Table,
    with_columns: list[str] | None,
    predicate: pl.Expr | None,
    n_rows: int | None,
    batch_size: int | None,  # noqa: ARG001
) -> Iterator[pl.DataFrame]:
    """Read frames of some columns and rows.

    Engines count ``n_rows`` before the predicate, and leave neither of them for themselves to apply.
    The columns are in the order of the schema whatever order they were asked for in: streaming engines
    of Polars 1 take them for that.
    """
    wanted = table.numbers(with_columns)
    needed = wanted
    kept = None
    if predicate is not None:
        needed = sorted({*wanted, *table.numbers(predicate.meta.root_names())})
        if n_rows is None:
            kept = kept_batches(table, [predicate])
    table.check(needed)
    names = [table.columns[number].name for number in wanted]
    # Let go with the generator. A `finally` here could be where Ctrl-C is raised when Polars drops a generator
    # half way; Python ignores exceptions there, and Polars would take what there is for all.
    frames = table.shown(needed, n_rows)._frames(kept=kept)  # noqa: SLF001
    while (stream := frames.take(ROWS)) is not None:
        frame = pl.DataFrame(Stream(stream))
        if predicate is not None:
            frame = frame.filter(predicate)
        yield frame if needed == wanted else frame[names]
