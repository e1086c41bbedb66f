"""Columns as Polars takes them.

Polars does not read every Arrow type. What it can't read is cast on the way out where no value is lost
(runs are decoded, list views become lists, 256-bit decimals 128-bit ones as long as they fit), and
refused where there is nothing to cast it to; but only if somebody asks for that column.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

    from respool import StreamCacheView

MAX_PRECISION = 38
"""Digits of a decimal of 128 bits."""

VIEWS = {pa.string_view(), pa.binary_view()}

VIEW = 16
"""Bytes of a value of text in Polars, which are no fewer than those of any other flat type."""

REFUSED = pl.List(pl.Null)
"""Stands in a schema for what Polars has no type for; any nested type, because the optimiser takes the
smallest column, which these are not, where it wants to count rows."""


class UnsupportedTypeError(Exception):
    """Why Polars has no such type."""


@dataclass(frozen=True)
class Column:
    """One column of a view, and what becomes of it in Polars."""

    name: str
    field: pa.Field[Any]
    """What Polars is given."""

    dtype: pl.DataType
    refusal: str | None = None
    """Why it can't be given at all."""

    copied: int | None = None
    """Bytes of a value that a frame does not share with the batch, about; None if nobody can tell."""

    arrays: int = 1
    """Arrays that a chunk consists of."""

    @property
    def is_weightless(self) -> bool:
        """Whether a frame shares all its buffers with the batch."""
        return self.copied == 0


def columns_of(schema: pa.Schema) -> tuple[Column, ...]:
    """Say what becomes of each column of the schema.

    Raises
    ------
    ValueError
        If two columns have the same name, which no data frame allows.
    """
    for name, times in Counter(schema.names).items():
        if times > 1:
            raise ValueError(
                f"column name {name!r} is not unique, which Polars does not allow: select columns by number first"
            )
    fields = list(schema)
    try:
        return tuple(_columns(fields))
    except UnsupportedTypeError:  # of one or more: look at each
        return tuple(_column(field) for field in fields)


def _column(field: pa.Field[Any]) -> Column:
    try:
        return _columns([field])[0]
    except UnsupportedTypeError as error:
        refusal = str(error)
    if isinstance(field.type, pa.BaseExtensionType):
        try:
            return _columns([field.with_type(field.type.storage_type)])[0]
        except UnsupportedTypeError as error:
            refusal = str(error)
    return Column(field.name, field, REFUSED, refusal=refusal)


def _columns(fields: list[pa.Field[Any]]) -> list[Column]:
    taken = [field.with_type(_taken(field.type)) for field in fields]
    return [
        Column(
            field.name,
            given,
            dtype,
            copied=_copied(field.type, given.type),
            arrays=_arrays(given.type),
        )
        for field, given, dtype in zip(fields, taken, _imported(taken), strict=True)
    ]


def _imported(fields: list[pa.Field[Any]]) -> list[pl.DataType]:
    """Import no rows: Polars alone knows what becomes of a type."""
    nothing: Any = pa.RecordBatchReader.from_batches(pa.schema(fields), [])
    try:
        dtypes: list[Any] = pl.DataFrame(Stream(nothing.__arrow_c_stream__())).dtypes
    except (
        ValueError,
        TypeError,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
    ) as error:
        raise UnsupportedTypeError(f"Polars can't read it ({error})") from None
    # Polars 1 gives the class of some types.
    return [cast("pl.DataType", dtype() if isinstance(dtype, type) else dtype) for dtype in dtypes]


class Stream:
    """A stream in a capsule, as an object that Polars takes."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._capsule


def _taken(kind: Any) -> Any:  # noqa: ANN401, C901, PLR0911, PLR0912 - the stubs of pyarrow know too few types
    """Return the type to cast to, the same one where Polars takes it."""
    types: Any = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        storage = _taken(kind.storage_type)
        return kind if storage in {kind.storage_type, *VIEWS} else storage
    if types.is_string(kind) or types.is_large_string(kind):
        return pa.string_view()
    if types.is_binary(kind) or types.is_large_binary(kind):
        return pa.binary_view()
    if types.is_run_end_encoded(kind):
        return _taken(kind.value_type)
    if types.is_dictionary(kind):
        values = kind.value_type
        taken = _taken(values)
        # Before 1.32 categories of one batch could not be told from those of another.
        keeps = taken == values or (taken in VIEWS and hasattr(pl, "Categories"))
        return kind if keeps else taken
    if types.is_decimal(kind):
        return _decimal(kind)
    if types.is_float16(kind) and not hasattr(pl, "Float16"):
        # Polars 1 would read twice as many bytes as there are.
        return pa.float32()
    if types.is_timestamp(kind) and kind.unit == "s":
        # Polars would multiply without a look at the largest values.
        return pa.timestamp("ms", kind.tz)
    if types.is_duration(kind) and kind.unit == "s":
        return pa.duration("ms")
    if types.is_list(kind) or types.is_list_view(kind):
        return pa.list_(_child(kind.value_field))
    if types.is_large_list(kind) or types.is_large_list_view(kind):
        return pa.large_list(_child(kind.value_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(_child(kind.value_field), kind.list_size)
    if types.is_struct(kind):
        return pa.struct([_child(field) for field in kind])
    if types.is_map(kind) and not hasattr(pl, "Map"):
        raise UnsupportedTypeError("Polars has maps since 2.0")
    if types.is_map(kind):
        key: Any = _child(kind.key_field)
        return pa.map_(key, _child(kind.item_field), kind.keys_sorted)
    if types.is_union(kind):
        raise UnsupportedTypeError("Polars has no unions")
    if types.is_interval(kind):
        raise UnsupportedTypeError("Polars has no calendar intervals")
    return kind


def _child(field: pa.Field[Any]) -> Any:  # noqa: ANN401
    return field.with_type(_taken(field.type))


def _decimal(kind: Any) -> pa.DataType:  # noqa: ANN401 - any of the four
    precision, scale = kind.precision, kind.scale
    if scale < 0:
        precision, scale = precision - scale, 0
    if scale > MAX_PRECISION:
        raise UnsupportedTypeError(f"Polars has no decimals with more than {MAX_PRECISION} digits")
    return pa.decimal128(min(precision, MAX_PRECISION), scale)


def _shares_buffers(kind: pa.DataType) -> bool:
    """Whether Polars takes over the buffers as they are."""
    types = pa.types
    if types.is_struct(kind):
        return all(_shares_buffers(field.type) for field in kind)
    if types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _shares_buffers(kind.value_type)
    if types.is_timestamp(kind) or types.is_duration(kind):
        return bool(kind.unit != "s")
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_date(kind)
        or types.is_decimal128(kind)
        or kind in {pa.null(), *VIEWS}
    )


def _copied(kind: Any, taken: Any) -> int | None:  # noqa: ANN401
    if kind == taken and _shares_buffers(kind):
        return 0
    if taken.num_fields > 0:
        return None
    types: Any = pa.types
    return VIEW + (taken.byte_width if types.is_fixed_size_binary(taken) else 0)


def _arrays(kind: Any) -> int:  # noqa: ANN401
    children = (kind.field(number).type for number in range(kind.num_fields))
    return 1 + sum(_arrays(child) for child in children)


class Table:
    """A view with what becomes of its columns in Polars."""

    def __init__(self, view: StreamCacheView) -> None:
        self.view = view
        # Text that is kept as views is given as it is.
        self.columns = columns_of(view._schema_with_views)  # noqa: SLF001
        self._numbers = {column.name: number for number, column in enumerate(self.columns)}

    def __reduce__(self) -> tuple[type[Table], tuple[StreamCacheView]]:
        return (Table, (self.view,))

    @property
    def schema(self) -> pl.Schema:
        """The schema of a frame of everything."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def numbers(self, names: Iterable[str] | None) -> list[int]:
        """Return the numbers of the named columns in the order of the schema; of all if None."""
        if names is None:
            return list(range(len(self.columns)))
        return sorted({self._numbers[name] for name in names})

    def check(self, numbers: list[int]) -> None:
        """Check that Polars has a type for each of these columns.

        Raises
        ------
        TypeError
            If it has none.
        """
        for number in numbers:
            column = self.columns[number]
            if column.refusal is not None:
                raise TypeError(
                    f"column {column.name!r} is {column.field.type}: {column.refusal}; "
                    f"cast it, as in view.cast(schema), or leave it out, as in view.select([...]), "
                    f"before .lazy()"
                )

    def shown(self, numbers: list[int], rows: int | None = None) -> StreamCacheView:
        """View these columns as Polars takes them, and no more than so many rows."""
        view = self.view.select(numbers)
        view = view.cast(pa.schema([self.columns[number].field for number in numbers]))
        return view if rows is None else view.slice(0, rows)

    def empty(self, numbers: list[int]) -> pl.DataFrame:
        """Return a frame of these columns without rows."""
        columns = (self.columns[number] for number in numbers)
        return pl.DataFrame(schema={column.name: column.dtype for column in columns})
