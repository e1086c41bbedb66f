"""Get what a name stands for, or begin to fill it."""

import errno
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from respool import _native
from respool._named import lock, ours, place, removal
from respool._named import quota as quotas
from respool._named.hit import Wanted, look
from respool._named.home import Found, Home, size_of
from respool._native import StreamCache
from respool.typing import ByteSize, Source

_BEING_FILLED: ContextVar[frozenset[Path]] = ContextVar("_BEING_FILLED", default=frozenset())
"""The homes of the names whose ``fill`` runs right now and is what this code is part of."""


def got(
    home: Home,
    fill: Callable[[], Source] | None,
    wanted: Wanted,
    quota: ByteSize | None,
    options: dict[str, Any],
) -> StreamCache:
    """Return the cache of a name that is wanted, of this process or another; fill it if there is none."""
    root = home.path.parent
    is_there = place.is_root_there(root) and home.is_there()
    if is_there:
        # What is complete can be had without the lock, however long somebody holds that.
        found, cache = look(home, wanted, is_locked=False)
        if cache is not None:
            return cache
    if fill is None and not (is_there and home.is_begun()):
        raise _nothing(home, None)
    if home.path in _BEING_FILLED.get():
        raise RuntimeError(
            f"the fill of {home.name!r} asks for {home.name!r} itself, which would be waited for without "
            "an end"
        )
    if fill is not None:
        if not options["allow_tmpfs"]:
            _native._check_place(place.nearest(home.path))  # noqa: SLF001
        root.parent.mkdir(parents=True, exist_ok=True)
        place.made(root)
    with lock.held(home.path, wanted.timeout):
        found, cache = look(home, wanted, is_locked=True)
        if cache is None:
            if fill is None:
                raise _nothing(home, found)
            most = quotas.chosen(quota, root)
            source = _source(home.path, fill)
            room = None if most is None else quotas.make_room(root, home, found, most)
            cache = _begun(home, source, wanted, room, options)
        return cache


def _nothing(home: Home, found: Found | None) -> FileNotFoundError:
    name, root = home.name, home.path.parent
    if found is None:
        state = None if home.top() is None else "is damaged"
    elif found.state in {"abandoned", "failed"}:
        state = f"is not whole ({found.state})"
    else:
        state = "has another key or is too old"
    reason = f"no cache is named {name!r}" if state is None else f"the cache {name!r} {state}"
    return FileNotFoundError(
        errno.ENOENT,
        f"{reason}, and without fill= none is made; respool.ls tells what is in",
        str(root),
    )


def _source(home: Path, fill: Callable[[], Source]) -> Source:
    before = _BEING_FILLED.set(_BEING_FILLED.get() | {home})
    try:
        return fill()
    finally:
        _BEING_FILLED.reset(before)


def _begun(
    home: Home, source: Source, wanted: Wanted, room: int | None, options: dict[str, Any]
) -> StreamCache:
    """Let a new log be the current one, and remove those before it that nobody uses."""
    number = home.next_number()
    path = home.log(number)
    cache = _native._fill(  # noqa: SLF001
        source,
        path,
        key=wanted.key,
        ttl=wanted.ttl,
        disk="auto" if room is None else room,
        **options,
    )
    about = _native._peek(path)  # noqa: SLF001
    ours.enter(about["identity"], cache)
    home.use()
    before = size_of(home.path)
    removal.sweep(home, number)
    if room is not None:
        cache.resize(disk=room + before - size_of(home.path))
    return cache
