"""What is there by which name."""

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from respool._named import keys, place, whole
from respool._named.ages import time_of
from respool._named.home import Found, Home, homes, size_of
from respool._named.keys import Plain
from respool.exceptions import RespoolError
from respool.typing import PathLike


@dataclass(frozen=True)
class NamedCache:
    """What there is by a name, as :func:`respool.ls` tells. Times are in UTC.

    Attributes
    ----------
    name
        What :func:`respool.named` knows it by.
    path
        The directory of its log, for :func:`respool.open`.
    state
        ``"growing"``: somebody fills it. ``"complete"``. ``"abandoned"``: who filled it was closed or
        killed half way. ``"failed"``: the source failed. ``"unreadable"``: it is damaged, a file of
        it is missing, or it is of a newer version; only ``name``, ``path``, ``nbytes`` and ``used`` are told then.
    rows, batches
        What is stored.
    nbytes
        Bytes that its files take.
    created, used
        When it was begun to be filled, and when :func:`respool.named` gave it last.
    expires
        When it will be filled anew, by the ``ttl`` that it was filled with.
    key
        What it was filled for. None also if it has a key that this version can't read.
    metadata
        As it was given.
    failure
        What the source raised, if it failed.
    kept
        The directory of the last whole log, where that at ``path`` is not whole: what :func:`respool.named`
        falls back to until a newer one is whole. Its bytes count in ``nbytes``.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa, respool
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     with respool.named("orders", lambda: pa.table({"id": [1]}), directory=directory) as cache:
    ...         _ = cache.head(0)  # nobody reads it to its end
    ...     (orders,) = respool.ls(directory)
    >>> orders.name, orders.state, orders.rows, orders.expires
    ('orders', 'abandoned', 0, None)
    """

    name: str
    path: Path
    state: Literal["growing", "complete", "abandoned", "failed", "unreadable"]
    nbytes: int
    used: dt.datetime
    rows: int = 0
    batches: int = 0
    created: dt.datetime | None = None
    expires: dt.datetime | None = None
    key: Plain = None
    # A dict has no hash.
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)
    failure: str | None = None
    kept: Path | None = None

    def _repr_html_(self) -> str:
        # Imported when a notebook asks.
        from respool import _html  # noqa: PLC0415

        return _html.named(self)


def ls(directory: PathLike | None = None) -> list[NamedCache]:
    """List the named caches of a directory. Reads no data.

    Parameters
    ----------
    directory
        As for :func:`respool.named`.

    Returns
    -------
    list[NamedCache]
        In the order of their names. Empty if the directory is not there.

    Raises
    ------
    FileExistsError
        If the directory is itself a log, or that of a name.
    PermissionError
        If the directory is not yours alone, or is a symbolic link.
    TypeError, ValueError
        If the directory is no path.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa, respool
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     fill = lambda: pa.table({"id": [1, 2, 3]})
    ...     with respool.named("orders", fill, key=("EU", 2026), directory=directory) as orders:
    ...         _ = orders.ingest_all()
    ...     [(one.name, one.state, one.rows, one.key) for one in respool.ls(directory)]
    [('orders', 'complete', 3, ('EU', 2026))]
    """
    found = (_listed(home) for home in homes(place.root(directory)))
    return sorted((one for one in found if one is not None), key=lambda one: one.name)


def _listed(home: Home) -> NamedCache | None:
    seen = None
    while True:
        with suppress(RespoolError, OSError, ValueError):
            found = home.current()
            if found and (found.state != "complete" or whole.missing(found.path) is None):
                return _told(home, found)
        # It can't be read, or a file of it is missing; or there is none.
        if (top := home.top()) is None:
            return None
        if top == seen:
            break
        # It may have been removed just now, and this be another.
        seen = top
    path, kept = home.log(top), _kept(home, top)
    return NamedCache(
        name=home.name,
        path=path,
        state="unreadable",
        nbytes=size_of(path) + (size_of(kept) if kept else 0),
        used=time_of(home.used()),
        kept=kept,
    )


def _kept(home: Home, current: int) -> Path | None:
    last = home.last()
    return None if last is None or last.number == current else last.path


def _told(home: Home, found: Found) -> NamedCache:
    about = found.about
    key: Plain = None
    if about["key"] is not None:
        # Of a version that has more types of keys.
        with suppress(ValueError):
            key = keys.decode(about["key"])
    ttl = about["ttl"]
    kept = None if found.state == "complete" else _kept(home, found.number)
    return NamedCache(
        name=home.name,
        path=found.path,
        state=about["state"],
        nbytes=about["file_bytes"] + (size_of(kept) if kept else 0),
        used=time_of(home.used()),
        rows=about["rows"],
        batches=about["batches"],
        created=time_of(about["created"]),
        expires=None if ttl is None else time_of(about["created"] + ttl),
        key=key,
        metadata=about["metadata"],
        failure=about["failure"],
        kept=kept,
    )
