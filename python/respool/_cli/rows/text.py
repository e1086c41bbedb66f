"""Rows as CSV and as JSON, batch by batch."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from respool._cli.escaped import escaped
from respool._cli.rows.values import values

if TYPE_CHECKING:
    from collections.abc import Callable


_AS_THEY_ARE: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_float32,
    pa.types.is_float64,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_null,
)


def write_csv(
    reader: pa.RecordBatchReader, write: Callable[[bytes], object], *, is_shown: bool
) -> int:
    """Write RFC 4180 with a line of names, and return the number of rows.

    Lists, structs and maps are JSON in a field, bytes base64. NULL is an empty field, an empty text is ``""``.

    Parameters
    ----------
    reader
        The rows.
    write
        Takes the bytes.
    is_shown
        Whether they go to a terminal: no text may steer it then.
    """
    fields = [
        pa.field(escaped(field.name) if is_shown else field.name, _csv_type(field.type))
        for field in reader.schema
    ]
    schema = pa.schema(fields)
    rows = 0
    sink = io.BytesIO()
    with pa_csv.CSVWriter(sink, schema):
        pass
    write(sink.getvalue())
    options = pa_csv.WriteOptions(include_header=False)
    for batch in reader:
        columns = [_csv_column(column, is_shown=is_shown) for column in batch.columns]
        sink = io.BytesIO()
        with pa_csv.CSVWriter(sink, schema, write_options=options) as writer:
            writer.write_batch(pa.record_batch(columns, schema=schema))
        write(sink.getvalue())
        rows += batch.num_rows
    return rows


def _csv_type(kind: pa.DataType) -> pa.DataType:
    return kind if any(is_of(kind) for is_of in _AS_THEY_ARE) else pa.string()


def _csv_column(column: pa.Array[Any], *, is_shown: bool) -> pa.Array[Any]:
    kind = _csv_type(column.type)
    if kind == column.type and not (is_shown and kind in {pa.string(), pa.large_string()}):
        return column
    texts = [
        value if value is None or isinstance(value, str) else json.dumps(value)
        for value in values(column)
    ]
    if is_shown:
        texts = [None if text is None else escaped(text) for text in texts]
    return pa.array(texts, kind)


def write_json(
    reader: pa.RecordBatchReader, write: Callable[[bytes], object], *, is_lines: bool
) -> int:
    """Write an array of objects, or an object a line, and return the number of rows.

    All of it is ASCII; see :func:`respool._cli.shown.plain` for what JSON does not have.
    """
    names = _distinct(reader.schema.names)
    rows = 0
    first, between, last = (b"", b"\n", b"\n") if is_lines else (b"[\n", b",\n", b"\n]\n")
    write(first)
    for batch in reader:
        columns = [values(column) for column in batch.columns]
        objects = [
            json.dumps(dict(zip(names, row, strict=True)), allow_nan=False).encode()
            for row in (zip(*columns, strict=True) if columns else [()] * batch.num_rows)
        ]
        if objects:
            write((between if rows else b"") + between.join(objects))
        rows += batch.num_rows
    write(last if rows or not is_lines else b"")
    return rows


def _distinct(names: list[str]) -> list[str]:
    """Return names of which no two are the same, as an object wants them."""
    found: dict[str, None] = {}
    for name in names:
        number, new = 1, name
        while new in found:
            new, number = f"{name}_{number}", number + 1
        found[new] = None
    return list(found)
