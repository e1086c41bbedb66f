"""What somebody means by a word on the command line: a name, or the path of a log."""

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from respool._cli import directories
from respool._cli.causes import why
from respool._cli.endings import Ending, Exit
from respool._named import layout, names, place
from respool._named.home import Home, homes


@dataclass(frozen=True)
class Target:
    """A log that is there.

    Attributes
    ----------
    word
        What was written, which says the same again.
    path
        The directory of the log.
    home
        Where the name has its logs; None if it has none.
    root
        The directory of the names, if ``--directory`` named it.
    """

    word: str
    path: Path
    home: Home | None = None
    root: str | None = None

    @property
    def written(self) -> str:
        """What one writes in a shell to mean it: the word, and the directory where that was said."""
        place = ["--directory", self.root] if self.home and self.root else []
        return shlex.join([self.word, *place])


@dataclass(frozen=True)
class Missing:
    """What a word means that nobody can look at.

    Attributes
    ----------
    word
        What was written.
    ending
        How the command would end, if that were all.
    """

    word: str
    ending: Ending

    @property
    def state(self) -> str:
        """What stands in the place of the state of a log."""
        return "missing" if self.ending.code is Exit.NOT_FOUND else "unreadable"


def is_path(word: str) -> bool:
    """Tell whether a word is a path. It depends on the word alone, never on what is there."""
    return os.sep in word or word.startswith((".", "~"))


def found(word: str, directory: str | None) -> Target:
    """Return what a word means.

    Raises
    ------
    Ending
        If there is no such log; it says where one was looked for, and what may be meant.
    """
    return _by_path(word) if is_path(word) else _by_name(word, directory)


def each(
    words: Sequence[str], directory: str | None, *, is_only: bool | None = None
) -> list[Target | Missing]:
    """Return what each of several words means, so that what is missing hides nothing of the others.

    Parameters
    ----------
    words
        What was written.
    directory
        What ``--directory`` says, if it was given.
    is_only
        Whether one that is missing is all that there is to tell; by default if it is the only word.

    Raises
    ------
    Ending
        As :func:`found`, if there is only one, or it is a mistake in what was written.
    """
    alone = len(words) == 1 if is_only is None else is_only
    return [found(word, directory) if alone else _one(word, directory) for word in words]


def _one(word: str, directory: str | None) -> Target | Missing:
    try:
        return found(word, directory)
    except Ending as ending:
        if ending.code is not Exit.NOT_FOUND:
            raise
        return Missing(word, ending)
    except OSError as error:
        return Missing(word, Ending(Exit.FAILED, why(error)))


def _by_path(word: str) -> Target:
    path = Path(word).expanduser()
    if layout.is_log(path):
        return Target(word, path)
    if layout.is_home(path):
        name = names.name_of(path.resolve().name) or path.name
        raise Ending(
            Exit.NOT_FOUND,
            f"{path} is the directory of a name, and no log",
            f"name it: {shlex.join([name, '--directory', str(path.parent)])}",
        )
    if path.is_file():
        then = [f"its log is {Path(word).parent}"] if layout.is_log(path.parent) else []
        if then and not is_path(str(Path(word).parent)):
            then = [f"its log is .{os.sep}{Path(word).parent}"]
        raise Ending(Exit.NOT_FOUND, f"{path} is a file, and a log is a directory", *then)
    if not path.is_dir():
        # As it was written: without its ./ it were a name.
        beside = path.parent
        lists = (
            f"{shlex.quote(str(beside))} lists what is in it"
            if beside.is_dir()
            else "lists what has a name"
        )
        raise Ending(Exit.NOT_FOUND, f"{word} is not there", f"respool ls {lists}")
    raise Ending(
        Exit.NOT_FOUND,
        f"there is no log in {path}",
        f"respool ls {shlex.quote(word)} lists what is in it",
    )


def _by_name(word: str, directory: str | None) -> Target:
    root = directories.root(directory)
    try:
        home = Home.of(root, word)
    except ValueError as error:
        raise Ending(
            Exit.USAGE, str(error), f"a path has a {os.sep} in it: .{os.sep}{word}"
        ) from None
    if place.is_root_there(root) and home.is_there() and (top := home.top()) is not None:
        return Target(word, home.log(top), home, directory)
    then = ["respool ls lists the names"]
    if layout.is_log(Path(word)):
        then = [f"there is a log at the path .{os.sep}{word}: write it so"]
    raise Ending(Exit.NOT_FOUND, f"no cache is named {word!r} in {root}", *then)


class Word(click.ParamType):  # type: ignore[type-arg]  # older ones have none
    """A name or a path, completed by the shell."""

    name = "name or path"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the names that begin so, or have the shell complete directories."""
        if is_path(incomplete):
            return [CompletionItem(incomplete, type="dir")]
        found: list[CompletionItem] = []
        # A shell that completes has no room for errors.
        with suppress(OSError, ValueError):
            root = place.root(ctx.params.get("directory"))
            found = [
                CompletionItem(home.name)
                for home in homes(root)
                if home.name.startswith(incomplete)
            ]
        return found
