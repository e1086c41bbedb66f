"""What the columns of a record batch are as arrays of numbers, for those who train on them.

The rules are fixed by the schema, and said before the first row is read. Nulls are met batch by batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

__all__ = ["Columns", "Numbers"]

_CASTS = "cast it with cache.cast(...)"


class Numbers:
    """One column of numbers: how it is made plain, and the shape of one of its values."""

    def __init__(self, field: pa.Field[Any], null_value: object = None) -> None:
        self.name = field.name
        self.shape: tuple[int, ...] = ()
        self._steps: list[Callable[[Any], Any]] = []
        leaf = self._unwrap(field.type)
        self._fill = None if null_value is None else _scalar(field.name, null_value, leaf)
        self._kept_as = _integers_of(leaf)
        self.is_plain = (
            self._fill is None and self._kept_as is None and self._is_gathered(field.type)
        )

    def _unwrap(self, kind: pa.DataType) -> pa.DataType:
        """Go down to the type of the single numbers, noting the way."""
        if isinstance(kind, pa.BaseExtensionType):
            permutation = getattr(kind, "permutation", None)
            if permutation is not None and list(permutation) != sorted(permutation):
                raise _refused(self.name, kind, "its dimensions are permuted: " + _CASTS)
            shape = getattr(kind, "shape", None)
            self._steps.append(lambda column: column.storage)
            leaf = self._unwrap(kind.storage_type)
            if shape is not None:
                self.shape = tuple(shape)
            return leaf
        if types.is_dictionary(kind):
            self._steps.append(lambda column: column.dictionary_decode())
            return self._unwrap(kind.value_type)
        if types.is_fixed_size_list(kind):
            self._steps.append(self._values_of_lists)
            leaf = self._unwrap(kind.value_type)
            self.shape = (kind.list_size, *self.shape)
            return leaf
        if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
            return kind
        if _integers_of(kind) is not None:
            return kind
        raise _refused(self.name, kind, _advice(kind))

    def _is_gathered(self, kind: pa.DataType) -> bool:
        """Whether ``Epochs.arrays()`` takes it: numbers, bits, and lists of numbers of a fixed size."""
        if types.is_fixed_size_list(kind):
            kind = kind.value_type
            return kind != pa.bool_() and self._is_gathered(kind)
        return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)

    def _values_of_lists(self, column: Any) -> Any:  # noqa: ANN401 - an array of pyarrow
        if column.null_count:
            raise ValueError(
                f"column {self.name!r} has lists that are null, and no number stands for a whole list: "
                "leave such rows out with cache.filter(...)"
            )
        return column.flatten()

    def plain(self, column: Any) -> Any:  # noqa: ANN401 - an array of pyarrow
        """Return the column as one array of numbers without nulls; it shares buffers where it can.

        Raises
        ------
        ValueError
            If there are nulls, and nothing to put in their place.
        """
        for step in self._steps:
            column = step(column)
        if column.null_count:
            if self._fill is None:
                raise ValueError(
                    f"column {self.name!r} has nulls, which no array of numbers can hold: say what stands for "
                    f"them, null_value={{{self.name!r}: ...}}, or leave such rows out with cache.filter(...)"
                )
            column = column.fill_null(self._fill)
        return column if self._kept_as is None else column.view(self._kept_as)

    def array(self, column: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401
        """Return the column as an array of NumPy, which may be read-only and share its buffer."""
        array: np.ndarray[Any, Any] = self.plain(column).to_numpy(zero_copy_only=False)
        return array.reshape((-1, *self.shape)) if self.shape else array


class Columns:
    """The columns of a schema by name: as :class:`Numbers`, or None, where they are lists of objects.

    Parameters
    ----------
    schema
        The columns.
    null_value
        What stands for a null, by the name of the column.
    objects
        True: columns without an array come as lists of Python objects. False: they are refused.

    Raises
    ------
    TypeError
        If a column is none of numbers, and ``objects`` is False; or ``null_value`` is no mapping.
    ValueError
        If two columns have one name, or a null value is none of its column's type, or for no column, or for one of
        objects.
    """

    def __init__(
        self, schema: pa.Schema, null_value: Mapping[str, object] | None, *, objects: bool
    ) -> None:
        null_value = {} if null_value is None else null_value
        _check_names(schema.names, null_value)
        self._columns = [
            (i, field.name, _numbers(field, null_value.get(field.name), objects=objects))
            for i, field in enumerate(schema)
        ]
        for _, name, numbers in self._columns:
            if numbers is None and name in null_value:
                raise ValueError(
                    f"null_value names column {name!r}, which comes as Python objects, and a null in it as None"
                )

    @property
    def is_plain(self) -> bool:
        """Whether all are numbers as they lie in memory, so that gathering them is all there is to do."""
        return all(numbers is not None and numbers.is_plain for _, _, numbers in self._columns)

    def __iter__(self) -> Iterator[tuple[int, str, Numbers | None]]:
        """Go through place, name and rule of each column."""
        return iter(self._columns)

    def arrays(self, batch: pa.RecordBatch) -> dict[str, Any]:
        """Return a batch as arrays of NumPy of their own, which may be written to, and lists."""
        return {
            name: batch.column(i).to_pylist()
            if numbers is None
            else _owned(numbers, batch.column(i))
            for i, name, numbers in self._columns
        }


def _owned(numbers: Numbers, column: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401
    return numbers.array(column).copy()


def _numbers(field: pa.Field[Any], null_value: object, *, objects: bool) -> Numbers | None:
    try:
        return Numbers(field, null_value)
    except TypeError:
        if objects:
            return None
        raise


def _check_names(names: list[str], null_value: Mapping[str, object]) -> None:
    if not isinstance(null_value, Mapping):
        raise TypeError(
            f"null_value is a mapping of names to values, as in null_value={{{''.join(names[:1])!r}: 0}}, not "
            f"{null_value!r}"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"two columns have the name {twice[0]!r}: choose by number, cache.select(0, ...)"
        )
    unknown = sorted(set(null_value) - set(names))
    if unknown:
        raise ValueError(f"null_value names a column {unknown[0]!r} that is not there: {names}")


def _scalar(name: str, value: object, kind: pa.DataType) -> pa.Scalar[Any]:
    refused = f"null_value {value!r} is none of column {name!r}, of {kind}"
    try:
        scalar = pa.scalar(value, kind)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{refused}: {error}") from error
    plain = value.as_py() if isinstance(value, pa.Scalar) else value
    # Arrow leaves out what is behind the point.
    if types.is_integer(kind) and scalar.as_py() != plain:
        raise ValueError(f"{refused}: it is no whole number")
    return scalar


def _integers_of(kind: pa.DataType) -> pa.DataType | None:
    """Return the integers as which Arrow keeps a date or a time."""
    if types.is_date32(kind) or types.is_time32(kind):
        return pa.int32()
    if types.is_temporal(kind) and not types.is_interval(kind):
        return pa.int64()
    return None


def _advice(kind: pa.DataType) -> str:
    if types.is_decimal(kind):
        return f"{_CASTS}, to float64 if that is exact enough, or to an integer"
    if types.is_struct(kind):
        return "a view has columns, not fields: unnest it before it is cached"
    if types.is_list(kind) or types.is_large_list(kind):
        return f"lists of one length are arrays as fixed_size_list: {_CASTS}"
    return "leave it out with columns=[...]"


def _refused(name: str, kind: pa.DataType, advice: str) -> TypeError:
    return TypeError(
        f"column {name!r} of {kind} is none of numbers: {advice}, or ask for Python objects, objects=True"
    )
