"""Room for one more log, where what names take together has a bound."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from respool._named import in_use, lock, removal
from respool._named.home import homes, size_of
from respool._named.removal import taken

if TYPE_CHECKING:
    from respool._named.home import Found, Home
    from respool._native import StreamCache
    from respool.exceptions import DiskCapacityError

_PATIENCE = 5.0
"""Seconds for the lock of a name that this process fills: nobody else fills it then."""

_FULL = 1 << 20
"""Bytes that a disk has left on which no log can begin before something else went."""


@dataclass
class Room:
    """The room for a log that is to be filled. To be used under the lock of its name.

    What it will take nobody knows. The least recently used go until there is room for twice what the
    name has now, if that is complete; or else for a quarter of the whole at least, so that what did not
    fit finds more room the next time. They go when the log has begun, so that one which can't costs nobody anything.

    Attributes
    ----------
    home
        Of the name.
    most
        What all names may take together.
    wanted
        Bytes that are to be there for the new log.
    last
        The last whole log of the name; None if it has none, or that is to stay no longer.
    stays
        Who has bytes that no removal frees, and how many.
    yields
        Whether the last whole log goes when the new one runs into its bound.
    removed
        What went for the new log.
    """

    home: Home
    most: int
    wanted: int
    last: Found | None
    stays: dict[str, int]
    yields: bool = False
    removed: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, home: Home, newest: Found | None, most: int) -> Room:
        """Look what there is, and what may go."""
        removal.sweep_graves(home.path.parent)
        last = home.last()
        wanted = 2 * max((size_of(log.path) for log in (newest, last) if log), default=0)
        if newest is None or newest.state != "complete":
            wanted = max(wanted, most // 4)
        return cls(home, most, wanted, last, _staying(home))

    def reach(self) -> int:
        """Return the bytes that there are at most, if all went that nobody uses; and remove nothing.

        Where the disk itself is full, they go now.
        """
        root = self.home.path.parent
        stays = sum(self.stays.values())
        if shutil.disk_usage(root).free < _FULL:
            self.removed += removal.shrink(root, self.most - self.wanted, keep=self.home)
        free = shutil.disk_usage(root).free + max(0, taken(root) - stays)
        return max(0, min(self.most - stays, free // 10 * 9))

    def refused(self, error: DiskCapacityError) -> DiskCapacityError:
        """Say of a log that has no room to begin what takes it."""
        stays = sum(self.stays.values())
        who = ", ".join(f"{name} {size}" for name, size in self.stays.items())
        of_them = f", of which {stays} are of what somebody uses ({who})" if stays else ""
        went = "" if self.removed else "; nothing was removed for it"
        return type(error)(
            error.errno,
            f"{error.strerror}; all names together may take {self.most} bytes{of_them}{went}",
            error.filename,
        )

    def make(self, cache: StreamCache, number: int, *, waits: bool) -> None:
        """Let go what is in the way of a log that has begun, and tell it what it may take.

        Parameters
        ----------
        cache
            Of the log.
        number
            Its number.
        waits
            Where there is no room for another one of its size, whether the last whole log of the name stays until
            :meth:`more` is called, as the new one has run into its bound. Else it goes now.
        """
        root, begun = self.home.path.parent, size_of(self.home.log(number))
        most = self.most - max(0, self.wanted - begun)
        self.removed += removal.shrink(root, most, keep=self.home)
        # Looked at now: another one may have become whole while this one began.
        last = self.home.last()
        self.last = last if last is not None and last.number != number else None
        keep = {number, *self.home.needed()}
        if self.last is not None:
            kept = size_of(self.last.path)
            self.yields = self.most - (taken(root) - self.home.size()) - kept < kept
            if self.yields and not waits:
                keep.discard(self.last.number)
                self.last = None
        removal.sweep(self.home, *keep)
        self._tell(cache, number)

    def more(self, cache: StreamCache, error: DiskCapacityError) -> bool:
        """Let the last whole log go for one that has run into its bound; tell whether there is more room then.

        To be called without the lock.
        """
        if self.last is None or not self.yields:
            return False
        with suppress(OSError), lock.held(self.home.path, _PATIENCE):
            current, there = self.home.current(), cache._place_of_log  # noqa: SLF001
            # Somebody may have removed the name meanwhile, and filled it anew. Or it is the source that has no room.
            is_ours = current and there and current.about["identity"] == there[1]
            if not current or not is_ours or error.filename != os.fspath(current.path):
                return False
            if removal.discard(self.last.path):
                self.removed.append(f"what {self.home.name} had")
                self.last = None
                self._tell(cache, current.number)
                return True
        return False

    def note(self, error: BaseException) -> None:
        """Say with an error what was removed before it."""
        if self.removed:
            error.add_note(f"removed to make room: {', '.join(self.removed)}")

    def _tell(self, cache: StreamCache, number: int) -> None:
        # Another process that fills an older one may have taken what was given back, and more.
        root, own = self.home.path.parent, size_of(self.home.log(number))
        free = shutil.disk_usage(root).free // 10 * 9 + own
        cache.resize(disk=max(0, min(self.most - (taken(root) - own), free)))


def _staying(home: Home) -> dict[str, int]:
    """Return who has bytes that no removal frees, and how many: what somebody uses.

    Where the system does not tell who holds a lock, as on macOS, that is nothing.
    """
    root = home.path.parent
    held = in_use.holders()

    def used(other: Home) -> int:
        logs = [other.log(number) for number in other.numbers()]
        in_use_now = {log for log in logs if in_use.processes(log, held)}
        top, last = other.top(), other.last()
        # What is known by a name stays as a whole.
        if other != home and last and top is not None and other.log(top) in in_use_now:
            in_use_now.add(last.path)
        return sum(map(size_of, in_use_now))

    found = {other.name: used(other) for other in homes(root)}
    found["what had a name"] = sum(map(used, removal.graves(root)))
    return {name: size for name, size in found.items() if size}
