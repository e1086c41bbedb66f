"""Which columns a filter speaks about, and which of a log are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from respool._filters import tuples
from respool._filters.expression import Call, Field, Literal, Node, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


def spoken_of(what: object) -> set[str] | None:
    """Return the names of the plain columns in a filter; None where it goes below one, or is not known."""
    if isinstance(what, (list, tuple)):
        what = tuples.joined(what)
    if isinstance(what, pc.Expression):
        names: set[str] = set()
        return names if _collect(read(what), names) else None
    expression: Any = what  # of Polars
    return set(expression.meta.root_names())


def _collect(root: Node, names: set[str]) -> bool:
    pending = [root]
    while pending:
        match pending.pop():
            case Field(path=(name,)):
                names.add(name)
            case Field():
                return False
            case Call(arguments=arguments):
                pending += arguments
            case Literal():
                pass
    return True


def checked(columns: Sequence[str] | None, schema: pa.Schema) -> list[str] | None:
    """Return the names that are asked for, if each is that of one column; None if all are.

    Raises
    ------
    ValueError
        If one is not there, is asked for twice, or is that of several columns.
    TypeError
        If they are not names.
    """
    given: Any = schema.names if columns is None else columns
    # A list of its own: names may come from what can be asked once.
    names = list(given) if isinstance(given, Iterable) else [given]
    if isinstance(given, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f'columns is a list of names, as in columns=["id", "x"], not {given!r}')
    for name in names:
        found = schema.names.count(name)
        if found != 1:
            raise ValueError(f"{found or 'no'} columns {name!r}; the columns are {schema.names}")
    if len(set(names)) != len(names):
        raise ValueError(f"a column is asked for twice: {names}")
    return None if columns is None else names


def shown_share(columns: Sequence[str] | None, schema: pa.Schema) -> float:
    """Estimate which share of a row's bytes these columns are, without a look at any."""
    if columns is None:
        return 1.0
    widths = {field.name: _width(field.type) for field in schema}
    return sum(widths[name] for name in columns) / (sum(widths.values()) or 1)


def _width(kind: pa.DataType) -> int:
    """Return the bytes of a value; of text and lists a guess."""
    try:
        return max(1, kind.bit_width // 8)
    except ValueError:
        return 16
