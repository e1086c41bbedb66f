"""Which rows each worker reads: cut where batches begin, without what zone maps rule out."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from respool._filters import predicate
from respool._scan.columns import spoken_of
from respool._scan.index import Batches, batches_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from respool._native import Predicate
    from respool._scan.place import Log

Span = tuple[int, int]
"""A first row, and how many from there."""

MOST_SPANS = 10_000
"""Spans of one part: with more, neighbours are joined over what lies between them, and filtered there."""


class Planned(NamedTuple):
    """What one part is: its spans, and how many rows and bytes are in them."""

    spans: list[Span]
    rows: int
    size: int


class Plan:
    """What is to be read of a log, computed once for each set of filters and number of parts: engines ask often."""

    def __init__(self, log: Log, filters: Sequence[object]) -> None:
        self._log = log
        self._filters = filters
        self._batches: Batches | None = None
        self._kept: list[int] | None = None
        self._parts: dict[int, list[Planned]] = {}

    def filtered(self, filters: Sequence[object]) -> Plan:
        """Return the plan with other filters; the index is not read again."""
        other = Plan(self._log, filters)
        other._batches = self._batches
        return other

    @property
    def batches(self) -> Batches:
        if self._batches is None:
            self._batches = batches_of(self._log)
        return self._batches

    @property
    def kept(self) -> list[int]:
        """The numbers of the batches in which rows may pass."""
        if self._kept is None:
            batches = self.batches
            ruled_out = _ruled_out(self._log, self._filters)
            self._kept = [
                number
                for number in range(len(batches))
                if number not in ruled_out and batches.end(number) > batches.firsts[number]
            ]
        return self._kept

    def parts(self, count: int) -> list[Planned]:
        """Cut into exactly so many parts of about as many bytes; some may be empty."""
        if count not in self._parts:
            self._parts[count] = self._cut(count)
        return self._parts[count]

    def _cut(self, count: int) -> list[Planned]:
        batches = self.batches
        numbers: list[list[int]] = [[] for _ in range(count)]
        if len(self.kept) <= count:
            for part, number in zip(numbers, self.kept, strict=False):
                part.append(number)
        else:
            sizes = [max(batches.sizes[number], 1) for number in self.kept]
            whole, before = sum(sizes), 0
            for number, size in zip(self.kept, sizes, strict=True):
                # Where its middle lies.
                numbers[min((2 * before + size) * count // (2 * whole), count - 1)].append(number)
                before += size
        return [
            Planned(
                spans(batches, part),
                sum(batches.end(number) - batches.firsts[number] for number in part),
                sum(batches.sizes[number] for number in part),
            )
            for part in numbers
        ]


def spans(batches: Batches, numbers: Iterable[int]) -> list[Span]:
    """Join batches that lie together; and, where there are too many spans, neighbours over what lies between."""
    joined: list[list[int]] = []
    for number in numbers:
        first, end = batches.firsts[number], batches.end(number)
        if joined and joined[-1][1] == first:
            joined[-1][1] = end
        else:
            joined.append([first, end])
    step = -(-len(joined) // MOST_SPANS) or 1
    if step > 1:
        joined = [
            [joined[i][0], joined[min(i + step, len(joined)) - 1][1]]
            for i in range(0, len(joined), step)
        ]
    assert all(left[1] <= right[0] for left, right in pairwise(joined))  # noqa: S101
    return [(first, end - first) for first, end in joined]


def _ruled_out(log: Log, filters: Sequence[object]) -> set[int]:
    """Ask the zone maps that are kept beside the log; computing them here would read columns on the driver."""
    if not log.is_whole:
        return set()
    ruled_out: set[int] = set()
    for one in filters:
        if not _has_zones(log, one):
            continue
        translated: Predicate = predicate(one, log.cache)
        proved = log.cache._prove(translated)  # noqa: SLF001
        ruled_out.update(number for number, answer in enumerate(proved) if answer is False)
    return ruled_out


def _has_zones(log: Log, what: object) -> bool:
    columns = spoken_of(what)
    names = log.cache.schema.names
    return columns is not None and all(
        (Path(log.path) / f"_zones.{names.index(name)}").exists() for name in columns
    )
