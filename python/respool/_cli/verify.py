"""``respool verify``: every byte of a log that has a checksum, held against it."""

from typing import Any

import click

from respool._cli import directories, logs, options, reading, shown, states, targets
from respool._cli.checks.log import Checked, check
from respool._cli.endings import Ending, Exit, worst
from respool._cli.targets import Missing, Target
from respool._cli.terminal import note, progress, say, say_json
from respool._named.home import homes

_MOST = 20
"""Damages that are listed of one log; JSON has all of them."""


@click.command("verify", short_help="Hold everything against its checksums.")
@options.targets(required=False)
@click.option("--all", "is_all", is_flag=True, help="Every name of the directory.")
@options.as_json
@options.directory
def command(words: tuple[str, ...], is_all: bool, is_json: bool, directory: str | None) -> Exit:
    """Read all of a log, and hold it against its checksums.

    What is damaged is named with file and byte. Nothing is changed.
    """
    meant = _words(words, directory, is_all=is_all)
    is_only = len(meant) == 1 and not is_all
    codes, told = [], []
    for it in targets.each(meant, directory, is_only=is_only):
        seen = _seen(it, is_only=is_only)
        if isinstance(seen, Missing):
            if is_all and seen.word not in words and seen.ending.code is Exit.NOT_FOUND:
                # Nobody has asked for it by its name, and it was removed since it was listed.
                continue
            codes.append(seen.ending.code)
            if is_json:
                told.append(_json_of_missing(seen))
            else:
                _say_missing(seen)
            continue
        target, parts = seen
        for checked in parts:
            code = _code(checked)
            codes.append(code)
            if is_json:
                told.append({"name": target.word, "exit": int(code), **_json(checked)})
            else:
                _say(checked, target, code)
    if is_json:
        say_json(told)
    return worst(codes)


def _words(words: tuple[str, ...], directory: str | None, *, is_all: bool) -> list[str]:
    if is_all:
        root = directories.there(directory)
        named = [home.name for home in homes(root) if home.top() is not None]
        if not named:
            note(f"0 logs in {root}")
        return [*words, *named]
    if not words:
        raise Ending(Exit.USAGE, "which log? Name one, or say --all", "respool ls lists the names")
    return list(words)


def _seen(target: Target | Missing, *, is_only: bool) -> tuple[Target, list[Checked]] | Missing:
    """Check a target. What was removed meanwhile is no damage: what the word means then is checked."""
    if isinstance(target, Missing):
        return target
    try:
        return reading.settled(
            target, lambda it: (it, _checked(it)), lambda seen: any(map(_is_odd, seen[1]))
        )
    except Ending as ending:
        if is_only:
            raise
        return Missing(target.word, ending)


def _is_odd(checked: Checked) -> bool:
    return _code(checked) in {Exit.DAMAGED, Exit.FAILED}


def _checked(target: Target) -> list[Checked]:
    """Check what is known by a name: the current log, and the last whole one that stands in for it."""
    paths = [target.path]
    if (last := reading.kept(target)) is not None:
        paths.append(last.path)
    found = []
    for path in paths:
        total = logs.look(path).batches or None
        with progress(f"verify {target.word}", total) as tell:
            found.append(check(path, tell))
    return found


def _all(checked: Checked) -> list[Checked]:
    return [checked, *(below for inner in checked.inner for below in _all(inner))]


def _code(checked: Checked) -> Exit:
    parts = _all(checked)
    if any(part.damages or part.log.state == "damaged" for part in parts):
        return Exit.DAMAGED
    if checked.log.state == "unreadable":
        return Exit.FAILED
    return Exit.OK if checked.log.state == "complete" else Exit.UNFINISHED


def _say_missing(missing: Missing) -> None:
    say(f"{missing.word}: {missing.ending.said}", "red")
    for step in missing.ending.then:
        note(step, indent=2)


def _say(checked: Checked, target: Target, code: Exit) -> None:
    log, parts = checked.log, _all(checked)
    damages = [damage for part in parts for damage in part.damages]
    good = (
        f"{shown.count(checked.batches, 'batch', 'batches')} ({shown.count(checked.rows, 'row')})"
    )
    where = target.word if log.path == target.path else f"{target.word} (its last whole log)"
    if code is Exit.FAILED:
        say(f"{where}: {states.meaning(log)}", "red")
    elif damages:
        say(f"{where}: damaged in {shown.count(len(damages), 'place')}; {good} can be read", "red")
        for damage in damages[:_MOST]:
            at = "" if damage.offset is None else f", byte {damage.offset}"
            of = "" if damage.batch is None else f" (batch {damage.batch})"
            say(f"{damage.file}{at}: {damage.reason}{of}", indent=2)
        if len(damages) > _MOST:
            say(f"... and {shown.number(len(damages) - _MOST)} more: --json lists all", indent=2)
        for step in _after_damage(target):
            note(step, indent=2)
    else:
        say(f"{where}: {good} good, {log.state}", "green" if code is Exit.OK else "yellow")
        if checked.behind and log.state == "abandoned":
            note(
                f"{shown.size(checked.behind)} of the index behind that do not count: "
                "a write that was cut off, or damage",
                indent=2,
            )
    if log.state in {"growing", "abandoned", "failed"}:
        note(states.meaning(log), indent=2)
        for step in states.then(log, target, reading.kept(target)):
            note(step, indent=2)


def _after_damage(target: Target) -> list[str]:
    fill = "the next respool.named(...) fills it anew" if target.home else "fill it anew"
    return [f"Restore the files from a copy, or respool rm {target.written} and {fill}."]


def _json_of_missing(missing: Missing) -> dict[str, Any]:
    return {
        "name": missing.word,
        "exit": int(missing.ending.code),
        "path": None,
        "state": missing.state,
        "error": missing.ending.said,
        "batches": None,
        "rows": None,
        "damages": [],
    }


def _json(checked: Checked) -> dict[str, Any]:
    return {
        "path": directories.full(checked.log.path),
        "state": checked.log.state,
        "error": checked.log.error or None,
        "batches": checked.batches,
        "rows": checked.rows,
        "damages": [
            {
                "file": directories.full(it.file),
                "offset": it.offset,
                "reason": it.reason,
                "batch": it.batch,
            }
            for part in _all(checked)
            for it in part.damages
        ],
    }
