"""Get what a name stands for, or begin to fill it."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from respool import _native
from respool._named import filling, given, lock, place, refused, removal
from respool._named import quota as quotas
from respool._named.hit import Seen, Wanted, look
from respool._named.home import Home
from respool._named.room import Room
from respool._native import StreamCache
from respool.exceptions import DiskCapacityError
from respool.typing import ByteSize, Source


def got(
    home: Home,
    fill: Callable[[], Source] | None,
    wanted: Wanted,
    quota: ByteSize | None,
    options: dict[str, Any],
    *,
    ingest: bool,
) -> tuple[StreamCache, Room | None]:
    """Return the cache of a name that is wanted, of this process or another; fill it if there is none.

    Where it is filled and there is a quota, the second is the room that it has.
    """
    root = home.path.parent
    is_there = place.is_root_there(root) and home.is_there()
    if is_there:
        # What is complete can be had without the lock, however long somebody holds that.
        seen = look(home, wanted, is_locked=False)
        if seen.cache is not None:
            _tidy(home, seen)
            return seen.cache, None
    if fill is None and not (is_there and home.is_begun()):
        raise refused.nothing(home, wanted, Seen())
    filling.refuse(home, "asks for")
    if fill is not None:
        if not options["allow_tmpfs"]:
            _native._check_place(place.nearest(home.path))  # noqa: SLF001
        place.made_with_parents(root)
    cache = None
    try:
        with lock.held(home.path, wanted.timeout, patience=lock.PATIENCE):
            cache, room = _locked(home, fill, wanted, quota, options, ingest=ingest)
    except BaseException:
        left(cache)
        raise
    return cache, room


def _locked(
    home: Home,
    fill: Callable[[], Source] | None,
    wanted: Wanted,
    quota: ByteSize | None,
    options: dict[str, Any],
    *,
    ingest: bool,
) -> tuple[StreamCache, Room | None]:
    """Look again, now that nobody else changes what is there, and fill."""
    seen = look(home, wanted, is_locked=True)
    if seen.cache is not None:
        return seen.cache, None
    if fill is None:
        raise refused.nothing(home, wanted, seen)
    most = quotas.chosen(quota, home.path.parent)
    # The source may run code, too, when its schema is asked for.
    with filling.under_way(home):
        source = given.by(fill)
        room = None if most is None else Room.of(home, seen.newest, most)
        return _begun(home, source, wanted, room, options, ingest=ingest), room


def left(cache: StreamCache | None) -> None:
    """Close what nobody will get: who has the exception keeps the frames in it, and what is in them."""
    if cache is not None:
        with suppress(OSError):
            cache.close()


def _tidy(home: Home, seen: Seen) -> None:
    """Remove what was kept for as long as the newest log was not whole."""
    if seen.newest is not None and seen.newest.state == "complete":
        removal.tidy(home)


def _begun(
    home: Home,
    source: Source,
    wanted: Wanted,
    room: Room | None,
    options: dict[str, Any],
    *,
    ingest: bool,
) -> StreamCache:
    """Let a new log be the current one, and remove those before it that nobody uses.

    The last whole one stays, for as long as the new one is not whole, unless the quota has no room for both.
    """
    number = home.next_number()
    log = home.log(number)
    lock.sync(home.path)
    try:
        cache = _native._fill(  # noqa: SLF001
            source,
            log,
            key=wanted.key,
            ttl=wanted.ttl,
            disk="auto" if room is None else room.reach(),
            **options,
        )
    except DiskCapacityError as error:
        # That of a cache which is the source says itself what to do.
        if room is None or error.filename != os.fspath(log):
            raise
        raise room.refused(error) from None
    try:
        home.use()
        if room is None:
            # Looked at now: another one may have become whole while this one began.
            removal.sweep(home, number, *home.needed())
        else:
            room.make(cache, number, waits=ingest)
    except BaseException as error:
        left(cache)
        if room is not None:
            room.note(error)
        raise
    return cache
