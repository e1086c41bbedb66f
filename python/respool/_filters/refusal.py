"""What is said about a filter that is none, or can't be translated exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from respool import StreamCacheView

MAX_TEXT = 200
"""Characters of a part that are shown."""

FORMS = "a pyarrow.compute.Expression, a list of (column, operator, value) tuples, or a polars.Expr"
RESULT = (
    "comparisons, in, null and NaN tests, prefixes, and, or, not of columns and constants can be; "
    "filter the result instead"
)


def shown(text: str) -> str:
    """Return the text on one line, and not too long a one."""
    text = " ".join(text.split())
    return f"{text[:MAX_TEXT]}..." if len(text) > MAX_TEXT else text


def refused(part: object, reason: str, instead: str = RESULT) -> ValueError:
    """Make the error that names the part, why it is refused, and what to do."""
    return ValueError(f"cannot filter by {shown(str(part))}: {reason}; {instead}")


def missing(part: object, names: Iterable[str], view: StreamCacheView) -> ValueError | None:
    """Make the error about the first of these columns that is not there; None if all are."""
    there = view.schema.names
    for name in names:
        if name not in there:
            dropped = name in view.cache.schema.names
            return refused(
                part,
                f"no column {name!r}; the columns are {shown(str(there))}",
                "the view left it out: filter before select" if dropped else "look at column_names",
            )
    return None
