"""What a cache, a view and a named cache are in a notebook: one piece of HTML that needs nothing else.

It is made of one look at the cache, asks the source for nothing, and is of bounded size whatever is in there. All
text in it goes through ``escaped``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respool._html import bar, tables
from respool._html.cells import escaped, number
from respool._html.style import STYLE
from respool._progress import shown as size

if TYPE_CHECKING:
    from respool._named.listing import NamedCache
    from respool._native import StreamCacheView

_ROWS = 5
_COLUMNS = 12
"""Shown of the first rows."""


def shown(view: StreamCacheView) -> str:
    """Return a cache or a view as HTML."""
    told = view._portrait(_ROWS, _COLUMNS)  # noqa: SLF001
    schema = told["schema"]
    parts = [_head(type(view).__name__, told["state"], told["path"])]
    if "stored" in told:
        if told["failure"]:
            parts.append(f"<p class='rs-failure'>{escaped(told['failure'], 400)}</p>")
        parts += [bar.drawn(told), _counters(told)]
    parts.append(tables.schema(schema))
    if told.get("unread"):
        parts.append(f"<p class='rs-failure'>{escaped(told['unread'], 400)}</p>")
    elif told.get("first") is not None:
        parts.append(tables.rows(told["first"], len(schema)))
    parts.append(tables.metadata("Schema metadata", schema.metadata))
    parts.append(tables.metadata("Metadata", view.cache.metadata))
    return _page(repr(view), parts)


def named(cache: NamedCache) -> str:
    """Return what there is by a name as HTML."""
    counters = [
        ("rows", number(cache.rows)),
        ("batches", number(cache.batches)),
        ("on disk", size(cache.nbytes)),
        ("created", _time(cache.created)),
        ("used", _time(cache.used)),
        ("expires", _time(cache.expires)),
        ("key", "none" if cache.key is None else repr(cache.key)),
    ]
    parts = [_head(f"named {cache.name}", cache.state, str(cache.path))]
    if cache.failure:
        parts.append(f"<p class='rs-failure'>{escaped(cache.failure, 400)}</p>")
    parts.append(tables.counters(counters))
    parts.append(tables.metadata("Metadata", cache.metadata))
    return _page(repr(cache), parts)


def _page(plain: str, parts: list[str]) -> str:
    # Where a notebook takes styles away there is the line that `repr` gives, and the tables below it.
    fallback = f"<pre class='rs-plain'>{escaped(plain, 1000)}</pre>"
    return f"<div class='respool'><style>{STYLE}</style>{fallback}<div class='rs-box'>{''.join(parts)}</div></div>"


def _head(kind: str, state: str, path: str | None) -> str:
    place = "" if path is None else f"<span class='rs-path'>{escaped(path, 200)}</span>"
    return (
        f"<div class='rs-head'><b>respool</b> <span>{escaped(kind, 200)}</span> "
        f"<span class='rs-state rs-{escaped(state.partition(' ')[0])}'>{escaped(state)}</span>{place}</div>"
    )


def _counters(told: dict[str, Any]) -> str:
    most = "at most " if told["is_filtered"] else ""
    counters = [
        ("rows", most + number(told["rows"])),
        ("batches", most + number(told["batches"])),
        ("data", size(told["bytes"])),
        ("memory", _of(told["memory_bytes"], told["memory_capacity"])),
        ("log", _of(told["log_bytes"], told["log_capacity"])),
        ("source asked", f"{number(told['pulls'])} times, {told['source_seconds']:.2f} s"),
        (
            "read",
            f"{number(told['memory_hits'])} from memory, {number(told['log_reads'])} from the log",
        ),
        ("readers", number(told["readers"])),
    ]
    if told["rate"] is not None:
        counters.insert(3, ("fills at", f"{size(told['rate'])}/s"))
    return tables.counters(counters)


def _of(used: int, capacity: int | None) -> str:
    return size(used) if capacity is None else f"{size(used)} of {size(capacity)}"


def _time(time: Any) -> str:  # noqa: ANN401 - a datetime or None
    return "never" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"
