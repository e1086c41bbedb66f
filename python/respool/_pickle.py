"""Caches on logs with a path, opened again where they are unpickled.

A cache there pickles as its path, which log it is, and what a view of it shows; the batches stay where they
are. A process opens a log once, however often something of it is unpickled, and whoever pickled it unpickles
his own. It is opened as the pickled cache was: with its timeout, and its memory in bytes. Of several that are unpickled
in one process the first says how.
"""

import errno
import os
from threading import RLock
from weakref import WeakValueDictionary

from respool import _fork, _native
from respool._native import StreamCache, StreamCacheView

__all__ = ["reopen", "share"]


class _Opened:
    """The caches of this process that are open, by process, path and identity of the log."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a child has to: a thread of its parent may hold the lock."""
        self.caches: WeakValueDictionary[tuple[int, str, bytes], StreamCache] = (
            WeakValueDictionary()
        )
        # One thread opens at a time. It may come here again: a signal handler may unpickle.
        self.turn = RLock()

    def find(self, path: str, identity: bytes) -> StreamCache | None:
        cache = self.caches.get((os.getpid(), path, identity))
        # One that was left, or that failed, may have been gone on with meanwhile.
        return None if cache is None or cache.closed or cache.error else cache

    def keep(self, path: str, identity: bytes, cache: StreamCache) -> None:
        self.caches[os.getpid(), path, identity] = cache


_opened = _Opened()
_fork.in_child(_opened.forget)


def share(cache: StreamCache, path: str, identity: bytes) -> None:
    """Let this process unpickle what shows the cache as views of the same object.

    It may be the one that fills the log, and no other could in this process.
    """
    with _opened.turn:
        _opened.keep(path, identity, cache)


def reopen(
    path: str,
    identity: bytes,
    saved: bytes | None,
    timeout: float | None,
    memory: int | None,
) -> StreamCacheView:
    """Open the cache that was pickled, and the view of it that was saved; all of it if None.

    Raises
    ------
    FileNotFoundError
        If there is no log there any more, or another one.
    """
    with _opened.turn:
        cache = _opened.find(path, identity)
        if cache is None:
            cache = _native.open(path, timeout=timeout, memory=memory)
            cache = _checked(cache, path, identity)
            _opened.keep(path, identity, cache)
    return cache if saved is None else cache._restored(saved)  # noqa: SLF001


def _checked(cache: StreamCache, path: str, identity: bytes) -> StreamCache:
    there = cache._place_of_log  # noqa: SLF001
    if there is None or there[1] != identity:
        cache.close()
        raise FileNotFoundError(
            errno.ENOENT,
            "the log that was pickled is gone, another one is in its place: pickle a cache of that",
            path,
        )
    return cache
