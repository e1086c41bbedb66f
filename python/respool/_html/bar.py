"""A bar that shows where the batches of a stream are, from its first to its last."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from respool._html.cells import number

_LEGEND = {
    "memory": "in memory",
    "log": "in the log",
    "gone": "let go",
    "unread": "not read yet",
}


def drawn(told: dict[str, Any]) -> str:
    """Return the bar and what its colours say."""
    parts = []
    at = 0
    for place, same in groupby(told["places"], key=_shares):
        group = list(same)
        first, count = at, sum(batches for batches, _, _ in group)
        at += count
        memory = sum(memory for _, memory, _ in group)
        log = sum(log for _, _, log in group)
        # Upwards: memory, the log, and what is nowhere any more.
        levels = f"--rs-m:{place[0]}%;--rs-l:{place[0] + place[1]}%"
        title = (
            f"{_numbers(first, count)}: {number(memory)} in memory, {number(log)} only in the log"
        )
        parts.append(f"<i style='flex-grow:{count};{levels}' title='{title}'></i>")
    stored = told["stored"]
    kinds = _kinds(told)
    if not told["is_ended"] and told["state"] != "closed":
        parts.append(
            "<i class='rs-unread' title='not read yet; how much that is only the source knows'></i>"
        )
    if told["failure"]:
        parts.append("<i class='rs-end' title='the source failed here'></i>")
    legend = "".join(
        f"<span><i class='rs-key rs-key-{kind}'></i>{text}</span>" for kind, text in kinds
    )
    text = f"{number(stored)} batches stored" if stored else "nothing stored"
    bar = (
        f"<div class='rs-bar' role='img' aria-label='{text}'>{''.join(parts)}</div>"
        if parts
        else ""
    )
    return f"{bar}<div class='rs-legend'><span>batches:</span>{legend}</div>"


def _shares(place: tuple[int, int, int]) -> tuple[int, int]:
    batches, memory, log = place
    return round(100 * memory / batches), round(100 * log / batches)


def _numbers(first: int, count: int) -> str:
    return (
        f"batch {number(first)}"
        if count == 1
        else f"batches {number(first)} to {number(first + count - 1)}"
    )


def _kinds(told: dict[str, Any]) -> list[tuple[str, str]]:
    places = told["places"]
    all_, memory, log = (sum(place[i] for place in places) for i in range(3))
    counts = {"memory": memory, "log": log, "gone": all_ - memory - log}
    kinds = [(kind, f"{number(n)} {_LEGEND[kind]}") for kind, n in counts.items() if n]
    if not told["is_ended"] and told["state"] != "closed":
        kinds.append(("unread", _LEGEND["unread"]))
    return kinds
