"""The caches of this process that fill a log with a path. To follow one of them would be to wait for oneself."""

import weakref

from respool import _fork
from respool._native import StreamCache

_OURS: weakref.WeakValueDictionary[bytes, StreamCache] = weakref.WeakValueDictionary()
"""By the identity of their logs."""

# A forked child follows its parent, like any other process.
_fork.in_child(_OURS.clear)


def enter(identity: bytes, cache: StreamCache) -> None:
    """Let a cache be found for as long as somebody has it; whatever makes one that fills a log calls this."""
    _OURS[identity] = cache


def find(identity: bytes) -> StreamCache | None:
    """Return the cache that fills a log, if it does so here and is open; closing it is for who began it."""
    cache = _OURS.get(identity)
    return None if cache is None or cache.closed else cache


def share(identity: bytes) -> StreamCache | None:
    """Return one more object of the cache that fills a log; the last one that is closed closes it."""
    cache = find(identity)
    return None if cache is None else cache._shared()  # noqa: SLF001
