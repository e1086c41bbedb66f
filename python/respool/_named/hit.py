"""What is there by a name, and whether it is what is wanted."""

import time
from dataclasses import dataclass

from respool import _native
from respool._named import ages, ours
from respool._named.home import Found, Home
from respool._native import StreamCache
from respool.exceptions import CorruptLogError
from respool.typing import ByteSize

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


def look(home: Home, wanted: Wanted, *, is_locked: bool) -> tuple[Found | None, StreamCache | None]:
    """Return what is there by a name, and, if that is what is wanted, a cache of it."""
    try:
        found, cache = _settled(home, wanted, is_locked=is_locked)
    except CorruptLogError:
        return None, None
    except FileNotFoundError:
        # It was removed after it was found, which under the lock can't be.
        if is_locked:
            raise
        return None, None
    if cache is not None:
        home.use()
    return found, cache


def _settled(
    home: Home, wanted: Wanted, *, is_locked: bool
) -> tuple[Found | None, StreamCache | None]:
    end = time.monotonic() + (_CLOSING if wanted.timeout is None else wanted.timeout)
    while True:
        found = home.current()
        try:
            return found, None if found is None else _opened(found, wanted, is_locked=is_locked)
        except RuntimeError as error:
            # A cache of this process that fills it is being closed: whole, or left, in a moment.
            if type(error) is not RuntimeError or time.monotonic() > end:
                raise
        time.sleep(0.005)


def _opened(found: Found, wanted: Wanted, *, is_locked: bool) -> StreamCache | None:
    about = found.about
    if about["key"] != wanted.key and not wanted.is_any_key:
        return None
    if found.state == "growing":
        filling = ours.find(about["identity"])
        # Ours are entered before the lock is given back: without it none need not mean that it is not ours.
        if filling is not None or not is_locked:
            return filling
    elif found.state != "complete" or ages.is_over(about["created"], about["ttl"], wanted.ttl):
        return None
    return _native.open(found.path, timeout=wanted.timeout, memory=wanted.memory)
