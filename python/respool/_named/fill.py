"""Get what a name stands for, or fill it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from respool import _native
from respool._named import ages, keys, lock, ours, place, removal
from respool._named import quota as quotas
from respool._named.home import Home, size_of
from respool.exceptions import CorruptLogError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from respool._named.home import Found
    from respool._named.keys import Plain
    from respool._native import StreamCache
    from respool.typing import ArrowSchemaExportable, ByteSize, Source
    from respool.typing import Path as AnyPath

_BEING_FILLED: ContextVar[frozenset[Path]] = ContextVar("_BEING_FILLED", default=frozenset())
"""The homes of the names whose ``fill`` runs right now and is what this code is part of."""


def named(
    name: str,
    fill: Callable[[], Source],
    *,
    key: str | tuple[Plain, ...] | None = None,
    ttl: float | dt.timedelta | None = None,
    directory: AnyPath | None = None,
    timeout: float | None = None,
    quota: ByteSize | None = None,
    memory: ByteSize | None = "25%",
    compression: Literal["lz4", "zstd"] | None = None,
    coalesce_rows: int | None = None,
    schema: ArrowSchemaExportable | Literal["first"] | None = None,
    metadata: dict[str, Any] | None = None,
    allow_tmpfs: bool = False,
) -> StreamCache:
    """Get the cache of a name, which any process of yours may have filled; fill it if there is none.

    ``fill`` is called when nothing that is wanted is there: nothing by that name, or what is there was
    filled for another key, is too old, or is not whole because its source failed or whoever filled it
    was closed or killed half way. Then it starts anew. Of many threads and processes that ask at once,
    one calls ``fill``; the others follow it, and read each batch as soon as it is stored. What it gives
    is read as the cache is read, no sooner: the process that fills has to read to the end, or call
    ``ingest_all``.

    Parameters
    ----------
    name
        An id, not a path: up to 128 of the letters ``A-Z`` and ``a-z``, digits, ``.``, ``_`` and ``-``,
        beginning with a letter, a digit or ``_``.
    fill
        A callable without arguments that gives a source, as :func:`respool.cache` takes it.
    key
        What the source depends on: a text or a tuple of None, bool, int, float, str, bytes, date,
        datetime and such tuples. A cache that was filled for another key is filled anew. Nothing else
        is compared, least of all the code of ``fill``.
    ttl
        Seconds, or a ``datetime.timedelta``, after which it is filled anew. That of this call counts,
        and so does that of the call which filled it.
    directory
        Where named caches are. If None, what the environment variable ``RESPOOL_CACHE_DIR`` says, or
        ``respool`` in the platform's directory for caches. It is made if it is missing; it must belong
        to you, and others must not be able to write to it.
    timeout
        Seconds to wait, at most, for another ``fill`` of the name, and of a cache that somebody else
        fills for each next batch. None waits for ever; Ctrl-C ends it.
    quota
        Bytes, or text such as ``"50 GiB"``, that all caches of the directory may take together; if
        None, what ``RESPOOL_CACHE_QUOTA`` says, or as much as there is. Before a fill the least recently
        used are removed to make room for it. It may take what is free then, so fills that run at
        the same time may exceed the quota together.
    memory
        As for :func:`respool.cache`.
    compression, coalesce_rows, schema, metadata, allow_tmpfs
        As for :func:`respool.cache`, if it is filled. What is there already stays as it is.

    Returns
    -------
    StreamCache
        Complete, or being filled; by this process or another. In the process that fills it a further
        call gives the very same object.

    Raises
    ------
    BaseException
        What ``fill`` raises. What was there by that name is still there.
    ValueError
        If the name is none, or a number makes no sense; or what is there was made by a newer version.
    TypeError
        If ``fill`` can't be called or gives no source, or a key has something that is not plain.
    PermissionError
        If the directory, or what is there by that name, is not yours alone, or is a symbolic link.
    TimeoutError
        If the name was being filled for longer than ``timeout``.
    RuntimeError
        If ``fill`` asks for the name that it is to fill.

    Notes
    -----
    Who reads a cache keeps it, whatever happens to its name meanwhile; the files go when nobody uses
    them. Once a new fill has begun, what was there before is not found any more, so if its source fails
    the next call fills again. A reader that follows a process which failed or died gets
    :class:`~respool.exceptions.IncompleteStreamError` after the last batch: ask for the name again.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa, respool
    >>> def fetch():
    ...     print("asking the database")
    ...     return pa.table({"id": [1, 2, 3]})
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     for day in ("Monday", "Monday", "Tuesday"):
    ...         orders = respool.named("orders", fetch, key=day, directory=directory)
    ...         orders.ingest_all(), orders.num_rows
    ...         orders.close()
    asking the database
    (1, 3)
    (1, 3)
    asking the database
    (1, 3)
    """
    if not callable(fill):
        raise TypeError(
            f"fill is a callable without arguments that gives a source, not {type(fill).__name__}: "
            "so that nothing is opened where the cache is there, as in named(name, lambda: source)"
        )
    wanted = _Wanted(
        keys.encode(key), ages.seconds(ttl, "ttl"), ages.seconds(timeout, "timeout"), memory
    )
    root = place.root(directory)
    home = Home.of(root, name)
    root.parent.mkdir(parents=True, exist_ok=True)
    place.made(root)
    place.made(home.path)
    # What is complete can be had without the lock, however long somebody holds that.
    found, cache = _look(home, wanted, is_locked=False)
    if cache is not None:
        return cache
    if home.path in _BEING_FILLED.get():
        raise RuntimeError(
            f"the fill of {name!r} asks for {name!r} itself, which would be waited for without an end"
        )
    with lock.held(home.path, wanted.timeout):
        found, cache = _look(home, wanted, is_locked=True)
        if cache is None:
            most = quotas.chosen(quota, root)
            source = _source(home.path, fill)
            room = None if most is None else quotas.make_room(root, home, found, most)
            options = {
                "metadata": metadata,
                "memory": memory,
                "compression": compression,
                "coalesce_rows": coalesce_rows,
                "schema": schema,
                "allow_tmpfs": allow_tmpfs,
            }
            cache = _begun(home, source, wanted, room, options)
        return cache


@dataclass(frozen=True)
class _Wanted:
    key: bytes | None
    ttl: float | None
    timeout: float | None
    memory: ByteSize | None


def _look(
    home: Home, wanted: _Wanted, *, is_locked: bool
) -> tuple[Found | None, StreamCache | None]:
    """Return what is there by a name, and, if that is what is wanted, a cache of it."""
    try:
        found = home.current()
        cache = None if found is None else _opened(found, wanted, is_locked=is_locked)
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


def _opened(found: Found, wanted: _Wanted, *, is_locked: bool) -> StreamCache | None:
    about = found.about
    if about["key"] != wanted.key:
        return None
    if found.state == "growing":
        filling = ours.find(about["identity"])
        # Ours are entered before the lock is given back: without it none need not mean that it is not ours.
        if filling is not None or not is_locked:
            return filling
    elif found.state != "complete" or ages.is_over(about["created"], about["ttl"], wanted.ttl):
        return None
    return _native.open(found.path, timeout=wanted.timeout, memory=wanted.memory)


def _source(home: Path, fill: Callable[[], Source]) -> Source:
    before = _BEING_FILLED.set(_BEING_FILLED.get() | {home})
    try:
        return fill()
    finally:
        _BEING_FILLED.reset(before)


def _begun(
    home: Home, source: Source, wanted: _Wanted, room: int | None, options: dict[str, Any]
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
