"""Rows as a table for people: as many as they can look at, and as many columns as the terminal has room for."""

import itertools
import json
import sys

import pyarrow as pa
from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from respool._cli import shown
from respool._cli.escaped import escaped
from respool._cli.rows.values import is_number, values
from respool._cli.terminal import note, show, width

_WIDEST = 60
"""Cells of a column on a terminal, where longer text is cut."""

_LONGEST = 1000
"""Letters of a cell where nothing else says what is too long."""

_BETWEEN = 3


def show_table(reader: pa.RecordBatchReader, most_rows: int) -> None:
    """Print the first rows of a stream, and say so where there are more."""
    schema = reader.schema
    cells: list[list[str]] = [[] for _ in schema]
    left = most_rows
    is_more = False
    for batch in reader:
        taken = batch.slice(0, left)
        for column, texts in zip(taken.columns, cells, strict=True):
            texts.extend(map(_text, values(column)))
        left -= taken.num_rows
        if taken.num_rows < batch.num_rows:
            is_more = True
            break
    columns = [
        (escaped(field.name), escaped(str(field.type)), field.type, texts)
        for field, texts in zip(schema, cells, strict=True)
    ]
    widths = [_width(name, kind, texts) for name, kind, _, texts in columns]
    room = _fitting(widths, width(sys.stdout))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for (name, kind, arrow, _), cell in zip(columns[:room], widths, strict=False):
        head = Text.assemble(name, "\n", (kind, "dim"))
        table.add_column(
            head,
            justify="right" if is_number(arrow) else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=min(cell, 4),
            max_width=cell,
        )
    for row in zip(*(texts for *_, texts in columns[:room]), strict=True):
        table.add_row(*map(Text, row))
    if columns:
        show(table)
    _say_what_is_left(
        most_rows - left, is_more=is_more, hidden=[name for name, *_ in columns[room:]]
    )


def _say_what_is_left(rows: int, *, is_more: bool, hidden: list[str]) -> None:
    if is_more:
        note(
            f"The first {shown.count(rows, 'row')}, and there are more: --rows N shows more, --format csv all."
        )
    else:
        note(shown.count(rows, "row"))
    if hidden:
        names = ", ".join(hidden[:8]) + (", ..." if len(hidden) > 8 else "")  # noqa: PLR2004
        note(f"{shown.count(len(hidden), 'more column')}: {names}")


def _text(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, list | dict):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = str(value)
    return escaped(text[:_LONGEST] + "…" if len(text) > _LONGEST else text)


def _width(name: str, kind: str, texts: list[str]) -> int:
    longest = max(map(cell_len, itertools.chain(texts, [name, kind])))
    return longest if width(sys.stdout) > _LONGEST else min(longest, _WIDEST)


def _fitting(widths: list[int], room: int) -> int:
    """Return how many columns there is room for, one at least."""
    taken = 0
    for number, cell in enumerate(widths):
        taken += cell + (_BETWEEN if number else 0)
        if taken > room:
            return max(1, number)
    return len(widths)
