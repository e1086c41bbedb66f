"""Forked children: what gRPC has of its parent's threads is not there, so it is left as it is for good."""

from __future__ import annotations

import ctypes
import os
from typing import Any
from weakref import WeakSet

_LIVE: WeakSet[Any] = WeakSet()


def keep(thing: Any) -> None:  # noqa: ANN401 - a client or a server of pyarrow
    """Never end this in a forked child: its end waits for threads that only the parent has."""
    _LIVE.add(thing)


def _leak() -> None:
    for thing in list(_LIVE):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


os.register_at_fork(after_in_child=_leak)
