"""What doors to engines ask of their arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from respool._native import StreamCacheView

if TYPE_CHECKING:
    from collections.abc import Sequence


def checked(given: object, function: str) -> StreamCacheView:
    """Return what was given, if it is a cache or a view of one.

    Raises
    ------
    TypeError
        If it is something else. The message says what to do.
    """
    if isinstance(given, StreamCacheView):
        return given
    kind = type(given)
    raise TypeError(
        f"{function} takes a cache or a view of one, not {kind.__module__}.{kind.__qualname__}: "
        "make a cache of it first, with respool.cache(...)"
    )


def opened(given: object, function: str) -> StreamCacheView:
    """Return what was given, if it is a cache that is open, or a view of one.

    Raises
    ------
    TypeError
        As :func:`checked`.
    ValueError
        If the cache is closed.
    """
    view = checked(given, function)
    if view.cache.closed:
        raise ValueError(
            "the cache is closed: make a new one over a new source, or open its log again where that is kept"
        )
    return view


def narrowed(view: StreamCacheView, columns: Sequence[str | int] | None) -> StreamCacheView:
    """Return a view of the columns that are asked for; of all if None.

    Raises
    ------
    TypeError
        If it is one name and no list, which would be taken letter by letter.
    ValueError
        If there is no such column.
    """
    return view if columns is None else view.select(*listed(columns))


def listed(columns: Sequence[str | int]) -> list[str | int]:
    """Return the columns that are asked for as a list.

    Raises
    ------
    TypeError
        If it is one name and no list, which would be taken letter by letter, or neither.
    """
    if isinstance(columns, str):
        raise TypeError(
            f"columns is a list of names, as in columns=[{columns!r}], not the text {columns!r}"
        )
    if not isinstance(columns, Iterable):
        raise TypeError(f"columns is a list of names, as in columns=['x'], not {columns!r}")
    return list(columns)
