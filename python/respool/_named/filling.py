"""The names whose ``fill`` runs right now and is what this code is part of: they must not be waited for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from respool._named.home import Home
from respool.typing import Source


@dataclass
class _Filling:
    home: Home
    # What it begins, a task for one, has a copy of the context for good.
    is_over: bool = False


_FILLING: ContextVar[tuple[_Filling, ...]] = ContextVar("_FILLING", default=())


def source_of(home: Home, fill: Callable[[], Source]) -> Source:
    """Call ``fill`` for a name."""
    with _under_way(home):
        return fill()


def refuse(home: Home, does: str) -> None:
    """Refuse what would wait for a ``fill`` that it is part of.

    Raises
    ------
    RuntimeError
        If this is part of the ``fill`` of the name.
    """
    if any(one.home == home and not one.is_over for one in _FILLING.get()):
        raise RuntimeError(
            f"the fill of {home.name!r} {does} {home.name!r} itself, which would be waited for without an end"
        )


@contextmanager
def _under_way(home: Home) -> Iterator[None]:
    one = _Filling(home)
    before = _FILLING.set((*_FILLING.get(), one))
    try:
        yield
    finally:
        one.is_over = True
        _FILLING.reset(before)
