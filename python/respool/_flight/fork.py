"""Forked children: what gRPC has of its parent's threads is not there, so it is left as it is for good."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any
from weakref import WeakSet

from respool import _fork

_LIVE: WeakSet[Any] = WeakSet()


def keep(thing: Any) -> None:  # noqa: ANN401 - a client or a server of pyarrow
    """Never end this in a forked child: its end waits for threads that only the parent has."""
    _LIVE.add(thing)


def leave(thing: Any) -> None:  # noqa: ANN401 - a server of pyarrow
    """Let it go with the process, as its end would wait for who does not come."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def not_at_exit(service: Any) -> None:  # noqa: ANN401 - a server of pyarrow
    """Have Python not end this when it ends itself.

    pyarrow's own way waits for all streams: for clients that do not read, and in a forked child for threads that only
    the parent has.
    """
    for reference in weakref.getweakrefs(service):
        finalizer = reference.__callback__
        if isinstance(finalizer, weakref.finalize):
            finalizer.atexit = False


def _leak() -> None:
    for thing in list(_LIVE):
        leave(thing)


_fork.in_child(_leak)
