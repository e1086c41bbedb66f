"""What the state of a log means, and what to do next."""

from respool._cli import shown
from respool._cli.causes import tidied
from respool._cli.escaped import escaped
from respool._cli.logs import Log
from respool._cli.targets import Target

_RED, _YELLOW, _GREEN = "red", "yellow", "green"

STYLES = {
    "complete": _GREEN,
    "growing": "cyan",
    "abandoned": _YELLOW,
    "failed": _YELLOW,
    "damaged": _RED,
    "unreadable": _RED,
    "missing": _RED,
}


def who(log: Log) -> str:
    """Return who writes a log, or did."""
    if not log.writer:
        return "a process that has not said who it is"
    said = log.writer
    since = said.get("since", "?").replace("T", " ").replace("Z", " UTC")
    return f"process {said.get('process', '?')} on {said.get('host', '?')}, since {since}"


def meaning(log: Log) -> str:
    """Return what happened to a log, in a sentence."""
    have = shown.count(log.rows, "row")
    match log.state:
        case "complete":
            return "Everything that the source gave is here; respool verify says whether all of it is good."
        case "growing":
            return f"It is being written, by {who(log)}: {have} so far."
        case "abandoned":
            return f"Its writer is gone and did not end it ({who(log)}). {_good(log.rows)}"
        case "failed":
            are = "is" if log.rows == 1 else "are"
            where = f"behind {have}, which {are} good" if log.rows else "before its first row"
            # In one line, whatever it is: this is a sentence.
            return f"Its source failed {where}: {escaped(tidied(log.about.get('failure') or '?'))}"
        case "damaged":
            return f"It is damaged: {log.error}"
        case "unreadable":
            return f"It can't be read: {log.error}"


def _good(rows: int) -> str:
    if not rows:
        return "No row of it is here."
    if rows == 1:
        return "The first row is good, and it may not be all."
    return f"The first {shown.count(rows, 'row')} are good, and they may not be all."


def then(log: Log, target: Target, kept: Log | None = None) -> list[str]:
    """Return what to do next, a sentence each."""
    word = target.written
    last = "" if kept is None else f"{shown.count(kept.rows, 'row')}, {kept.path}"
    # Behind the line that says what happens then.
    until = [f"Until then its last whole log is what readers get: {last}"] if last else []
    beside = [f"Its last whole log is beside it: {last}"] if last else []
    match log.state:
        case "complete":
            steps: list[str] = []
        case "growing":
            steps = [
                "respool sql and respool export wait for the rest; with --partial they take what is there.",
                *beside,
            ]
        case "abandoned" | "failed":
            again = (
                [f"respool.named({target.home.name!r}, fill) fills it anew."] if target.home else []
            )
            steps = [
                *again,
                *until,
                f"respool.resume({str(target.path)!r}, source) goes on with it.",
                f"respool head {word} shows what there is; sql and export read it with --partial.",
                f"respool rm {word} removes it.",
            ]
        case "damaged":
            fill = "the next respool.named(...) fills it anew" if target.home else "fill it anew"
            steps = [
                f"respool verify {word} lists what is damaged and what is not.",
                f"Restore the file from a copy, or respool rm {word} and {fill}.",
                *until,
            ]
        case "unreadable":
            steps = [
                "A newer version of respool, or the user whose it is, can read it.",
                *beside,
            ]
    return steps
