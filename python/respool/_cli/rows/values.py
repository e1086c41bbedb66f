"""Columns of Arrow as values of Python that can be printed, none of which is ever an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from respool._cli.rows import times
from respool._cli.shown import plain

if TYPE_CHECKING:
    from collections.abc import Callable

_ARE_LISTS: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def values(column: pa.Array[Any]) -> list[object]:
    """Return the values of a column as JSON has them; see :func:`respool._cli.shown.plain`."""
    try:
        return _values(column)
    except (ValueError, OverflowError, TypeError, NotImplementedError, pa.ArrowException):
        return [str(scalar) if scalar.is_valid else None for scalar in column]


def _values(column: pa.Array[Any]) -> list[Any]:
    kind: Any = column.type
    # Python's own times have no nanoseconds, and no years past 9999; so they are texts before they are Python's.
    if times.is_time(kind):
        return list(times.iso(column))
    if not _has_times(kind):
        return [plain(value) for value in column.to_pylist()]
    decoded = _decoded(column)
    if decoded is not column:
        return _values(decoded)
    array: Any = column
    if pa.types.is_struct(kind):
        return _of_struct(array)
    if pa.types.is_map(kind):
        return _of_map(array)
    items = iter(_values(array.flatten()))
    return [
        None if many is None else [next(items) for _ in range(many)]
        for many in pc.list_value_length(array).to_pylist()
    ]


def _has_times(kind: Any) -> bool:  # noqa: ANN401 - each type has attributes of its own
    """Tell whether there are times within a type, where they can be got at."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        inner = [kind.value_type]
    elif pa.types.is_map(kind):
        inner = [kind.key_type, kind.item_type]
    elif pa.types.is_struct(kind):
        inner = [field.type for field in kind]
    elif any(is_of(kind) for is_of in _ARE_LISTS):
        inner = [kind.value_type]
    else:
        return False
    return any(times.is_time(one) or _has_times(one) for one in inner)


def _decoded(array: Any) -> Any:  # noqa: ANN401
    if pa.types.is_dictionary(array.type):
        return array.dictionary.take(array.indices)
    if pa.types.is_run_end_encoded(array.type):
        return pc.call_function("run_end_decode", [array])
    return array


def _of_struct(array: Any) -> list[Any]:  # noqa: ANN401
    names = [field.name for field in array.type]
    if len(set(names)) < len(names):
        raise ValueError("an object has no two fields of one name")
    rows = zip(*map(_values, array.flatten()), strict=True)
    return [
        dict(zip(names, row, strict=True)) if is_there else None
        for row, is_there in zip(rows, array.is_valid().to_pylist(), strict=True)
    ]


def _of_map(array: Any) -> list[Any]:  # noqa: ANN401
    offsets = array.offsets.to_pylist()
    first, many = offsets[0], offsets[-1] - offsets[0]
    # They are those of the whole array, and this may be a slice of it.
    keys, items = (_values(one.slice(first, many)) for one in (array.keys, array.items))
    pairs = [[key, item] for key, item in zip(keys, items, strict=True)]
    return [
        pairs[begin - first : end - first] if is_there else None
        for begin, end, is_there in zip(
            offsets[:-1], offsets[1:], array.is_valid().to_pylist(), strict=True
        )
    ]


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a type is written to the right."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )
