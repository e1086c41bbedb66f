"""What somebody gives that is no `fill`, no flag or, from a `fill`, no source; and what was meant by it."""

import inspect
import os
from collections.abc import Callable
from typing import Any

from respool.typing import Source

_AWAITS = (
    "fill is not awaited: give a function that returns a source, such as lambda: asyncio.run(fetch()), "
    "not one that is async"
)


def check_fill(fill: Any) -> None:  # noqa: ANN401 - whatever somebody gave
    """Refuse what can't be called for a source, before anything is done.

    Raises
    ------
    TypeError
        If it is no callable, or an async one.
    """
    if not callable(fill):
        raise TypeError(
            "fill is a callable without arguments that gives a source, as in named(name, lambda: source), "
            f"not {type(fill).__name__}: it is called only when the cache has to be filled"
        )
    if inspect.iscoroutinefunction(fill) or inspect.isasyncgenfunction(fill):
        raise TypeError(_AWAITS)


def check_flag(value: object, what: str) -> None:
    """Refuse what is neither True nor False, NumPy's among them: a text that says "no" is true.

    Raises
    ------
    TypeError
        If it is none of them.
    """
    kind = type(value)
    is_of_numpy = kind.__module__ == "numpy" and kind.__name__ in {"bool", "bool_"}
    if not isinstance(value, bool) and not is_of_numpy:
        raise TypeError(f"{what} is True or False, not {value!r:.100}")


def by(fill: Callable[[], Source]) -> Source:
    """Return what a ``fill`` gives.

    Raises
    ------
    TypeError
        If it is something plain, or to be awaited. What else is no source the cache says itself.
    """
    source: Any = fill()
    kind = type(source).__name__
    if inspect.iscoroutine(source):
        source.close()  # so that nobody is warned that it was never awaited
    if inspect.isawaitable(source) or inspect.isasyncgen(source):
        raise TypeError(f"{_AWAITS}; it gave {kind}")
    if source is None:
        raise TypeError("fill gave None, no source: does it return what it makes?")
    if isinstance(source, str | bytes | os.PathLike):
        raise TypeError(
            f"fill gave {kind}, no source: of a path give what is there, as in lambda: "
            "pyarrow.dataset.dataset(path), or respool.open(path) if it is a log"
        )
    if isinstance(source, dict):
        raise TypeError("fill gave dict, no source: pyarrow.table(columns) makes one of columns")
    given: Source = source
    return given
