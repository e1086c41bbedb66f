"""Columns of Arrow as values of Python that can be printed, none of which is ever an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from respool._cli.shown import plain

if TYPE_CHECKING:
    from collections.abc import Callable

_ARE_ISO: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_time,
)


def values(column: pa.Array[Any]) -> list[object]:
    """Return the values of a column as JSON has them; see :func:`respool._cli.shown.plain`."""
    kind = column.type
    # Python's own have no nanoseconds, and no years past 9999.
    if any(is_of(kind) for is_of in _ARE_ISO):
        try:
            return [
                None if text is None else str(text)
                for text in pc.cast(column, pa.string()).to_pylist()
            ]
        except pa.ArrowException:  # a time zone that this system does not know
            return _each(column)
    try:
        return [plain(value) for value in column.to_pylist()]
    except (ValueError, OverflowError, TypeError, NotImplementedError, pa.ArrowException):
        return _each(column)


def _each(column: pa.Array[Any]) -> list[object]:
    return [str(scalar) if scalar.is_valid else None for scalar in column]


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a type is written to the right."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )
