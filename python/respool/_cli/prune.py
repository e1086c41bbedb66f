"""``respool prune``: what was not used for long, and what nobody uses any more."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import click

import respool
from respool._cli import directories, options, shown
from respool._cli.asking import is_asked, is_wanted
from respool._cli.endings import Ending, Exit
from respool._cli.terminal import note, say, say_json
from respool._named import in_use, layout, place, quota
from respool._named.ages import time_of
from respool._named.home import Home, homes, size_of
from respool._named.prune import let_go
from respool._named.removal import graves, taken

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


class _Span(click.ParamType):  # type: ignore[type-arg]  # older ones have none
    """Text such as 30d."""

    name = "span"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        match = _SPAN.fullmatch(str(value).strip().lower())
        if match is not None and not match[2]:
            # Days were meant, and what was used a minute ago would go: without a terminal nobody is asked.
            many = match[1]
            self.fail(f"{many} of what? Write the unit: {many}d, {many}h, {many}min", param, ctx)
        if match is None or match[2] not in _UNITS:
            self.fail(f"{value!r} is no span of time: 30d, 12h, 90min, 2w", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True)
class _Goes:
    """A name that would go."""

    home: Home
    size: int


@click.command("prune", short_help="Remove what was not used for long.")
@click.option(
    "--older-than",
    metavar="SPAN",
    type=_Span(),
    help="What respool.named did not give for so long: 30d, 12h, 90min.",
)
@click.option(
    "--max-bytes",
    metavar="SIZE",
    help="The least recently used, until all take no more: '50 GiB', or '10%' of the disk.",
)
@options.yes
@options.dry_run
@options.as_json
@options.directory
def command(
    older_than: float | None,
    max_bytes: str | None,
    is_sure: bool,
    is_dry: bool,
    is_json: bool,
    directory: str | None,
) -> Exit:
    """Remove names that were not used for long, and what is left of others.

    Without a bound only what nobody can ask for any more is removed. What somebody uses stays.
    """
    root = directories.there(directory)
    if max_bytes is not None:
        try:
            quota.bytes_of(max_bytes, None, "--max-bytes")
        except ValueError as error:
            raise Ending(Exit.USAGE, str(error), "respool prune --help") from None
    before = _size(root)
    goes = _going(root, older_than, max_bytes)
    asks = not is_dry and is_asked(is_sure=is_sure)
    for one in goes:
        used = shown.ago(time_of(one.home.used()))
        line = f"{'would remove' if is_dry else 'remove'} {one.home.name}: {shown.size(one.size)}, used {used}"
        if not is_json:
            say(line)
        elif asks:
            note(line)
    gone = [one.home.name for one in goes]
    if not is_dry:
        is_refused = asks and goes and not is_wanted(is_sure=is_sure)
        if is_refused and not is_json:
            return Exit.OK
        # What was not asked about stays: it has come, or grown old, since then.
        known = {one.home.name: one.home.top() for one in goes} if asks else None
        gone = [] if is_refused else _removed(root, older_than, max_bytes, known)
    freed = (
        sum(one.size for one in goes) + _left(root, [one.home for one in goes])
        if is_dry
        else max(0, before - _size(root))
    )
    if is_json:
        say_json({"directory": str(root), "removed": gone, "freed_bytes": freed, "dry_run": is_dry})
    else:
        names = shown.count(len(gone), "name")
        note(
            f"{names}, {shown.size(freed)} {'would go' if is_dry else 'gone'} of {shown.size(before)} in {root}"
        )
        left = before - freed
        if max_bytes is not None and left > quota.bytes_of(max_bytes, root, "--max-bytes"):
            note(f"{shown.size(left)} stay: somebody uses them, or they can't be removed")
    return Exit.OK


def _size(root: Path) -> int:
    return taken(root) if place.is_root_there(root) else 0


def _going(root: Path, older_than: float | None, max_bytes: str | None) -> list[_Goes]:
    """Return what :func:`respool.prune` would remove now, as far as the system tells who uses what."""
    if not place.is_root_there(root):
        return []
    unused = [
        _Goes(home, home.size())
        for home in sorted(homes(root), key=lambda home: (home.used(), home.name))
        if home.top() is not None and not _is_used(home)
    ]
    now = time.time()
    goes = [
        one
        for one in unused
        if older_than is not None and now - min(now, one.home.used()) >= older_than
    ]
    if max_bytes is not None:
        left = taken(root) - sum(one.size for one in goes)
        most = quota.bytes_of(max_bytes, root, "--max-bytes")
        for one in unused:
            if left <= most:
                break
            if one not in goes:
                goes.append(one)
                left -= one.size
    return goes


def _left(root: Path, goes: list[Home]) -> int:
    """Return the bytes that would go besides names: of logs that nobody uses, nor can ask for any more."""
    if not place.is_root_there(root):
        return 0
    left = sum(_free(grave, grave.numbers()) for grave in graves(root))
    for home in homes(root):
        if home in goes:
            continue
        if home.top() is None and not _is_used(home):
            left += home.size()
        else:
            needed = home.needed()
            left += _free(home, [number for number in home.numbers() if number not in needed])
    return left


def _free(home: Home, numbers: list[int]) -> int:
    """Return the bytes of those of its logs that nobody uses."""
    logs = [log for log in map(home.log, numbers) if layout.may_be_log(log) or layout.is_ours(log)]
    return sum(size_of(log) for log in logs if not in_use.processes(log))


def _removed(
    root: Path, older_than: float | None, max_bytes: str | None, known: dict[str, int | None] | None
) -> list[str]:
    """Remove; of names only those that are known with their current log, if that is said."""
    if known is None:
        return respool.prune(max_bytes=max_bytes, older_than=older_than, directory=root)

    def is_meant(home: Home) -> bool:
        return home.name in known and known[home.name] == home.top()

    return let_go(root, max_bytes, older_than, is_meant)


def _is_used(home: Home) -> bool:
    return any(in_use.processes(home.log(number)) for number in home.numbers())
