"""Taking logs away, but from nobody who uses them; and never a file that is not one of a log's."""

import errno
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from respool import _native
from respool._named import layout, lock, place
from respool._named.home import Home, homes

_REMOVED = ".removed-"
"""Begins the names of directories with logs that had a name. No name begins so."""

_GRAVE = re.compile(r"\.removed-[0-9a-f]{16}")


def discard(log: Path) -> bool:
    """Remove a log, unless somebody uses it. To be called under the lock of its name.

    Returns
    -------
    bool
        Whether it is gone.
    """
    with suppress(OSError, ValueError):
        return _native._remove_log(log)  # noqa: SLF001
    # It can't be read, or not be removed. Or there is nothing in it: who began it, or removed it, was killed.
    with suppress(OSError):
        log.rmdir()
    return not log.exists()


def sweep(home: Home, *keep: int | None) -> None:
    """Remove the logs of a name that nobody uses, but for some. To be called under its lock."""
    for number in home.numbers():
        if number not in keep:
            discard(home.log(number))


def tidy(home: Home) -> None:
    """Remove what a name had before, if nobody uses it, nor fills the name."""
    if len(home.numbers()) < 2:  # noqa: PLR2004
        return
    # Whatever is in the way, another call will do it.
    with suppress(OSError), lock.held(home.path, 0):
        sweep(home, *home.needed())


def bury(home: Home) -> Home:
    """Let a name be known no more; remove what nobody uses. To be called under its lock.

    What is not a log's stays where it is. So does a log that somebody uses where such things are in it.

    Returns
    -------
    Home
        Where the logs are that somebody uses, if there are any.

    Raises
    ------
    OSError
        If a log stays.
    """
    grave = _entomb(home, [])
    if (top := home.top()) is not None:
        raise _stuck(home.log(top))
    # From here on somebody else may lock the name, and fill it.
    _let_go(home)
    return grave


def _entomb(home: Home, known: list[Path]) -> Home:
    """Move logs of a name to a grave, all but those, and remove there what nobody uses."""
    grave = Home(home.name, home.path.with_name(_REMOVED + secrets.token_hex(8)))
    for number in home.numbers():
        # What can't be removed would take room for good where nobody sees it. All of them first: else there would be
        # half a name.
        if layout.is_log(home.log(number)):
            place.check_ours(home.log(number))
    # The current one last: until it is gone, nothing older is found.
    for number in sorted(home.numbers()):
        log = home.log(number)
        if log in known:
            continue
        if layout.is_log(log) and layout.is_ours(log):
            # Moved first, so that nobody meets one that is half removed. Readers keep their directories open, and
            # find their files wherever those are moved.
            _move(log, grave.path)
        else:
            discard(log)
    _sweep_grave(grave)
    return grave


def _move(log: Path, grave: Path) -> None:
    while True:
        try:
            with place.explained("cannot remove what the name had"):
                log.rename(place.made(grave) / log.name)
        except FileNotFoundError:
            # Who sweeps graves may have taken this one, which had nothing in it yet.
            if not layout.is_directory(log):
                raise
        else:
            return


def _stuck(log: Path) -> OSError:
    strangers = ", ".join(layout.in_log(log))
    return OSError(
        errno.EBUSY,
        f"somebody has the log open, and what respool did not put there can't be moved with it ({strangers}): "
        "move that elsewhere, or close the cache",
        str(log),
    )


def drop(home: Home, is_doomed: Callable[[], bool] = lambda: True) -> int | None:
    """Let a name go, unless somebody uses its current log, or is about to fill it.

    Parameters
    ----------
    home
        Of the name.
    is_doomed
        Asked again under the lock: whoever wants the name gone has looked at it without.

    Returns
    -------
    int
        The bytes that are free now; None if it stays.
    """
    # One that can't be locked, whatever the reason, is no reason to spare the others.
    with suppress(OSError), lock.held(home.path, 0):
        if not is_doomed():
            return None
        before = home.size()
        known = [home.log(number) for number in home.needed()]
        # First, or what was replaced would come back if this process were killed in between.
        _entomb(home, known)
        if all(map(discard, known)):
            grave = bury(home)
            return before - grave.size() - home.size()
    return None


def taken(root: Path) -> int:
    """Return the bytes of all logs that have a name in a directory, or had one. What else is there does not count."""
    return sum(home.size() for home in homes(root)) + sum(grave.size() for grave in graves(root))


def shrink(
    root: Path,
    most: int,
    keep: Home | None = None,
    is_meant: Callable[[Home], bool] = lambda _: True,
) -> list[str]:
    """Let the least recently used of those that are meant go, until all together take no more than so many bytes.

    Returns
    -------
    list[str]
        The names that are gone. Who is used stays, so there may be more bytes than wanted.
    """
    dropped = []
    left = taken(root)
    for home in sorted(homes(root), key=lambda home: (home.used(), home.name)):
        if left <= most:
            break
        if home == keep or not is_meant(home):
            continue
        is_there, logs = home.top() is not None, home.numbers()
        if (freed := drop(home, partial(is_meant, home))) is not None:
            left -= freed
            if is_there:
                dropped.append(home.name)
        elif home.numbers() != logs:
            # It stays, but what it had besides is gone.
            left = taken(root)
    return dropped


def graves(root: Path) -> list[Home]:
    """Return what was buried in a directory."""
    found = []
    with suppress(FileNotFoundError):
        for path in root.iterdir():
            if _GRAVE.fullmatch(path.name):
                with suppress(OSError):
                    place.check(path)
                    found.append(Home(path.name, path))
    return found


def sweep_graves(root: Path) -> None:
    """Remove of what was buried what nobody uses any more."""
    for grave in graves(root):
        _sweep_grave(grave)


def _sweep_grave(home: Home) -> None:
    # Nobody fills it: the name was under a lock when it was buried, and is not found here.
    sweep(home)
    with suppress(OSError):
        home.path.rmdir()


def _let_go(home: Home) -> None:
    """Remove the directory of a name that has no logs, unless something else is in it: then it stays the name's."""
    with suppress(OSError):
        if [path.name for path in home.path.iterdir()] == [layout.LOCK] and home.is_begun():
            (home.path / layout.LOCK).unlink()
            home.path.rmdir()
