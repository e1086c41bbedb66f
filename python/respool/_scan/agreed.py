"""Filters of which an engine's rows and pyarrow's are the same, so that zone maps may rule batches out for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from respool._filters import predicate
from respool._filters.expression import COMPARISONS, Call, Field, Literal, Node, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from respool import StreamCacheView

_FUNCTIONS = {*COMPARISONS, "and_kleene", "or_kleene", "is_valid"}


def agreed(filters: Iterable[object], view: StreamCacheView) -> list[object]:
    """Return those that compare plain columns with constants, and that respool can tell exactly.

    Engines differ over NaN, over NULL in lists and over what is cast; they agree on the order of
    integers, dates, text and points in time.
    """
    return [one for one in filters if isinstance(one, pc.Expression) and _is_agreed(one, view)]


def _is_agreed(expression: pc.Expression, view: StreamCacheView) -> bool:
    try:
        predicate(expression, view)
        return _is_plain(read(expression), view)
    except ValueError:
        return False


def _is_plain(root: Node, view: StreamCacheView) -> bool:
    pending = [root]
    while pending:
        match pending.pop():
            case Call(function=function, arguments=arguments) if function in _FUNCTIONS:
                pending += arguments
            case Field(path=(name,)) if _has_one_order(view.schema.field(name).type):
                pass
            case Literal(value=value) if _has_one_order(value.type):
                pass
            case _:
                return False
    return True


def _has_one_order(kind: pa.DataType) -> bool:
    types = pa.types
    tests = (types.is_integer, types.is_date, types.is_timestamp, types.is_string)
    return any(test(kind) for test in (*tests, types.is_large_string))
