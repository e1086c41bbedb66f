"""Who may change what a name stands for: one at a time, of all threads and processes."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from weakref import WeakValueDictionary

from respool import _fork
from respool._named import layout, place

with suppress(ImportError):  # there are no named caches without it: see `place.root`
    import fcntl

_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05

PATIENCE = 0.05
"""Seconds that somebody may have the lock of a name to look at it, or to tidy up. Who fills it has it for longer."""

_OPEN: WeakValueDictionary[int, FileIO] = WeakValueDictionary()
"""The files to lock that this process has open, locked or not: of a locked one a child would have a copy."""

_OPENING: list[Path] = []
"""Those that are being opened: a child that another thread forks then has one that nothing stands for yet."""

_HELD: WeakValueDictionary[int, FileIO] = WeakValueDictionary()
"""The locks that this process holds. One that Ctrl-C left behind is closed when nobody has it any more."""


def _of(handles: WeakValueDictionary[int, FileIO]) -> list[FileIO]:
    # The references at once: other threads change what is held while one goes through it.
    return [handle for it in handles.valuerefs() if (handle := it()) is not None]


@contextmanager
def held(home: Path, timeout: float | None, *, patience: float = 0) -> Iterator[None]:
    """Hold the lock of a name's directory, which is made if it is missing.

    The lock is tried and tried again instead of waited for, so that Ctrl-C ends the waiting.

    Parameters
    ----------
    home
        The directory.
    timeout
        Seconds to wait for it; None has no end.
    patience
        Seconds to wait for it at least.

    Raises
    ------
    TimeoutError
        If somebody else holds it for longer than so many seconds.
    PermissionError
        If the directory is not ours.
    FileExistsError
        If the file to lock is somebody else's.
    """
    process = os.getpid()
    end = None if timeout is None else time.monotonic() + max(timeout, patience)
    pause = _FIRST_PAUSE
    handle = None
    try:
        while (handle := _tried(home)) is None:
            if end is not None and time.monotonic() >= end:
                path = home / layout.LOCK
                is_here = any(other.name == path for other in _of(_HELD))
                who = "another thread of this process" if is_here else "another process"
                raise TimeoutError(
                    errno.ETIMEDOUT,
                    f"{who} is filling what has the name, and was not ready in {timeout:g} seconds: "
                    "ask again, or give it longer with timeout=",
                    str(home),
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        yield
    finally:
        # A child that was forked meanwhile has closed it, and it is not the child's to unlock.
        if handle is not None and os.getpid() == process:
            _HELD.pop(id(handle), None)
            _let_go(handle)


def is_held(home: Path) -> bool:
    """Tell whether somebody holds the lock of a name's directory. Takes it for a moment, if nobody does."""
    try:
        # To be written to: NFS locks no other for one alone.
        handle = os.open(home / layout.LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(handle, fcntl.LOCK_UN)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _tried(home: Path) -> FileIO | None:
    path = home / layout.LOCK
    with place.explained("cannot make the directory of the name"):
        place.made(home)
    _OPENING.append(path)
    try:
        with place.explained("cannot lock the name"):
            handle = FileIO(path, "r+", opener=_opener)
        # Before it is locked: a child that another thread forks in between has to know of it.
        _OPEN[id(handle)] = handle
    except FileNotFoundError:  # the directory was removed just now
        return None
    finally:
        _OPENING.remove(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Of a name that was removed meanwhile this locks a file that nobody finds any more.
        if os.path.samestat(os.fstat(handle.fileno()), path.lstat()):
            _mark(home, handle.fileno())
            _HELD[id(handle)] = handle
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        _let_go(handle)
        raise
    _let_go(handle)
    return None


def _let_go(handle: FileIO) -> None:
    # Not by closing alone: of what a child has a copy, that would leave it locked.
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_UN)
    _OPEN.pop(id(handle), None)
    handle.close()


def sync(home: Path) -> None:
    """Let the directory of a name, and its mark, be there after a power failure. To be called before a log is begun.

    Who made them may have been killed before it had.
    """
    handle = os.open(home / layout.LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    place.sync(home)
    place.sync(home.parent)


def _mark(home: Path, lock: int) -> None:
    """Make the directory that of a name by what is in its file to lock, if that was made just now."""
    if layout.is_home(home):
        return
    if not layout.is_free(home):
        raise FileExistsError(errno.EEXIST, layout.strangers(home), str(home))
    with place.explained("cannot mark the directory of the name"):
        # Without all of it the logs would be nobody's; on the disk it is before the first of them: see `sync`.
        if os.pwrite(lock, layout.MARK, 0) < len(layout.MARK):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(home))


def _opener(path: str, _flags: int) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _forget() -> None:
    """Let a forked child hold nothing: a lock that it has a copy of would outlive its holder."""
    for handle in _of(_OPEN):
        with suppress(OSError):
            handle.close()
    for path in _OPENING:
        _close(path)
    _OPEN.clear()
    _HELD.clear()


def _close(path: Path) -> None:
    """Close a file by whatever number it is open."""
    with suppress(OSError):
        there = path.lstat()
        for number in [int(it.name) for it in Path("/dev/fd").iterdir()]:
            with suppress(OSError):  # that of the list itself is closed again
                if os.path.samestat(os.fstat(number), there):
                    os.close(number)


_fork.in_child(_forget)
