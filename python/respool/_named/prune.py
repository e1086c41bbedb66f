"""Taking names away, one or the least recently used."""

import datetime as dt
import errno
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from respool._named import ages, filling, lock, place, quota
from respool._named.home import Home, homes
from respool._named.removal import bury, drop, shrink, sweep_graves, tidy
from respool.typing import ByteSize, PathLike


def rm(name: str, directory: PathLike | None = None) -> None:
    """Remove a named cache.

    The name is free at once (but while a ``fill`` of it runs, that is waited for). Who reads the cache,
    or reads its source into it, goes on with it; its files are removed when nobody uses them, by the next
    call that fills with a quota, removes or prunes there.

    Parameters
    ----------
    name
        As for :func:`respool.named`.
    directory
        As for :func:`respool.named`.

    Raises
    ------
    FileNotFoundError
        If there is none of that name.
    TypeError, ValueError
        If the name is none, or the directory is no path.
    FileExistsError
        If the directory is a log that :func:`respool.cache` made or that of a name, or what has the name in
        it was not put there by :func:`respool.named`.
    PermissionError
        If the directory, or what is there by that name, is not yours alone, or is a symbolic link.
    OSError
        If somebody has a log of it open that has files in it which respool did not put there.
    RuntimeError
        If the ``fill`` of the name removes it.

    Notes
    -----
    What respool did not put into the directory of the name stays there, and so does the directory then.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa, respool
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     fill = lambda: pa.table({"id": [1, 2, 3]})
    ...     with respool.named("orders", fill, directory=directory) as orders:
    ...         _ = orders.ingest_all()
    ...     respool.rm("orders", directory)
    ...     respool.ls(directory)
    []
    """
    root = place.root(directory)
    home = Home.of(root, name)
    filling.refuse(home, "removes")
    was_there = False
    # Looked at before it is locked: to lock it would make it.
    if place.is_root_there(root) and home.is_there() and home.is_begun():
        with lock.held(home.path, None):
            was_there = home.top() is not None
            bury(home)
        sweep_graves(root)
    if not was_there:
        raise FileNotFoundError(
            errno.ENOENT, f"no cache is named {name!r}; respool.ls tells what is in", str(root)
        )


def prune(
    *,
    max_bytes: ByteSize | None = None,
    older_than: float | dt.timedelta | None = None,
    directory: PathLike | None = None,
) -> list[str]:
    """Remove named caches that were not used for long, and what nobody uses any more.

    Caches that somebody has open stay.

    Parameters
    ----------
    max_bytes
        Bytes, or text such as ``"50 GiB"``: the least recently used go until all of them take no more; other
        files in the directory don't count. ``"10%"`` is a share of the whole disk, not of what the caches take now.
    older_than
        Seconds, or a ``datetime.timedelta``: what :func:`respool.named` did not give for so long goes.
    directory
        As for :func:`respool.named`.

    Returns
    -------
    list[str]
        The names that are gone.

    Raises
    ------
    FileExistsError
        If the directory is itself a log, or that of a name.
    PermissionError
        If the directory is not yours alone, or is a symbolic link.
    TypeError, ValueError
        If a size or a span is none, or the directory is no path.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa, respool
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     fill = lambda: pa.table({"id": [1, 2, 3]})
    ...     for name in ("orders", "trips"):
    ...         with respool.named(name, fill, directory=directory) as cache:
    ...             _ = cache.ingest_all()
    ...     respool.prune(older_than=3600, directory=directory)
    ...     respool.prune(max_bytes=0, directory=directory)
    []
    ['orders', 'trips']
    """
    root = place.root(directory)
    oldest = ages.seconds(older_than, "older_than")
    if max_bytes is not None:
        quota.bytes_of(max_bytes, None, "max_bytes")
    return let_go(root, max_bytes, oldest)


def let_go(
    root: Path,
    max_bytes: ByteSize | None,
    oldest: float | None,
    is_meant: Callable[[Home], bool] = lambda _: True,
) -> list[str]:
    """Remove as :func:`prune`, and of the names that have something only those that are meant."""
    if not place.is_root_there(root):
        return []
    most = None if max_bytes is None else quota.bytes_of(max_bytes, root, "max_bytes")
    sweep_graves(root)
    now = time.time()
    gone = []
    for home in homes(root):
        is_there = home.top() is not None
        if home.used() > now:
            # Noted by a clock that was wrong: it would not be old for as long as that was ahead.
            home.use()
        is_doomed = partial(_is_doomed, home, now, oldest, is_meant)
        if not is_doomed():
            tidy(home)
        elif drop(home, is_doomed) is not None and is_there:
            gone.append(home.name)
    if most is not None:
        gone += shrink(root, most, is_meant=is_meant)
    return gone


def _is_doomed(
    home: Home, now: float, oldest: float | None, is_meant: Callable[[Home], bool]
) -> bool:
    """Tell whether a name has nothing, or is meant and was not used for so many seconds."""
    if home.top() is None:
        return True
    return oldest is not None and now - min(now, home.used()) >= oldest and is_meant(home)
