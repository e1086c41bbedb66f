"""Which log is meant: by its path, or by the name of a cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import respool
from respool import _native, _ours, _pickle
from respool._named import layout, whole
from respool.exceptions import CorruptLogError, IncompleteStreamError

if TYPE_CHECKING:
    from respool import StreamCache
    from respool.typing import PathLike


@dataclass(frozen=True)
class Log:
    """A log as it was when it was looked at.

    Attributes
    ----------
    cache
        Holds the log: what somebody removes or replaces meanwhile stays for as long as this does.
    batches, rows
        How much there was; of a log that grows, more may have come since.
    """

    cache: StreamCache
    path: str
    identity: bytes
    batches: int
    rows: int
    is_whole: bool


def found(where: PathLike, directory: PathLike | None, *, prefix: bool) -> Log:
    """Open a log whose index says how much there is, without a look at its batches.

    Parameters
    ----------
    where
        The path of a log, or of the directory of a name; or else the name of a cache.
    directory
        Where named caches are; None is the usual place.
    prefix
        Take what there is of a log that has not ended, or that failed.

    Raises
    ------
    FileNotFoundError
        If there is no such log.
    TypeError
        If it is neither a path nor a name.
    IncompleteStreamError
        If it is not whole and ``prefix`` is false.
    CorruptLogError
        If it is damaged, or a file of it is missing or too short.
    """
    path = _path(where, directory)
    about = _native._peek(path)  # noqa: SLF001
    state, batches, rows = about["state"], about["batches"], about["rows"]
    if state != "complete" and not prefix:
        amount = f"{batches} {'batch' if batches == 1 else 'batches'} so far"
        raise IncompleteStreamError(
            f"the log in {path} is not whole ({_STATES[state]}, {amount}): read what there is with prefix=True",
            (batches, rows),
        )
    if state == "complete" and (segment := whole.missing(path)) is not None:
        raise CorruptLogError(5, whole.MISSING, os.fspath(segment))
    cache = _ours.find(about["identity"]) or _native.open(path, memory=0)
    there = cache._place_of_log  # noqa: SLF001
    if there is None or there[1] != about["identity"]:
        raise FileNotFoundError(2, "another log was put in its place just now", os.fspath(path))
    # What is read in this process is read through this cache.
    _pickle.share(cache, *there)
    return Log(cache, there[0], there[1], batches, rows, state == "complete")


_STATES = {
    "growing": "it is being written",
    "abandoned": "its writer left it",
    "failed": "its source failed",
}


def _path(where: PathLike, directory: PathLike | None) -> Path:
    if not isinstance(where, str | bytes | os.PathLike):
        what = (
            f"what is read is the path of a log or the name of a cache, not {type(where).__name__}"
        )
        is_cache = isinstance(where, respool.StreamCacheView)
        raise TypeError(f"{what}: give its path, cache.path" if is_cache else what)
    text = os.fsdecode(where)
    path = Path(text).expanduser().absolute()
    if directory is None and layout.is_log(path):
        return path
    if directory is None and layout.is_home(path):
        # The path of a name, as `respool.ls` tells it.
        path, text, directory = path.parent, path.name, path.parent
    elif os.sep in text or isinstance(where, os.PathLike):
        raise FileNotFoundError(2, "there is no log", text)
    try:
        with respool.named(text, directory=directory, memory=0) as cache:
            there = cache.path
    except FileNotFoundError as error:
        if directory is None:
            error.add_note(f"There is no log at {path} either.")
        raise
    if there is None:
        raise FileNotFoundError(2, "there is no log", text)
    return there
