"""What a server has, by names and by identities."""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import respool
from respool import _native, _ours
from respool._flight.served import Served
from respool._named import layout, names, place
from respool._native import StreamCacheView
from respool.exceptions import RespoolError

if TYPE_CHECKING:
    from respool import StreamCache
    from respool.typing import PathLike

MEMORY = "64 MiB"
"""For each log that a server opens: of a mapped one nothing is copied."""
_OPEN = 64
"""Logs that a server keeps open."""
_PATIENCE = 5.0
"""Seconds to wait for the lock of a name."""
_NO_LETTER = re.compile(r"[^A-Za-z0-9._-]")


class Shelf(Protocol):
    """Caches under names."""

    def names(self) -> list[str]:
        """Return all names."""

    def by_name(self, name: str) -> Served | None:
        """Return what has a name now."""

    def by_identity(self, identity: str) -> Served | None:
        """Return the very log, whatever name it has or had."""

    def close(self) -> None:
        """Close what was opened."""


class Given:
    """Caches and views that were handed over; whoever did closes them."""

    def __init__(self, caches: Mapping[str, StreamCacheView]) -> None:
        if not caches:
            raise ValueError("there is nothing to serve: the mapping of caches is empty")
        self._served: dict[str, Served] = {}
        for name, view in caches.items():
            if not isinstance(view, StreamCacheView):
                raise TypeError(
                    f"a server takes caches and views of them, not {type(view).__name__}: make a cache of it with "
                    "respool.cache(...)"
                )
            if view.cache.closed:
                raise ValueError(
                    f"the cache {name!r} is closed: make a new one, or open its log again where that is kept"
                )
            self._served[name] = Served(names.check(name), view, is_ours=False)

    def names(self) -> list[str]:
        return sorted(self._served)

    def by_name(self, name: str) -> Served | None:
        return self._served.get(name)

    def by_identity(self, identity: str) -> Served | None:
        found = (one for one in self._served.values() if one.identity == identity)
        return next(found, None)

    def close(self) -> None:
        for served in self._served.values():
            served.stop()


class _Opened:
    """Logs that a server opened, the last used ones."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._served: OrderedDict[str, Served] = OrderedDict()

    def find(self, identity: str) -> Served | None:
        with self._lock:
            served = self._served.get(identity)
            if served is None or served.is_over():
                return None
            self._served.move_to_end(identity)
            return served

    def enter(self, name: str, cache: StreamCache) -> Served:
        """Keep a cache that was opened, unless another thread has just opened the same log."""
        served = Served(name, cache, is_ours=True)
        with self._lock:
            there = self.find(served.identity)
            if there is not None:
                cache.close()
                return there
            self._served[served.identity] = served
            # Not closed: streams may go on with it, and it goes when they end.
            while len(self._served) > _OPEN:
                self._served.popitem(last=False)
            return served

    def close(self) -> None:
        with self._lock:
            for served in self._served.values():
                served.stop()
            self._served.clear()


def called(path: Path) -> str:
    """Return the name of a log: that of the named cache that it is of, or of its directory, as an id."""
    if layout.is_home(path.parent):
        name = names.name_of(path.parent.name)
        if name is not None:
            return name
    return (_NO_LETTER.sub("_", path.name).lstrip(".-") or "log")[:128]


class Log:
    """One kept log, under the name of its directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = called(path)
        self._opened = _Opened()

    def names(self) -> list[str]:
        return [self._name]

    def by_name(self, name: str) -> Served | None:
        return self._now() if name == self._name else None

    def by_identity(self, identity: str) -> Served | None:
        served = self._opened.find(identity) or self._now()
        return served if served is not None and served.identity == identity else None

    def close(self) -> None:
        self._opened.close()

    def _now(self) -> Served | None:
        try:
            identity: bytes = _native._peek(self._path)["identity"]  # noqa: SLF001
        except FileNotFoundError:
            return None
        return self._opened.find(identity.hex()) or self._opened.enter(
            self._name, _opened_at(self._path, identity)
        )


class Named:
    """A directory of named caches, as it is at the moment."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._opened = _Opened()

    def names(self) -> list[str]:
        return [one.name for one in respool.ls(self._root)]

    def by_name(self, name: str) -> Served | None:
        try:
            cache = respool.named(name, directory=self._root, timeout=_PATIENCE, memory=MEMORY)
        # Something else may have the name, such as a log that nobody named.
        except (FileNotFoundError, FileExistsError, NotADirectoryError):
            return None
        return self._opened.enter(name, cache)

    def by_identity(self, identity: str) -> Served | None:
        served = self._opened.find(identity)
        return served if served is not None else self._looked_for(identity)

    def close(self) -> None:
        self._opened.close()

    def _looked_for(self, identity: str) -> Served | None:
        for one in respool.ls(self._root):
            for path in filter(None, (one.path, one.kept)):
                try:
                    found: bytes = _native._peek(path)["identity"]  # noqa: SLF001
                    if found.hex() == identity:
                        return self._opened.enter(one.name, _opened_at(path, found))
                except (RespoolError, OSError, ValueError):
                    continue
        return None


def _opened_at(path: Path, identity: bytes) -> StreamCache:
    """Open a log, or share the cache of this process that fills it."""
    filling = _ours.share(identity)
    return respool.open(path, timeout=_PATIENCE, memory=MEMORY) if filling is None else filling


def _is_log(directory: Path) -> bool:
    try:
        return layout.is_log(directory)
    except OSError:
        # Nobody looks into it, such as lost+found where a disk is mounted.
        return False


def _refuse_logs(root: Path) -> None:
    """Refuse a directory of logs without names: none of them would be served, and nobody told."""
    log = next((one for one in sorted(root.iterdir()) if _is_log(one)), None)
    if log is not None and not respool.ls(root):
        raise ValueError(
            f"in {root} are no named caches but a log, {log.name!r}: serve it by its own path, or several as "
            "{'name': respool.open(path), ...}"
        )


def shelf_of(caches: Mapping[str, StreamCacheView] | PathLike) -> Shelf:
    """Make the shelf of what is to be served.

    Raises
    ------
    FileNotFoundError
        If a directory is not there.
    TypeError, ValueError
        If it is nothing that can be served.
    """
    if isinstance(caches, Mapping):
        return Given(caches)
    if isinstance(caches, StreamCacheView):
        raise TypeError("give the cache a name to be known by: serve({'name': cache})")
    if not isinstance(caches, str | bytes | os.PathLike):
        raise TypeError(
            "a server takes a mapping of names to caches, as in {'name': cache}, or a directory, not "
            f"{type(caches).__name__}"
        )
    if not os.fspath(caches):
        raise ValueError('a path is not empty: "." is the current directory')
    path = Path(os.fsdecode(caches)).expanduser().absolute()
    try:
        _native._peek(path)  # noqa: SLF001
    except FileNotFoundError:
        place.check_root(path)
        _refuse_logs(path)
        return Named(path)
    return Log(path)
