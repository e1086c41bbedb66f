"""The directory of one name.

It holds a file to lock, with the mark that makes it ours, and numbered directories, each for one log. The
highest that is a log is the current one. A log is there or not by the renaming of its manifest, so there is
always one whole answer. The last that is whole stays until a newer one is.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from respool import _native
from respool._named import layout, names, place, whole
from respool.exceptions import CorruptLogError, RespoolError


@dataclass(frozen=True)
class Found:
    """A log, as its manifest and its index say."""

    number: int
    path: Path
    about: dict[str, Any]

    @property
    def state(self) -> str:
        """One of growing, abandoned, complete, failed."""
        return str(self.about["state"])


@dataclass(frozen=True)
class Home:
    """What is known by one name."""

    name: str
    path: Path

    @classmethod
    def of(cls, root: Path, name: str) -> "Home":
        """Return the home of a name, which need not be there."""
        return cls(name, root / names.directory_of(names.check(name)))

    def is_begun(self) -> bool:
        """Tell whether it was made for the name: it has our file to lock, which is there before all others."""
        return layout.is_home(self.path)

    def is_there(self) -> bool:
        """Tell whether there is a directory for the name.

        Raises
        ------
        FileExistsError
            If it was not made for the name, but holds files of another purpose.
        NotADirectoryError, PermissionError
            If it is none, or not ours.
        """
        if not place.is_there(self.path):
            return False
        with suppress(FileNotFoundError):
            # Asked again, as somebody may make it just now.
            while not (self.is_begun() or layout.is_free(self.path) or self.is_begun()):
                said = layout.strangers(self.path)
                # Nor may it have been taken away and made anew.
                if not (self.is_begun() or layout.is_free(self.path)):
                    raise FileExistsError(
                        errno.EEXIST,
                        f"{said}, so nothing can be named {self.name!r} in this place",
                        str(self.path),
                    )
            return True
        return False

    def numbers(self) -> list[int]:
        """Return the numbers of its logs, and of directories that never became one, highest first."""
        return [
            number for number in layout.numbers(self.path) if layout.is_directory(self.log(number))
        ]

    def next_number(self) -> int:
        """Return a number that is higher than those of all logs, and that nothing else has."""
        taken = set(layout.numbers(self.path))
        number = max((one for one in taken if layout.is_log(self.log(one))), default=0) + 1
        while number in taken:
            number += 1
        return number

    def log(self, number: int) -> Path:
        """Return where a log is."""
        return self.path / f"{number:08}"

    def found(self, number: int) -> Found | None:
        """Return a log; None if it is not there.

        Raises
        ------
        CorruptLogError, ValueError
            If it is damaged, or of a newer version.
        PermissionError
            If it is not ours.
        """
        path = self.log(number)
        with suppress(FileNotFoundError):
            return Found(number, path, _native._peek(path))  # noqa: SLF001
        return None

    def current(self) -> Found | None:
        """Return the current log; None if there is none.

        Raises
        ------
        CorruptLogError, PermissionError, ValueError
            As :meth:`found`.
        """
        return next(filter(None, map(self.found, self.numbers())), None)

    def last(self) -> Found | None:
        """Return the newest log that is whole, which stays until another one is; None if there is none."""
        for number in self.numbers():
            with suppress(RespoolError, OSError, RuntimeError, ValueError):
                found = self.found(number)
                if (
                    found is not None
                    and found.state == "complete"
                    and whole.missing(found.path) is None
                ):
                    return found
        return None

    def needed(self) -> list[int]:
        """Return the numbers of the logs that stay, highest first: the current one, and the last that is whole.

        Of those above the last whole one what somebody fills may be whole in a moment, and what can't be looked at now
        may be whole too.
        """
        needed: list[int] = []
        for number in self.numbers():
            is_whole, may_be_whole = False, True
            try:
                found = self.found(number)
                if found is None:
                    continue
                is_whole = found.state == "complete" and whole.missing(found.path) is None
                may_be_whole = is_whole or found.state == "growing"
            except CorruptLogError:
                may_be_whole = False
            except (OSError, RuntimeError, ValueError):
                pass
            if may_be_whole or not needed:
                needed.append(number)
            if is_whole:
                break
        return needed

    def top(self) -> int | None:
        """Return the number of the current log, readable or not; None if there is none."""
        for number in self.numbers():
            if layout.may_be_log(self.log(number)):
                return number
        return None

    def size(self) -> int:
        """Return the bytes of its logs, of what is left of others, and of its file to lock."""
        logs = (self.log(number) for number in self.numbers())
        own = sum(size_of(log) for log in logs if layout.may_be_log(log) or layout.is_ours(log))
        return own + (len(layout.MARK) if self.is_begun() else 0)

    def use(self) -> None:
        """Note that it is used now, in the file to lock."""
        # On a file system that can only be read this matters to nobody.
        with suppress(OSError):
            os.utime(self.path / layout.LOCK, follow_symlinks=False)

    def used(self) -> float:
        """Return when it was used last, in seconds since 1970; 0 if it is gone."""
        for path in (self.path / layout.LOCK, self.path):
            with suppress(FileNotFoundError):
                return path.lstat().st_mtime
        return 0.0


def homes(root: Path) -> Iterator[Home]:
    """Yield what is in a directory of named caches, in the order of the names.

    What is not ours is passed over: links, others' directories, directories of another purpose.
    """
    try:
        with place.explained("cannot list it"):
            found = sorted(path.name for path in root.iterdir())
    except FileNotFoundError:
        return
    place.check_root(root)
    for directory in found:
        name = names.name_of(directory)
        with suppress(OSError):
            if name is None:
                continue
            home = Home(name, root / directory)
            place.check(home.path)
            if home.is_begun():
                yield home


def size_of(directory: Path) -> int:
    """Return the bytes of all files in a directory and below it. Links are not followed.

    What can't be looked at counts for nothing: it is not a log's.
    """
    total = 0
    pending = [directory]
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    there = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(there.st_mode):
                        pending.append(Path(entry.path))
                    else:
                        total += there.st_size
    return total
