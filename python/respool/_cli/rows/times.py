"""Times, dates and spans of Arrow as ISO 8601.

One form for every engine that a column has gone through: a zone becomes UTC, since DuckDB puts its own in the place
of that of the column; of a second there are the digits that say something, since units change on the way too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from respool._cli.shown import span

if TYPE_CHECKING:
    from collections.abc import Callable

_NANOS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}

_ARE: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_duration,
    pa.types.is_interval,
)


def is_time(kind: pa.DataType) -> bool:
    """Tell whether a type is one of these."""
    return any(is_of(kind) for is_of in _ARE)


def iso(column: pa.Array[Any]) -> list[str | None]:
    """Return a text for each value.

    What Arrow itself can't write, a year of six digits for one, is what Arrow says of it.
    """
    kind = column.type
    if pa.types.is_interval(kind):
        return [None if value is None else span(*value) for value in column.to_pylist()]
    if pa.types.is_duration(kind):
        nanos = _NANOS[kind.unit]
        counts = column.view(pa.int64()).to_pylist()
        return [None if count is None else span(0, 0, count * nanos) for count in counts]
    if pa.types.is_timestamp(kind):
        # Without its zone it is what a clock in UTC shows.
        texts = pc.cast(column.view(pa.timestamp(kind.unit)), pa.string())
        texts = pc.replace_substring_regex(texts, r"^(-?\d+-\d\d-\d\d) ", r"\1T")
    else:
        texts = pc.cast(column, pa.string())
    if not pa.types.is_date(kind) and kind.unit != "s":
        texts = pc.replace_substring_regex(texts, r"\.?0+$", "")
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        texts = pc.replace_substring_regex(texts, r"^([^<].*)$", r"\1+00:00")
    found: list[str | None] = texts.to_pylist()
    return found
