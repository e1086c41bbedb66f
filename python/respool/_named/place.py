"""Where named caches are: a directory that is ours alone."""

from __future__ import annotations

import errno
import importlib.util
import os
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from respool._named import layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respool.typing import PathLike

_VARIABLE = "RESPOOL_CACHE_DIR"


def root(directory: PathLike | None) -> Path:
    """Return the directory that holds named caches, without a look at it.

    Parameters
    ----------
    directory
        The caller's; if None, what ``RESPOOL_CACHE_DIR`` says, or else ``respool`` where the platform
        has its caches.

    Raises
    ------
    ValueError
        If the text is empty or has a NUL, or begins with the home of nobody; or the variable has a relative path; or
        nothing is said and this user has no home.
    TypeError
        If the caller's is no path.
    NotImplementedError
        Where processes have no locks that end with them, as on Windows.
    """
    if importlib.util.find_spec("fcntl") is None:
        raise NotImplementedError(
            "caches with a name need Linux or macOS, as do logs with a path; here a cache lasts as long as its "
            "process: respool.cache(source)"
        )
    if directory is not None:
        return _at_home(_text(directory), "directory").absolute()
    if text := os.environ.get(_VARIABLE):
        chosen = _at_home(text, _VARIABLE)
        # It is there for all processes, wherever each of them works.
        if not chosen.is_absolute():
            raise ValueError(
                f"{_VARIABLE} is an absolute path, or begins with ~, so that it is one place for every "
                f"process, not {text!r}"
            )
        return chosen
    return _caches() / "respool"


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Say of an error of the system what could not be done, and where it can."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno is None or error.strerror != os.strerror(error.errno):
            raise
        raise _unable(what, error) from None


def _unable(what: str, error: OSError) -> OSError:
    return OSError(
        error.errno,
        f"{what}: {error.strerror}; named caches are in a directory that is yours to write, which "
        f"directory= or {_VARIABLE} names",
        error.filename,
    )


def _text(directory: PathLike) -> str:
    try:
        return os.fsdecode(directory)
    except TypeError:
        raise TypeError(
            f"directory is the path of a directory, as str, bytes or os.PathLike, not {type(directory).__name__}"
        ) from None


def _at_home(text: str, what: str) -> Path:
    """Return a path, in which ``~`` at the beginning is a home, as in a shell."""
    if not text:
        raise ValueError(f"{what} is the path of a directory, not empty; '.' is the current one")
    if "\0" in text:
        raise ValueError(f"{what} is the path of a directory, and none has a NUL in it: {text!r}")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{what} begins with the home of a user who is not there: {text!r}; './~' begins a relative "
            "path with such a name"
        ) from None


def _caches() -> Path:
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches"
    # The XDG Base Directory Specification: a relative path counts as none.
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return chosen if chosen.is_absolute() else _home() / ".cache"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise ValueError(
            f"there is no place for named caches, as user {os.getuid()} has no home: set {_VARIABLE}, or "
            "pass directory="
        ) from None


def is_there(directory: Path) -> bool:
    """Tell whether a directory is there.

    Raises
    ------
    FileExistsError, NotADirectoryError, PermissionError
        As :func:`check`.
    """
    try:
        check(directory)
    except FileNotFoundError:
        return False
    return True


def is_root_there(root: Path) -> bool:
    """Tell whether a directory for named caches is there.

    Raises
    ------
    FileExistsError, NotADirectoryError, PermissionError
        As :func:`check_root`.
    """
    if not is_there(root):
        return False
    _refuse_home(root)
    return True


def nearest(directory: Path) -> Path:
    """Return the directory, or the first above it that is there."""
    return next((path for path in (directory, *directory.parents) if path.exists()), directory)


def made(directory: Path) -> Path:
    """Return a directory that is ours; make it, for nobody but us, if there is none.

    Raises
    ------
    FileNotFoundError
        If the directory that it is to be in is not there.
    FileExistsError, PermissionError
        As :func:`check`.
    """
    while True:
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            sync(directory.parent)
        # Somebody may remove what was there just now; what it is to be in is missed by `mkdir`.
        with suppress(FileNotFoundError):
            check(directory)
            return directory


def made_with_parents(directory: Path) -> Path:
    """Return a directory that is ours; make it, and those above it, where they are missing.

    Raises
    ------
    FileExistsError, PermissionError
        As :func:`check`.
    OSError
        If it can't be made.
    """
    what = "cannot make the directory"
    try:
        with explained(what):
            missing = [path for path in directory.parents if not path.exists()]
            directory.parent.mkdir(parents=True, exist_ok=True)
            for path in missing:
                sync(path.parent)
            return made(directory)
    except FileNotFoundError as error:  # as in /proc, where nothing can be made
        raise _unable(what, error) from None


def sync(directory: Path) -> None:
    """Let what was made in a directory be there after a power failure."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    except PermissionError:  # one may make something in what one may not list
        return
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems have no such thing for directories.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)


@explained("cannot look at it")
def check(directory: Path) -> None:
    """Refuse a directory in which somebody else may have put something.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    NotADirectoryError, PermissionError
        If it is no directory but a file or a link, belongs to another user, or others may write to it.
    FileExistsError
        If it is itself a log, which nobody named.
    """
    check_ours(directory)
    if layout.is_log(directory):
        raise FileExistsError(
            errno.EEXIST,
            "it is itself a log, made with respool.cache(source, path=...) and known by no name: "
            "respool.open opens it; named caches are kept elsewhere",
            str(directory),
        )


def check_ours(directory: Path) -> None:
    """Refuse a directory that is not ours alone.

    Raises
    ------
    FileNotFoundError, NotADirectoryError, PermissionError
        As :func:`check`.
    """
    # Not followed: whoever may make a link there could lead us anywhere.
    there = directory.lstat()
    if stat.S_ISLNK(there.st_mode):
        raise _refusal(
            directory, "it is a symbolic link, which may lead anywhere; name the place itself"
        )
    if not stat.S_ISDIR(there.st_mode):
        raise NotADirectoryError(20, "it is not a directory", str(directory))
    if there.st_uid != os.geteuid():
        raise _refusal(
            directory,
            f"it belongs to user {there.st_uid}, and this process runs as user {os.geteuid()}",
        )
    if there.st_mode & 0o022:
        mode = stat.S_IMODE(there.st_mode)
        raise _refusal(
            directory,
            f"others may write to it (mode {mode:04o}); take that right away with chmod go-w",
        )


def check_root(root: Path) -> None:
    """Refuse a directory that is none for named caches.

    Raises
    ------
    FileNotFoundError, NotADirectoryError, PermissionError, FileExistsError
        As :func:`check`, and if it is the directory of a name.
    """
    check(root)
    _refuse_home(root)


def _refuse_home(root: Path) -> None:
    if layout.is_home(root):
        raise FileExistsError(
            errno.EEXIST,
            f"it is the directory of the name {root.name!r}, which holds the logs of that name alone: "
            "directory= is the one that it is in",
            str(root),
        )


def _refusal(directory: Path, reason: str) -> PermissionError:
    return PermissionError(13, f"no caches are kept here: {reason}", str(directory))
