"""Logs opened for those who want the rows: the whole of them, or what there is."""

from contextlib import suppress
from dataclasses import dataclass

from respool import StreamCacheView
from respool._cli import logs, shown, states, targets
from respool._cli.endings import Ending, Exit
from respool._cli.logs import Log
from respool._cli.targets import Target
from respool._cli.terminal import note
from respool._named import layout
from respool.exceptions import RespoolError


@dataclass(frozen=True)
class Reading:
    """A log that is opened, and what it was then."""

    log: Log
    view: StreamCacheView


def looked(target: Target) -> tuple[Target, Log]:
    """Return what there is of a target, which is another log if somebody has filled the name anew meanwhile.

    Raises
    ------
    Ending
        If it was removed. Its files are no damage then.
    """
    while True:
        log = logs.look(target.path)
        if log.state not in {"damaged", "unreadable"} or not is_gone(log):
            return target, log
        target = targets.found(target.word, target.root)


def is_gone(log: Log) -> bool:
    """Tell whether a log was removed after it was found."""
    return not layout.may_be_log(log.path)


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
