"""All of a log, held against its checksums."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from respool._cli import logs
from respool._cli.checks import index, sections, segments
from respool._cli.checks.found import Damage, of_error
from respool._named import layout, whole
from respool.exceptions import CorruptLogError


@dataclass
class Checked:
    """What was found of a log.

    Attributes
    ----------
    log
        How it stands.
    damages
        What is wrong, a place each.
    batches, rows
        What was read and is good.
    behind
        Bytes of the index that do not count: what a crash has left, or a write that is under way.
    inner
        The logs in its directory that belong to it.
    """

    log: logs.Log
    damages: list[Damage] = field(default_factory=list)
    batches: int = 0
    rows: int = 0
    behind: int = 0
    inner: list["Checked"] = field(default_factory=list)


def check(path: Path, tell: Callable[[int], object]) -> Checked:
    """Read all of a log.

    Parameters
    ----------
    path
        Its directory.
    tell
        Is called with the number of batches that were read.
    """
    checked = Checked(logs.look(path))
    if checked.log.state == "unreadable":
        return checked
    read = _index(checked)
    if read is not None:
        for damage in _of_files(checked, read):
            _add(checked, damage)
        for damage in _of_batches(checked, tell):
            _add(checked, damage)
        # Who reads a segment by its footer comes by the batches too, so of damaged ones nothing new is told.
        files = {damage.file for damage in checked.damages}
        for damage in _of_segments(path, read):
            if damage.file not in files:
                _add(checked, damage)
    checked.inner = [
        check(inner, lambda _: None)
        for inner in sorted(path.glob("_*"))
        if layout.is_log(inner) and not inner.name.endswith(".part")
    ]
    return checked


def _add(checked: Checked, damage: Damage) -> None:
    # A file that is missing is so for every batch of it.
    places = {(known.file, known.offset) for known in checked.damages}
    if (damage.file, damage.offset) not in places:
        checked.damages.append(damage)


def _of_batches(checked: Checked, tell: Callable[[int], object]) -> Iterator[Damage]:
    """Read every batch, as far as the log can be opened; each is verified then, and its dictionaries too."""
    path = checked.log.path
    try:
        cache = logs.open(path)
    except CorruptLogError as error:
        yield of_error(error, path)
        return
    with closing(cache):
        stored = cache.prefix()
        for number in range(stored.num_batches):
            try:
                checked.rows += stored.batch(number).num_rows
                checked.batches += 1
            except OSError as error:
                yield of_error(error, path, number)
            tell(number + 1)


def _index(checked: Checked) -> index.Index | None:
    """Read the index; None if it is not there."""
    file = checked.log.path / "_index"
    try:
        read = index.read(file)
    except FileNotFoundError:
        _add(checked, Damage(file, None, "it is not there"))
        return None
    checked.behind = read.behind
    # Behind the last whole entry of a log that has not ended there may be anything: see its format.
    has_ended = checked.log.state in {"complete", "failed", "damaged"}
    if read.damage is not None and (has_ended or read.damage.offset == 0):
        _add(checked, read.damage)
    return read


def _of_files(checked: Checked, read: index.Index) -> Iterator[Damage]:
    path, about = checked.log.path, checked.log.about
    if read.is_closed and (missing := whole.missing(path)) is not None:
        yield Damage(missing, None, whole.MISSING)
    identity = about.get("identity")
    for file in [path / "_manifest", path / "_failure", *sorted(path.glob("_*.*"))]:
        is_other = file.name.startswith("_0") or file.suffix == ".part" or not file.is_file()
        if identity is None or is_other or not _is_counted(file, checked):
            continue
        if (wrong := sections.damage(file, identity)) is not None:
            yield wrong


def _of_segments(path: Path, read: index.Index) -> Iterator[Damage]:
    try:
        schema = segments.schema_of(path / "_manifest")
    except (OSError, ValueError):  # which is damage of the manifest
        return
    for number, is_stream in read.seals:
        file = path / f"{number:08}.arrow{'s' if is_stream else ''}"
        rows = read.rows.get(number, [])
        if (wrong := segments.damage(file, rows, schema, is_stream=is_stream)) is not None:
            yield wrong


def _is_counted(file: Path, checked: Checked) -> bool:
    """Tell whether a file is one that readers take: a failure only where the log has failed."""
    return file.name != "_failure" or checked.log.state == "failed"
