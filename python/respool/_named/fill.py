"""Get what a name stands for, or fill it."""

import datetime as dt
import errno
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from respool import _native
from respool._named import ages, keys, lock, ours, place, removal
from respool._named import quota as quotas
from respool._named.home import Found, Home, size_of
from respool._named.keys import Plain
from respool._native import StreamCache
from respool.exceptions import CorruptLogError
from respool.typing import ArrowSchemaExportable, BatchRows, ByteSize, Source
from respool.typing import Path as AnyPath

_CLOSING = 60.0
"""Seconds that a cache of this process may take to be closed, where nothing is said."""

_BEING_FILLED: ContextVar[frozenset[Path]] = ContextVar("_BEING_FILLED", default=frozenset())
"""The homes of the names whose ``fill`` runs right now and is what this code is part of."""


def named(
    name: str,
    fill: Callable[[], Source] | None = None,
    *,
    key: str | tuple[Plain, ...] | None = None,
    ttl: float | dt.timedelta | None = None,
    directory: AnyPath | None = None,
    timeout: float | dt.timedelta | None = None,
    quota: ByteSize | None = None,
    memory: ByteSize | None = "25%",
    compression: Literal["lz4", "zstd"] | None = None,
    prefetch: ByteSize | None = None,
    batch_rows: BatchRows | None = None,
    coalesce_rows: int | None = None,
    schema: ArrowSchemaExportable | Literal["first"] | None = None,
    metadata: dict[str, Any] | None = None,
    ingest: bool = False,
    allow_tmpfs: bool = False,
) -> StreamCache:
    """Get the cache of a name, which any process of yours may have filled; fill it if there is none.

    ``fill`` is called when nothing that is wanted is there: nothing by that name, or what is there was
    filled for another key, is too old, or is not whole because its source failed or whoever filled it
    was closed or killed half way. Then it starts anew. Of many threads and processes that ask at once,
    one calls ``fill``; the others follow it, and read each batch as soon as it is stored.

    **Whoever fills has to read to the end.** What ``fill`` gives is read as the cache is read, no sooner:
    after ``named(...).head()`` it is not whole, so the next call starts anew, and others who follow it wait
    for as long as it is open and nobody reads on. ``ingest=True`` reads it to its end before this returns.

    Parameters
    ----------
    name
        An id, not a path: up to 128 of the letters ``A-Z`` and ``a-z``, digits, ``.``, ``_`` and ``-``,
        beginning with a letter, a digit or ``_``.
    fill
        A callable without arguments that gives a source, as :func:`respool.cache` takes it. None fills
        nothing: what is there is opened, without a ``key`` that of any key.
    key
        What the source depends on: a text or a tuple of None, bool, int, float, str, bytes, date,
        datetime and such tuples. A cache that was filled for another key is filled anew. Nothing else
        is compared, least of all the code of ``fill``.
    ttl
        Seconds, or a ``datetime.timedelta``, after which it is filled anew; infinity is never. That of
        this call counts, and so does that of the call which filled it.
    directory
        Where named caches are. If None, what the environment variable ``RESPOOL_CACHE_DIR`` says, or
        ``respool`` in the platform's directory for caches; ``~`` is your home. It is made if it is missing;
        it must belong to you, others must not be able to write to it, and it must not itself be a log that
        :func:`respool.cache` made.
    timeout
        Seconds, or a ``datetime.timedelta``, to wait, at most, for another ``fill`` of the name, and of
        a cache that somebody else fills for each next batch. None waits for ever; Ctrl-C ends it.
    quota
        Bytes, or text such as ``"50 GiB"`` or ``"10%"`` of the whole disk, that all caches of the directory
        may take together; if None, what ``RESPOOL_CACHE_QUOTA`` says, or as much as there is. Before
        a fill the least recently used are removed to make room for it. It may take what is free then, so
        fills that run at the same time may exceed the quota together.
    memory
        As for :func:`respool.cache`.
    compression, prefetch, batch_rows, coalesce_rows, schema, metadata, allow_tmpfs
        As for :func:`respool.cache`, if it is filled. What is there already stays as it is.
    ingest
        True: read the source to its end, or wait until whoever fills it is there, before this returns.
        What ends that early, Ctrl-C or an error of the source, is raised.

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
        If the name is none, or an argument makes no sense, or the directory is memory itself (tmpfs);
        ``fill`` is not called then. Or if what is there was made by a newer version.
    TypeError
        If ``fill`` can't be called or gives no source, or an argument is of a wrong type, or a key has
        something that is not plain.
    FileNotFoundError
        If ``fill`` is None, and there is nothing by that name that is wanted and whole.
    FileExistsError
        If the directory is a log, or what has the name in it was not put there by this function.
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
    if fill is not None and not callable(fill):
        raise TypeError(
            f"fill is a callable without arguments that gives a source, not {type(fill).__name__}: "
            "so that nothing is opened where the cache is there, as in named(name, lambda: source)"
        )
    wanted = _Wanted(
        key=keys.encode(key),
        is_any_key=fill is None and key is None,
        ttl=ages.seconds(ttl, "ttl"),
        timeout=ages.seconds(timeout, "timeout"),
        memory=memory,
    )
    options: dict[str, Any] = {
        "metadata": metadata,
        "memory": memory,
        "compression": compression,
        "prefetch": prefetch,
        "batch_rows": batch_rows,
        "coalesce_rows": coalesce_rows,
        "schema": schema,
    }
    # Everything that can be refused is, before a source is opened or a directory made.
    _native._check_options(**options)  # noqa: SLF001
    options["allow_tmpfs"] = allow_tmpfs
    quotas.check(quota)
    cache = _got(Home.of(place.root(directory), name), fill, wanted, quota, options)
    if ingest:
        # Without the lock: others may have what is stored meanwhile.
        cache.ingest_all()
    return cache


@dataclass(frozen=True)
class _Wanted:
    key: bytes | None
    is_any_key: bool
    ttl: float | None
    timeout: float | None
    memory: ByteSize | None


def _got(
    home: Home,
    fill: Callable[[], Source] | None,
    wanted: _Wanted,
    quota: ByteSize | None,
    options: dict[str, Any],
) -> StreamCache:
    root = home.path.parent
    is_there = place.is_there(root) and home.is_there()
    if is_there:
        # What is complete can be had without the lock, however long somebody holds that.
        found, cache = _look(home, wanted, is_locked=False)
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
        found, cache = _look(home, wanted, is_locked=True)
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


def _look(
    home: Home, wanted: _Wanted, *, is_locked: bool
) -> tuple[Found | None, StreamCache | None]:
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
    home: Home, wanted: _Wanted, *, is_locked: bool
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


def _opened(found: Found, wanted: _Wanted, *, is_locked: bool) -> StreamCache | None:
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
