"""``respool ls``: what there is."""

import dataclasses
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.text import Text

import respool
from respool import NamedCache
from respool._cli import directories, logs, options, shown, states, targets
from respool._cli.endings import Ending, Exit
from respool._cli.escaped import escaped
from respool._cli.terminal import columns, note, say_json, show
from respool._named import layout
from respool._named.ages import time_of
from respool._named.home import size_of


@dataclass(frozen=True)
class _Line:
    """A log in a list."""

    word: str
    state: str
    rows: int
    size: int
    used: str
    is_named: bool


@click.command("ls", short_help="List names, or the logs in a directory.")
@click.argument("word", metavar="[PATH]", required=False, type=click.Path())
@options.as_json
@options.directory
def command(word: str | None, is_json: bool, directory: str | None) -> Exit:
    """List the names, or what is in the directory PATH: names, and logs that were made there by a path."""
    root = directories.there(directory) if word is None else directories.root(word)
    if word is not None and not root.is_dir():
        raise _none(word, root, directory)
    is_log = layout.is_log(root)
    named = [] if is_log else respool.ls(root)
    paths = [root] if is_log else _unnamed(root, root if word is None else Path(word))
    if is_json:
        say_json([*map(_json_of_name, named), *map(_json_of_path, paths)])
        return Exit.OK
    lines = [*map(_of_name, named), *map(_of_path, paths)]
    _say(lines, root)
    return Exit.OK


def _none(word: str, path: Path, directory: str | None) -> Ending:
    """Return the ending where there is no directory; it says what may be meant."""
    if path.is_file():
        then = [f"its log is {Path(word).parent}"] if layout.is_log(path.parent) else []
        return Ending(Exit.NOT_FOUND, f"{word} is a file, and ls takes a directory", *then)
    if not targets.is_path(word):
        with suppress(Ending, OSError):
            step = f"respool info {targets.found(word, directory).written}"
            return Ending(Exit.NOT_FOUND, f"{word} is a name, and ls takes a directory", step)
    return Ending(Exit.NOT_FOUND, f"{word} is not there")


def _unnamed(root: Path, written: Path) -> list[Path]:
    """Return the logs in a directory that have no name, as one writes them."""
    if not root.is_dir():
        return []
    found = sorted(it.name for it in root.iterdir() if not it.name.startswith("."))
    return [written / name for name in found if layout.is_log(root / name)]


def _state(one: NamedCache) -> str:
    # What can't be read is looked at again, for why.
    return logs.look(one.path).state if one.state == "unreadable" else one.state


def _of_name(one: NamedCache) -> _Line:
    return _Line(one.name, _state(one), one.rows, one.nbytes, shown.ago(one.used), is_named=True)


def _of_path(path: Path) -> _Line:
    log = logs.look(path)
    # When it was used nobody notes.
    return _Line(_written(path), log.state, log.rows, size_of(path), "", is_named=False)


def _written(path: Path) -> str:
    """Return a path so that it is none but a path to this command."""
    text = str(path)
    return text if "/" in text else f"./{text}"


def _say(lines: list[_Line], root: Path) -> None:
    if not lines:
        note(f"nothing is kept in {root}")
        return
    table = columns("NAME", "STATE", "ROWS", "SIZE", "USED", right={"ROWS", "SIZE"})
    for line in lines:
        is_known = line.state not in {"damaged", "unreadable"}
        table.add_row(
            Text(escaped(line.word)),
            Text(line.state, states.STYLES[line.state]),
            shown.number(line.rows) if is_known else "?",
            shown.size(line.size),
            line.used,
        )
    show(table)
    total = shown.size(sum(line.size for line in lines))
    note(f"{shown.count(len(lines), 'cache')}, {total} in {root}")
    if odd := [line.word for line in lines if line.state not in {"complete", "growing"}]:
        is_plain = directories.is_meant(root) or not lines[0].is_named
        first = shlex.join([odd[0], *([] if is_plain else ["--directory", str(root)])])
        note(f"{len(odd)} of them not whole; what happened, and what to do: respool info {first}")


def _json_of_name(one: NamedCache) -> Any:  # noqa: ANN401 - JSON
    log = logs.look(one.path)
    state = log.state if one.state == "unreadable" else one.state
    return shown.plain({**dataclasses.asdict(one), **log.life(), "state": state})


def _json_of_path(path: Path) -> Any:  # noqa: ANN401 - JSON
    log = logs.look(path)
    created = log.about.get("created")
    told = {
        "name": None,
        "path": directories.full(path),
        "state": log.state,
        "nbytes": size_of(path),
        "used": None,
        "rows": log.rows,
        "batches": log.batches,
        "created": None if created is None else time_of(created),
        **log.life(),
        "key": None,
        "metadata": log.about.get("metadata"),
        "failure": log.about.get("failure"),
        "kept": None,
    }
    return shown.plain(told)
