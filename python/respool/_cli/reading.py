"""Logs opened for those who want the rows: the whole of them, or what there is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from respool._cli import logs, shown, states, targets
from respool._cli.endings import Ending, Exit
from respool._cli.terminal import note
from respool._named import layout
from respool.exceptions import RespoolError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from respool import StreamCacheView
    from respool._cli.logs import Log
    from respool._cli.targets import Target

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Reading:
    """A log that is opened, and what it was then."""

    log: Log
    view: StreamCacheView


def settled(target: Target, look: Callable[[Target], Seen], is_odd: Callable[[Seen], bool]) -> Seen:
    """Look at a target. Where its log was removed meanwhile, that is no damage: look at what its word means then.

    Parameters
    ----------
    target
        What was found.
    look
        Looks at a target.
    is_odd
        Tells whether what was seen may come of a log that is gone.

    Raises
    ------
    Ending
        If there is nothing any more.
    """
    while True:
        before = _marks(target)
        try:
            seen = look(target)
        except (OSError, RespoolError):
            if _is_still(target, before):
                raise
        else:
            if not is_odd(seen) or _is_still(target, before):
                return seen
        target = targets.found(target.word, target.root)


def looked(target: Target) -> tuple[Target, Log]:
    """Return what there is of a target, as :func:`settled`."""
    return settled(
        target,
        lambda it: (it, logs.look(it.path)),
        lambda seen: seen[1].state in {"damaged", "unreadable"},
    )


def _marks(target: Target) -> list[tuple[int, ...] | None]:
    """Return what tells the log of a target, and those beside it, from others in their places; None for none."""
    paths = [target.path]
    if target.home is not None:
        with suppress(OSError):
            paths += map(target.home.log, target.home.numbers())
    return list(map(_mark, paths))


def _is_still(target: Target, marks: list[tuple[int, ...] | None]) -> bool:
    return marks[0] is not None and _marks(target) == marks


def _mark(path: Path) -> tuple[int, ...] | None:
    try:
        there = (path / layout.MANIFEST).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        # It may be there.
        return ()
    return there.st_dev, there.st_ino, there.st_ctime_ns


def kept(target: Target) -> Log | None:
    """Return the last whole log of a name, if that is not the current one."""
    if target.home is None:
        return None
    last = target.home.last()
    if last is None or last.path == target.path:
        return None
    log = logs.look(last.path)
    return log if log.state == "complete" else None


def opened(target: Target, *, is_partial: bool, timeout: float | None = None) -> Reading:
    """Open what readers of a target get.

    Parameters
    ----------
    target
        What is wanted. Where its current log has ended without being whole, the last one that is whole is
        opened, as ``respool.named`` does.
    is_partial
        Whether what there is now is enough: the view ends there, and waits for nobody.
    timeout
        Seconds that a reader waits for another process that writes; None is for ever.

    Raises
    ------
    Ending
        If it is damaged, or not whole and that is not enough. It says what to do.
    """
    return settled(
        target, lambda it: _opened(it, is_partial=is_partial, timeout=timeout), lambda _: False
    )


def _opened(target: Target, *, is_partial: bool, timeout: float | None) -> Reading:
    target, log = looked(target)
    if log.state not in {"complete", "growing"} and not is_partial:
        last = kept(target)
        if last is None:
            raise Ending(
                _code(log), f"{target.word}: {states.meaning(log)}", *states.then(log, target)
            )
        note(f"{target.word}: {states.meaning(log)}")
        note(
            f"This reads its last whole log, {shown.count(last.rows, 'row')}; --partial reads the newer one.",
        )
        log = last
    elif log.state in {"damaged", "unreadable"}:
        raise Ending(_code(log), f"{target.word}: {states.meaning(log)}", *states.then(log, target))
    cache = logs.open(log.path, timeout)
    if log.state == "complete":
        return Reading(log, cache)
    note(f"{target.word}: {states.meaning(log)}")
    if is_partial:
        return Reading(log, cache.prefix())
    note("This waits for the rest; --partial takes what is there.")
    return Reading(log, cache)


def _code(log: Log) -> Exit:
    codes = {"damaged": Exit.DAMAGED, "unreadable": Exit.FAILED}
    return codes.get(log.state, Exit.UNFINISHED)


def schema_of(log: Log) -> list[tuple[str, str, bool]]:
    """Return name, type and whether there may be nulls of each column; nothing of what can't be read."""
    with suppress(RespoolError, OSError, ValueError, RuntimeError), logs.open(log.path) as cache:
        return [(field.name, str(field.type), field.nullable) for field in cache.schema]
    return []
