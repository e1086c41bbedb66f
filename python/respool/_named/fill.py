"""The public function that gets what a name stands for, or fills it."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Literal

from respool import _native, _progress
from respool._named import ages, given, keys, place, removal
from respool._named import quota as quotas
from respool._named.get import got, left
from respool._named.hit import Wanted
from respool._named.home import Home
from respool._named.keys import Plain
from respool._named.room import Room
from respool._native import Budget, StreamCache
from respool.exceptions import DiskCapacityError
from respool.typing import ArrowSchemaExportable, BatchRows, ByteSize, Event, PathLike, Source


def named(
    name: str,
    fill: Callable[[], Source] | None = None,
    *,
    key: str | tuple[Plain, ...] | None = None,
    ttl: float | dt.timedelta | None = None,
    directory: PathLike | None = None,
    timeout: float | dt.timedelta | None = None,
    quota: ByteSize | None = None,
    memory: ByteSize | None = "25%",
    compression: Literal["lz4", "zstd"] | None = None,
    prefetch: ByteSize | None = None,
    batch_rows: BatchRows | None = None,
    coalesce_rows: int | None = None,
    schema: ArrowSchemaExportable | Literal["first"] | None = None,
    metadata: Mapping[str, Any] | None = None,
    ingest: bool = False,
    progress: bool | Callable[[int, int], object] = False,
    allow_tmpfs: bool = False,
    budget: Budget | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> StreamCache:
    """Get the cache of a name, which any process of yours may have filled; fill it if there is none.

    ``fill`` is called when nothing that is wanted is there: nothing by that name, or what is there was
    filled for another key, is too old, or is not whole because its source failed or whoever filled it
    was closed or killed half way. Then it starts anew. Of many threads and processes that ask at once,
    one calls ``fill``; the others follow it, and read each batch as soon as it is stored. What was whole
    before stays until the new one is whole.

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
        nothing: what is there is opened, without a ``key`` that of any key. Where the last fill ended early
        that is the last one that is whole.
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
        Bytes, or text such as ``"50 GiB"`` or ``"10%"`` of the whole disk, that all named caches of the directory
        may take together, whatever else is there; if None, what ``RESPOOL_CACHE_QUOTA`` says, or as much as there
        is. For a fill the least recently used that nobody uses are removed, unless it can't begin even so. It may
        take what is free then, so fills that run at the same time may exceed the quota together.
        Where there is no room for what the name had and another one of that size, what it had goes: with
        ``ingest=True`` not before the new one has run into its bound, else first. What is larger than the room
        beside it is refused, and :func:`respool.rm` makes more.
    memory
        As for :func:`respool.cache`.
    compression, prefetch, batch_rows, coalesce_rows, schema, metadata, allow_tmpfs
        As for :func:`respool.cache`, if it is filled. What is there already stays as it is.
    ingest
        True: read the source to its end, or wait until whoever fills it is there, before this returns.
        What ends that early, Ctrl-C or an error of the source, is raised, and nobody fills the name then, unless
        somebody else here has the cache.
    progress
        With ``ingest=True``: shows how far that is, as ``StreamCache.ingest_all(progress=...)`` does.
    budget
        A :class:`respool.Budget` that bounds memory together with that of other caches, in place of ``memory``;
        and, where no quota does, the log for as long as it is filled.
    on_event
        As for :func:`respool.cache`. Of a cache that this process fills already who began it is told.

    Returns
    -------
    StreamCache
        Complete, or being filled; by this process or another. In the process that fills it a further
        call gives one more object of the same cache: the last one that is closed closes it.
        Only who fills it has something to ``flush()``; of what was there that is a ``ValueError``.

    Raises
    ------
    BaseException
        What ``fill`` raises. What was there by that name is still there.
    DiskCapacityError
        If the quota has no room for it. Its notes (``__notes__``) say which names were removed before.
    ValueError
        If the name is none, or an argument makes no sense, or the directory is memory itself (tmpfs), or
        nothing names one and this user has no home; ``fill`` is not called then. Or if what is there was
        made by a newer version.
    TypeError
        If ``fill`` can't be called or gives no source, or an argument is of a wrong type, or a key has
        something that is not plain.
    FileNotFoundError
        If ``fill`` is None, and there is nothing by that name that is wanted and whole.
    CorruptLogError
        If ``fill`` is None, and what is there is damaged, or a file of it is missing or too short.
    FileExistsError
        If the directory is a log or that of a name, or what has the name in it was not put there by this
        function.
    PermissionError
        If the directory, or what is there by that name, is not yours alone, or is a symbolic link.
    TimeoutError
        If the name was being filled for longer than ``timeout``.
    RuntimeError
        If ``fill`` asks for the name that it is to fill. Where it does so from another thread, such as one of a
        pool, that can't be told from a thread which has nothing to do with it: it waits, without a
        ``timeout`` for ever. So do two processes where the ``fill`` of each asks for the name that the other fills.

    Notes
    -----
    Who reads a cache keeps it, whatever happens to its name meanwhile; the files go when nobody uses
    them. While a name is filled anew, who asks for it follows that. If its source fails, or whoever fills it
    is interrupted, closed or killed, what was whole before is still there, unless the ``quota`` had no room for
    both: it is given to a call for its key, if it is not too old for that. When the new one is whole, what was
    before is removed, by ``ingest=True`` or the next call for the name. A reader that follows a process which
    failed or died gets :class:`~respool.exceptions.IncompleteStreamError` after the last batch: ask for the name
    again.

    What was filled half way when it was interrupted need not be begun anew:
    ``respool.resume(respool.ls()[0].path, source).ingest_all()``, with the path of the name, goes on with it,
    and the name is whole then.

    Before a cache is given its files are looked for, and whether they are as long as they were written; what
    is in them is checked when it is read.

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
    if fill is not None:
        given.check_fill(fill)
    given.check_flag(ingest, "ingest")
    given.check_flag(allow_tmpfs, "allow_tmpfs")
    if progress and not ingest:
        raise ValueError(
            "progress shows how far ingest=True is: give that too, or call .ingest_all(progress=True) on the cache"
        )
    _progress.check(progress)
    wanted = Wanted(
        key=keys.encode(key),
        is_any_key=fill is None and key is None,
        ttl=ages.seconds(ttl, "ttl"),
        timeout=ages.seconds(timeout, "timeout"),
        memory=memory,
        budget=budget,
        on_event=on_event,
    )
    options: dict[str, Any] = {
        "metadata": metadata,
        "memory": memory,
        "compression": compression,
        "prefetch": prefetch,
        "batch_rows": batch_rows,
        "coalesce_rows": coalesce_rows,
        "schema": schema,
        "budget": budget,
        "on_event": on_event,
    }
    # Everything that can be refused is, before a source is opened or a directory made.
    _native._check_options(**options)  # noqa: SLF001
    options["allow_tmpfs"] = allow_tmpfs
    quotas.chosen(quota, None)
    home = Home.of(place.root(directory), name)
    cache, room = got(home, fill, wanted, quota, options, ingest=ingest)
    if ingest:
        try:
            # Without the lock: others may have what is stored meanwhile.
            _ingested(cache, room, progress=progress)
            removal.tidy(home)
        except BaseException as error:
            # Else nobody could close it, read on or resume, and others would follow it.
            left(cache)
            if room is not None:
                room.note(error)
            raise
    return cache


def _ingested(
    cache: StreamCache, room: Room | None, *, progress: bool | Callable[[int, int], object]
) -> None:
    """Read to the end what somebody gets only then."""
    try:
        cache.ingest_all(progress=progress)
    except DiskCapacityError as error:
        if room is None or not room.more(cache, error):
            raise
    else:
        return
    cache.ingest_all(progress=progress)
