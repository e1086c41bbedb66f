"""``respool info``: what a log is, without reading its data."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from respool._cli import directories, logs, options, reading, shown, states, targets
from respool._cli.endings import Ending, Exit, worst
from respool._cli.escaped import escaped
from respool._cli.targets import Missing
from respool._cli.terminal import columns, facts, say, say_json, show
from respool._named import in_use, keys
from respool._named.ages import time_of
from respool._named.home import size_of
from respool.exceptions import RespoolError

if TYPE_CHECKING:
    import pyarrow as pa

    from respool._cli.logs import Log
    from respool._cli.targets import Target
    from respool._cli.zones import Zone

_LONGEST = 2000
"""Letters of a value that are shown; JSON has all."""


_FIELDS = (  # noqa: SIM905 - one a line would be a page of its own
    "name path state meaning next error failure rows batches data_bytes file_bytes segments compression created "
    "ttl_seconds expires used writer in_use_by key metadata kept columns"
).split()
"""What JSON tells of a log, in this order."""


@click.command("info", short_help="Show state, schema, sizes, zone maps, metadata.")
@options.targets()
@options.as_json
@options.directory
def command(words: tuple[str, ...], is_json: bool, directory: str | None) -> Exit:
    """Show state, schema, sizes, zone maps and metadata, and who writes it.

    Ends with 4 if the log is damaged as far as that is seen without reading it all, which verify does.
    """
    found = targets.each(words, directory)
    codes, told = [], []
    for number, target in enumerate(found):
        if number and not is_json:
            say("")
        seen = _seen(target, is_only=len(found) == 1)
        if isinstance(seen, Missing):
            codes.append(seen.ending.code)
            if is_json:
                told.append(_json_of_missing(seen))
            else:
                _say_missing(seen)
            continue
        (target, log), schema = seen, None  # noqa: PLW2901 - what the word means now
        with (
            suppress(RespoolError, OSError, ValueError, RuntimeError),
            logs.open(log.path) as cache,
        ):
            schema = cache.schema
        codes.append({"damaged": Exit.DAMAGED, "unreadable": Exit.FAILED}.get(log.state, Exit.OK))
        if is_json:
            told.append(_json(target, log, schema))
        else:
            _say(target, log, schema)
    if is_json:
        say_json(told)
    return worst(codes)


def _seen(target: Target | Missing, *, is_only: bool) -> tuple[Target, Log] | Missing:
    """Look at a target, which may be gone since it was found."""
    if isinstance(target, Missing):
        return target
    try:
        return reading.looked(target)
    except Ending as ending:
        if is_only:
            raise
        return Missing(target.word, ending)


def _say_title(word: str, state: str) -> None:
    show(Text.assemble((escaped(word), "bold"), "  ", (state, states.STYLES[state])))


def _say_missing(missing: Missing) -> None:
    _say_title(missing.word, missing.state)
    say(missing.ending.said)
    for step in missing.ending.then:
        say(step, indent=2)


def _say(target: Target, log: Log, schema: pa.Schema | None) -> None:
    _say_title(target.word, log.state)
    say(states.meaning(log))
    say("")
    show(facts(_facts(target, log)))
    if schema is not None:
        say("")
        _say_schema(log, schema)
    if steps := states.then(log, target, reading.kept(target)):
        say("")
        say("What to do:", "bold")
        for step in steps:
            say(step, indent=2)


def _facts(target: Target, log: Log) -> list[tuple[str, str]]:
    about = log.about
    lines = [("path", str(log.path))]
    if about:
        lines.append(
            ("rows", f"{shown.number(log.rows)} in {shown.count(log.batches, 'batch', 'batches')}")
        )
        lines.append(("data", shown.size(about["nbytes"])))
        lines.append(("on disk", _on_disk(log)))
        lines.append(("created", shown.time(time_of(about["created"]))))
        if (end := log.life()["expires"]) is not None:
            lines.append(("expires", shown.time(end)))
    if target.home is not None:
        lines.append(("used", shown.time(time_of(target.home.used()))))
    lines.append(("written by", states.who(log)))
    if users := in_use.processes(log.path):
        lines.append(("in use by", f"process {', '.join(map(str, users))}"))
    if about and about["key"] is not None:
        lines.append(("key", repr(_key(about["key"]))))
    for name, value in (about.get("metadata") or {}).items():
        lines.append(
            (f"metadata {escaped(name)}", _cut(json.dumps(shown.plain(value), ensure_ascii=False)))
        )
    return lines


def _on_disk(log: Log) -> str:
    codec = logs.compression(log.path)
    files = shown.count(len(logs.segments(log.path)), "segment")
    return f"{shown.size(log.about['file_bytes'])} in {files}, {codec or 'not compressed'}"


def _key(stored: bytes) -> object:
    # A newer version has more types of keys.
    with suppress(ValueError):
        return keys.decode(stored)
    return "of a newer version"


def _cut(text: str) -> str:
    return f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text


def _say_schema(log: Log, schema: pa.Schema) -> None:
    from respool._cli import zones  # noqa: PLC0415 - with all of Arrow

    kept = {i: zone for i in range(len(schema)) if (zone := zones.read(log.path, i, log.batches))}
    head = ("COLUMN", "TYPE", "NULLS", "LEAST", "GREATEST") if kept else ("COLUMN", "TYPE")
    table = columns(*head, right={"NULLS"})
    for i, field in enumerate(schema):
        row = [field.name, f"{field.type}{'' if field.nullable else ' not null'}"]
        if i in kept:
            row += [shown.number(kept[i].nulls), *_bounds(kept[i], field.type)]
        elif kept:
            row += ["", "", ""]
        table.add_row(*(Text(escaped(_cut(cell))) for cell in row))
    show(table)
    if log.state == "complete":
        say("")
        say(
            f"Zone maps are kept for {len(kept)} of {shown.count(len(schema), 'column')}: "
            "a column gets its own when a filter first asks for it."
        )


def _bounds(zone: Zone, kind: pa.DataType) -> tuple[str, str]:
    from respool._cli import zones  # noqa: PLC0415 - with all of Arrow

    least, greatest = zones.written(zone.least, kind), zones.written(zone.greatest, kind)
    # Long texts are cut in zone maps.
    return (least, greatest) if zone.is_exact else (f"{least}…", f"{greatest}…")


def _json(target: Target, log: Log, schema: pa.Schema | None) -> dict[str, Any]:
    about = log.about
    last = reading.kept(target)
    created = about.get("created")
    told: dict[str, Any] = {
        "name": target.home.name if target.home else None,
        "path": directories.full(log.path),
        "state": log.state,
        "meaning": states.meaning(log),
        "next": states.then(log, target, last),
        "error": log.error or None,
        "failure": about.get("failure"),
        "rows": about.get("rows"),
        "batches": about.get("batches"),
        "data_bytes": about.get("nbytes"),
        "file_bytes": about.get("file_bytes", size_of(log.path)),
        "segments": len(logs.segments(log.path)),
        "compression": logs.compression(log.path),
        "created": None if created is None else time_of(created),
        **log.life(),
        "used": time_of(target.home.used()) if target.home else None,
        "writer": log.writer or None,
        "in_use_by": in_use.processes(log.path),
        "key": None if about.get("key") is None else _key(about["key"]),
        "metadata": about.get("metadata"),
        "kept": None if last is None else last.path,
        "columns": None
        if schema is None
        else [_column(log, i, schema) for i in range(len(schema))],
    }
    plain: dict[str, Any] = shown.plain(told)
    return plain


def _json_of_missing(missing: Missing) -> dict[str, Any]:
    said = missing.ending
    told = {"state": missing.state, "meaning": said.said, "next": list(said.then)}
    return {**dict.fromkeys(_FIELDS), "name": missing.word, **told}


def _column(log: Log, number: int, schema: pa.Schema) -> dict[str, Any]:
    from respool._cli import zones  # noqa: PLC0415 - with all of Arrow

    field = schema.field(number)
    zone = zones.read(log.path, number, log.batches)
    about: dict[str, Any] = {
        "name": field.name,
        "type": str(field.type),
        "nullable": field.nullable,
    }
    about["zones"] = None
    if zone is not None:
        least, greatest = (zones.written(it, field.type) for it in (zone.least, zone.greatest))
        about["zones"] = {
            "nulls": zone.nulls,
            "least": None if zone.least is None else least,
            "greatest": None if zone.greatest is None else greatest,
            "exact": zone.is_exact,
        }
    return about
