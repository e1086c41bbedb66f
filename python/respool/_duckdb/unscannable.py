"""Arrow types that DuckDB can't scan, found before DuckDB fails on them in its own words, or crashes."""

from collections.abc import Iterator

import pyarrow as pa

from respool._duckdb.version import IS_OLD


def check(schema: pa.Schema) -> None:
    """Refuse a schema that DuckDB can't scan.

    Raises
    ------
    ValueError
        If there is no column.
    TypeError
        If a column has a type that DuckDB does not read, also inside other types. The message names
        the column and the way out.
    """
    if len(schema) == 0:
        message = "DuckDB can't scan a table without columns: select at least one"
        raise ValueError(message)
    for field in schema:
        for kind, instead in _unscannable(field.type):
            inside = "" if kind == field.type else f" (inside {field.type})"
            message = (
                f"DuckDB can't scan column {field.name!r} of type {kind}{inside}: "
                f"{instead}, or leave the column out with .select([...])"
            )
            raise TypeError(message)


def _unscannable(kind: pa.DataType) -> Iterator[tuple[pa.DataType, str]]:
    """Yield each unscannable type in a type, with what to do about it."""
    if isinstance(kind, pa.BaseExtensionType):
        yield from _unscannable(kind.storage_type)
    elif pa.types.is_float16(kind):
        yield kind, _cast("float32")
    elif pa.types.is_decimal256(kind):
        scale = min(max(kind.scale, 0), 38)
        yield kind, _cast(f"decimal128(38, {scale}) or float64")
    elif pa.types.is_decimal(kind) and kind.scale < 0:
        yield kind, _cast(f"decimal128({min(kind.precision - kind.scale, 38)}, 0)")
    elif pa.types.is_union(kind) and kind.mode == "dense":
        yield kind, "make it a sparse union or a struct before it is cached"
    elif pa.types.is_dictionary(kind) and _is_nested(kind.value_type):
        yield kind, _cast(str(kind.value_type))
    elif pa.types.is_fixed_size_list(kind) and pa.types.is_run_end_encoded(kind.value_type):
        yield kind, _cast(f"a list of {kind.value_type.value_type}")
    elif pa.types.is_struct(kind) and kind.num_fields == 0 and IS_OLD:
        yield kind, "give it a field before it is cached"
    else:
        for inner in _inner(kind):
            yield from _unscannable(inner)


def _inner(kind: pa.DataType) -> list[pa.DataType]:
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return [kind.value_type]
    return [kind.field(at).type for at in range(kind.num_fields)]


def _is_nested(kind: pa.DataType) -> bool:
    return pa.types.is_dictionary(kind) or (pa.types.is_nested(kind) and not pa.types.is_list(kind))


def _cast(to: str) -> str:
    return f"cast it with .cast(schema), to {to}"
