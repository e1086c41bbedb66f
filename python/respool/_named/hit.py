"""What is there by a name, and whether it is what is wanted."""

import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from respool import _native, _ours
from respool._named import ages, whole
from respool._named.home import Found, Home
from respool._native import Budget, StreamCache
from respool.exceptions import CorruptLogError
from respool.typing import ByteSize, Event

_CLOSING = 60.0
"""Seconds that a cache of this process may take to be closed, where nothing is said."""


@dataclass(frozen=True)
class Wanted:
    """What a call of ``named`` asks for."""

    key: bytes | None
    is_any_key: bool
    ttl: float | None
    timeout: float | None
    memory: ByteSize | None
    budget: Budget | None
    on_event: Callable[[Event], object] | None


@dataclass(frozen=True)
class Seen:
    """What is there by a name.

    Attributes
    ----------
    newest
        The newest log that can be read.
    cache
        What is wanted, if it is there.
    damage
        What is wrong with the newest that would be wanted but for that.
    """

    newest: Found | None = None
    cache: StreamCache | None = None
    damage: CorruptLogError | None = None


def look(home: Home, wanted: Wanted, *, is_locked: bool) -> Seen:
    """Return what is there by a name, and, if that is what is wanted, a cache of it."""
    try:
        seen = _settled(home, wanted, is_locked=is_locked)
    except OSError:
        # It was removed after it was found, or is being removed, which under the lock can't be.
        if is_locked:
            raise
        return Seen()
    if seen.cache is not None:
        home.use()
    return seen


def _settled(home: Home, wanted: Wanted, *, is_locked: bool) -> Seen:
    end = time.monotonic() + (_CLOSING if wanted.timeout is None else wanted.timeout)
    while True:
        try:
            return _seen(home, wanted, is_locked=is_locked)
        except RuntimeError as error:
            # A cache of this process that fills it is being closed: whole, or left, in a moment.
            if type(error) is not RuntimeError or time.monotonic() > end:
                raise
        time.sleep(0.005)


def _seen(home: Home, wanted: Wanted, *, is_locked: bool) -> Seen:
    """Look at the newest log, and as long as one is not whole at the one before it."""
    newest = damage = None
    is_first, is_last = True, False
    for number in home.numbers():
        try:
            found = home.found(number)
            if found is None:
                continue
            if is_first and found.state == "growing" and has_key(found, wanted):
                return Seen(found, _followed(found, wanted, is_locked=is_locked), damage)
            newest = newest or found
            if found.state == "complete":
                # What was there before it has been replaced, and does not come back.
                is_last = True
                return Seen(newest, _opened(found, wanted), damage)
        except CorruptLogError as error:
            damage = damage or error
            if is_last:
                break
        except (OSError, ValueError):
            # What is older is a way out, and not to be in the way.
            if is_first:
                raise
        is_first = False
    return Seen(newest, None, damage)


def has_key(found: Found, wanted: Wanted) -> bool:
    """Tell whether a log was filled for the key that is wanted."""
    return wanted.is_any_key or found.about["key"] == wanted.key


def _followed(found: Found, wanted: Wanted, *, is_locked: bool) -> StreamCache | None:
    filling = _ours.share(found.about["identity"])
    # Ours are entered before the lock is given back: without it none need not mean that it is not ours.
    if filling is not None or not is_locked:
        return filling
    return _open(found, wanted)


def _opened(found: Found, wanted: Wanted) -> StreamCache | None:
    """Open a complete log, if it is what is wanted."""
    if (segment := whole.missing(found.path)) is not None:
        raise CorruptLogError(errno.EIO, whole.MISSING, os.fspath(segment))
    about = found.about
    if not has_key(found, wanted) or ages.is_over(about["created"], about["ttl"], wanted.ttl):
        return None
    return _open(found, wanted)


def _open(found: Found, wanted: Wanted) -> StreamCache | None:
    """Open the log that was found; None if another one has taken its place, which may have another key."""
    cache = _native.open(
        found.path,
        timeout=wanted.timeout,
        memory=wanted.memory,
        budget=wanted.budget,
        on_event=wanted.on_event,
    )
    there = cache._place_of_log  # noqa: SLF001
    if there is not None and there[1] == found.about["identity"]:
        return cache
    cache.close()
    return None
