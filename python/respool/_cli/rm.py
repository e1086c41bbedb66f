"""``respool rm``: names and logs, taken away."""

import click

import respool
from respool import _native
from respool._cli import directories, options, shown, targets
from respool._cli.asking import is_wanted
from respool._cli.endings import Exit, worst
from respool._cli.targets import Target
from respool._cli.terminal import note, say, say_json
from respool._named import in_use
from respool._named.home import size_of


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
    found = [targets.found(word, directory) for word in words]
    sizes = [size_of(target.home.path if target.home else target.path) for target in found]
    told = []
    for target, size in zip(found, sizes, strict=True):
        users = in_use.processes(target.path)
        used = f", in use by process {', '.join(map(str, users))}" if users else ""
        if not is_json:
            say(
                f"{'would remove' if is_dry else 'remove'} {target.word}: {shown.size(size)}, {target.path}{used}"
            )
        told.append(
            {
                "name": target.word,
                "path": directories.full(target.path),
                "bytes": size,
                "in_use_by": users,
            }
        )
    codes = []
    if not is_dry and is_wanted(is_sure=is_sure):
        codes = [
            _remove(target, directory, is_used=bool(one["in_use_by"]))
            for target, one in zip(found, told, strict=True)
        ]
    if is_json:
        removed: list[Exit | None] = [*codes] or [None] * len(told)
        say_json(
            [{**one, "removed": code is Exit.OK} for one, code in zip(told, removed, strict=True)]
        )
    return worst(codes)


def _remove(target: Target, directory: str | None, *, is_used: bool) -> Exit:
    if target.home is not None:
        respool.rm(target.home.name, directory)
        if is_used:
            note(f"{target.word}: the name is free; its files go when nobody uses them")
        return Exit.OK
    if _native._remove_log(target.path):  # noqa: SLF001
        return Exit.OK
    note(f"{target.word} stays: somebody has it open. Close it there and try again.", "red")
    return Exit.IN_USE
