"""The tables: counters, columns, first rows, metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from respool._html.cells import escaped, number, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FIELDS = 40
"""Columns that are listed; of a wide table the rest is counted."""

_OPEN = 12
"""A list of so many columns is shown at once, a longer one when it is asked for."""

_ENTRIES = 12
"""Of metadata."""


def counters(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and values beside each other."""
    shown = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in pairs
    )
    return f"<dl class='rs-counters'>{shown}</dl>"


def schema(schema: pa.Schema) -> str:
    """Return the columns, their types, and whether they may hold nulls."""
    lines = [
        f"<tr><td>{escaped(field.name)}</td><td class='rs-type'>{escaped(_type(field.type))}</td>"
        f"<td class='rs-faint'>{'' if field.nullable else 'not null'}</td></tr>"
        for field in (schema.field(i) for i in range(min(len(schema), _FIELDS)))
    ]
    if (rest := len(schema) - _FIELDS) > 0:
        lines.append(f"<tr><td class='rs-faint' colspan='3'>and {number(rest)} more</td></tr>")
    head = "<tr><th>column</th><th>type</th><th></th></tr>"
    columns = "1 column" if len(schema) == 1 else f"{number(len(schema))} columns"
    return _folded(
        columns,
        f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>",
        len(schema) <= _OPEN,
    )


def rows(first: pa.RecordBatch, columns: int) -> str:
    """Return rows of a batch that has some of so many columns."""
    more = columns > first.num_columns
    names = [f"<th>{escaped(name, 40)}</th>" for name in first.schema.names]
    kinds = [" class='rs-number'" if _is_number(kind) else "" for kind in first.schema.types]
    lines = []
    for row in range(first.num_rows):
        cells = [_cell(first.column(i)[row], kind) for i, kind in enumerate(kinds)]
        lines.append(f"<tr>{''.join(cells)}{_MORE if more else ''}</tr>")
    head = f"<tr>{''.join(names)}{'<th></th>' if more else ''}</tr>"
    table = f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"
    return _folded(
        "First rows of what is stored", f"<div class='rs-wide'>{table}</div>", is_open=True
    )


def metadata(title: str, entries: Mapping[Any, Any] | None) -> str:
    """Return what somebody said of it; nothing if nobody did."""
    if not entries:
        return ""
    lines = [
        f"<tr><td>{escaped(_plain(key))}</td><td>{escaped(_plain(entries[key]), 120)}</td></tr>"
        for key in list(entries)[:_ENTRIES]
    ]
    if (rest := len(entries) - _ENTRIES) > 0:
        lines.append(f"<tr><td class='rs-faint' colspan='2'>and {number(rest)} more</td></tr>")
    return _folded(
        title,
        f"<div class='rs-wide'><table><tbody>{''.join(lines)}</tbody></table></div>",
        is_open=False,
    )


_MORE = "<td class='rs-faint'>&hellip;</td>"


def _folded(title: str, inside: str, is_open: bool) -> str:
    return f"<details{' open' if is_open else ''}><summary>{escaped(title)}</summary>{inside}</details>"


def _cell(scalar: Any, kind: str) -> str:  # noqa: ANN401 - a pyarrow scalar of any type
    if not scalar.is_valid:
        return "<td class='rs-faint'>null</td>"
    return f"<td{kind}>{escaped(text_of(scalar))}</td>"


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _type(kind: pa.DataType) -> str:
    # A struct of a thousand fields has a name of that length.
    if kind.num_fields <= _OPEN:
        return str(kind)
    return f"{str(kind).partition('<')[0]} of {number(kind.num_fields)} fields"


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return value[:400].decode("utf-8", "replace")
    return value if isinstance(value, str) else repr(value)
