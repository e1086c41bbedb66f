"""The caches of this process that fill a log with a path. To follow one of them would be to wait for oneself."""

import weakref
from threading import RLock

from respool import _fork
from respool._native import StreamCache

_OURS: dict[bytes, weakref.ref[StreamCache]] = {}
"""By the identity of their logs. No WeakValueDictionary: that calls Python when a cache goes, where Ctrl-C is lost."""


class _Turn:
    """One thread enters at a time. It may come here again: a signal handler may fill a log."""

    def __init__(self) -> None:
        self.lock = RLock()


_turn = _Turn()


def _forget() -> None:
    # A forked child follows its parent, like any other process; a thread of that may have the turn.
    _OURS.clear()
    _turn.lock = RLock()


_fork.in_child(_forget)


def enter(identity: bytes, cache: StreamCache) -> None:
    """Let a cache be found for as long as somebody has it; whatever makes one that fills a log calls this."""
    with _turn.lock:
        _OURS[identity] = weakref.ref(cache)
        for gone in [one for one, there in list(_OURS.items()) if there() is None]:
            _OURS.pop(gone, None)


def find(identity: bytes) -> StreamCache | None:
    """Return the cache that fills a log, if it does so here and is open; closing it is for who began it."""
    there = _OURS.get(identity)
    cache = None if there is None else there()
    return None if cache is None or cache.closed else cache


def share(identity: bytes) -> StreamCache | None:
    """Return one more object of the cache that fills a log; the last one that is closed closes it."""
    cache = find(identity)
    return None if cache is None else cache._shared()  # noqa: SLF001
