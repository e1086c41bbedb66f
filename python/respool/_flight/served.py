"""One cache or view that is served: which it is, and how far it has come."""

from __future__ import annotations

import hashlib
import secrets
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from respool import _fork
from respool._flight import told
from respool._flight.library import flight
from respool._flight.pull import Pull

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from respool import StreamCache, StreamCacheView
    from respool._flight.told import Kind


@dataclass(frozen=True)
class Extent:
    """How far a source has come: its batches, and whether they are all."""

    state: Literal["growing", "complete", "failed"]
    batches: int


class ClosedError(Exception):
    """The cache was closed, by whoever it is of or with the server."""


class Served:
    """A cache or a view under a name.

    Attributes
    ----------
    identity
        Of a kept log its own, so that it is the same after a restart; of a cache without a path one of chance, the
        same for as long as there is that cache; of a view, made of that and of what is shown.
    """

    def __init__(self, name: str, view: StreamCacheView, *, is_ours: bool) -> None:
        self.name = name
        self.view = view
        self.cache: StreamCache = view.cache
        self.is_whole = view is self.cache
        self.is_ours = is_ours
        self.identity = _identity(view)
        self.pull = Pull(self.cache)
        place = self.cache._place_of_log  # noqa: SLF001
        self.hidden: dict[str, str] = {} if place is None else {str(place[0]): f"{name!r}"}

    @property
    def schema(self) -> pa.Schema:
        """The schema of every batch, before columns are selected."""
        return self.view.schema

    def extent(self) -> Extent:
        """Return how far the source has come. A slice may be complete before its source is.

        Raises
        ------
        ClosedError
            If the cache was closed: it has no batches then, and how it ended it still says.
        """
        cache = self.cache
        # How it ended first: what is stored by then is all.
        is_complete, error = self.view.complete, cache.error
        batches = cache.ingested_count
        self._check_open()
        if is_complete:
            return Extent("complete", batches)
        return Extent("growing" if error is None else "failed", batches)

    def _check_open(self) -> None:
        if self.cache.closed:
            raise ClosedError

    @contextmanager
    def open_for(self, kind: Kind) -> Iterator[None]:
        """Tell a client that the cache was closed, whatever error that is in here.

        Raises
        ------
        FlightError
            Of this kind. What the server opened it closes when it is closed itself, so that is asked for again.
        """
        try:
            self._check_open()
            yield
        except (flight.FlightError, GeneratorExit):
            raise
        except Exception:
            if not self.cache.closed:
                raise
            if self.is_ours:
                raise told.refusal("the server is being closed", "closing") from None
            raise told.refusal(f"the cache {self.name!r} was closed on the server", kind) from None

    def is_over(self) -> bool:
        """Tell whether it will never be more than it is, though somebody may go on with its log."""
        return self.is_ours and (self.cache.closed or self.cache.error is not None)

    def stop(self) -> None:
        """End what waits for the source; close what was opened for this server."""
        self.pull.stop()
        if self.is_ours:
            self.cache.close()


_CHANCE: dict[weakref.ref[StreamCache], bytes] = {}
"""Identities of caches whose log has none, for as long as there is such a cache: whatever server has it.

No WeakKeyDictionary: that calls Python when a cache goes, where Ctrl-C is lost.
"""

# What a child has of such a cache is a copy, which goes ways of its own.
_fork.in_child(_CHANCE.clear)


def _identity(view: StreamCacheView) -> str:
    cache = view.cache
    place = cache._place_of_log  # noqa: SLF001
    identity = place[1] if place else _by_chance(cache)
    if view is cache:
        return identity.hex()
    return hashlib.blake2b(identity + view._saved(), digest_size=16).hexdigest()  # noqa: SLF001


def _by_chance(cache: StreamCache) -> bytes:
    for gone in [one for one in list(_CHANCE) if one() is None]:
        _CHANCE.pop(gone, None)
    return _CHANCE.setdefault(weakref.ref(cache), secrets.token_bytes(16))
