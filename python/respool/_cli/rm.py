"""``respool rm``: names and logs, taken away."""

import os
from typing import Any

import click

import respool
from respool import _native
from respool._cli import directories, options, shown, targets
from respool._cli.asking import is_asked, is_wanted
from respool._cli.causes import why
from respool._cli.endings import Exit, worst
from respool._cli.targets import Target
from respool._cli.terminal import note, say, say_json
from respool._named import in_use
from respool._named.home import size_of
from respool.exceptions import RespoolError

_OPEN = "somebody has it open. Close it there and try again."


@click.command("rm", short_help="Remove names and logs.")
@options.targets()
@options.yes
@options.dry_run
@options.as_json
@options.directory
def command(
    words: tuple[str, ...], is_sure: bool, is_dry: bool, is_json: bool, directory: str | None
) -> Exit:
    """Remove names, and logs by their paths.

    Asks on a terminal only. A name is free at once, and who reads it goes on; a log without a name stays while
    somebody uses it. Files that respool did not put there stay.
    """
    found = _distinct([targets.found(word, directory) for word in words])
    told: list[dict[str, Any]] = []
    for target in found:
        size = size_of(target.home.path if target.home else target.path)
        users = in_use.processes(target.path)
        used = f", in use by process {', '.join(map(str, users))}" if users else ""
        line = f"{'would remove' if is_dry else 'remove'} {target.word}: {shown.size(size)}, {target.path}{used}"
        stays = _OPEN if is_dry and target.home is None and users else None
        if stays and not is_json:
            note(f"{target.word} would stay: {stays}", "red")
        elif not is_json:
            say(line)
        elif not is_dry and is_asked(is_sure=is_sure):
            note(line)
        told.append(
            {
                "name": target.word,
                "path": directories.full(target.path),
                "bytes": size,
                "in_use_by": users,
                "removed": False,
                "error": stays,
            }
        )
    codes = [Exit.IN_USE for one in told if one["error"]]
    if not is_dry and is_wanted(is_sure=is_sure):
        for target, one in zip(found, told, strict=True):
            code, why_not = _removed(target, directory)
            codes.append(code)
            one.update(removed=code is Exit.OK, error=why_not)
            if not is_json:
                _say(target, one)
    if is_json:
        say_json(told)
    return worst(codes)


def _distinct(found: list[Target]) -> list[Target]:
    """Return each target once, whatever it was called when it was named again."""
    distinct: dict[str, Target] = {}
    for target in found:
        distinct.setdefault(str(target.path.resolve()), target)
    return list(distinct.values())


def _removed(target: Target, directory: str | None) -> tuple[Exit, str | None]:
    """Remove a target; return what that would end the command with, and why it stays if it does."""
    try:
        if target.home is not None:
            respool.rm(target.home.name, directory)
        elif not _native._remove_log(target.path):  # noqa: SLF001
            return Exit.IN_USE, _OPEN
    except FileNotFoundError as error:
        # Somebody else was faster.
        if os.path.lexists(target.path):
            return Exit.FAILED, why(error)
    except (RespoolError, OSError, ValueError, RuntimeError) as error:
        # What is behind it is not to stay for that.
        return Exit.FAILED, why(error)
    return Exit.OK, None


def _say(target: Target, told: dict[str, Any]) -> None:
    if told["error"] is not None:
        note(f"{target.word} stays: {told['error']}", "red")
    elif target.home is not None and told["in_use_by"]:
        note(f"{target.word}: the name is free; its files go when nobody uses them")
