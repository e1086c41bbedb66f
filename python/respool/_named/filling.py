"""The names whose ``fill`` runs right now and is what this code is part of: they must not be waited for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field

from respool._named import in_use, layout, lock
from respool._named.home import Home


@dataclass
class _Filling:
    home: Home
    process: int = field(default_factory=os.getpid)
    # What it begins, a task for one, has a copy of the context for good.
    is_over: bool = False

    def is_of(self, home: Home) -> bool:
        """Tell whether it is that of a name, however its directory is written."""
        with suppress(OSError):
            return os.path.samestat(self.home.path.lstat(), home.path.lstat())
        return False

    def is_waited_for(self) -> bool:
        """Tell whether it goes on. What was forked meanwhile is not told when it is over, but by who has the lock."""
        if self.is_over or self.process == os.getpid():
            return not self.is_over
        held = in_use.holders()
        # Where the system does not tell who it is, anybody may be the one.
        is_its = not held or self.process in in_use.of_file(self.home.path / layout.LOCK, held)
        return is_its and lock.is_held(self.home.path)


_FILLING: ContextVar[tuple[_Filling, ...]] = ContextVar("_FILLING", default=())


def refuse(home: Home, does: str) -> None:
    """Refuse what would wait for a ``fill`` that it is part of.

    Raises
    ------
    RuntimeError
        If this is part of the ``fill`` of the name.
    """
    if any(one.is_of(home) and one.is_waited_for() for one in _FILLING.get()):
        raise RuntimeError(
            f"the fill of {home.name!r} {does} {home.name!r} itself, which would be waited for without an end"
        )


@contextmanager
def under_way(home: Home) -> Iterator[None]:
    """Run code of the caller's for a name, under the lock of the name."""
    one = _Filling(home)
    try:
        # In here, and without what it gives: Ctrl-C may come when it is set, and before that is there.
        _FILLING.set((*_FILLING.get(), one))
        yield
    finally:
        one.is_over = True
        _FILLING.set(tuple(other for other in _FILLING.get() if other is not one))
