"""Rounds and tables: what every subject shares.

Contenders take turns, in another order each round, so that whatever the machine does besides, and what
a contender leaves behind for the next one, hits all of them alike. A contender does its own untimed
preparation and returns the seconds that count.
"""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = int(os.environ.get("ROUNDS", "7"))


@dataclass(frozen=True)
class Claim:
    """``ours`` takes at most ``wanted`` times what ``peer`` takes; no figure: for information."""

    ours: str
    peer: str
    wanted: float | None = None


def timed(task: Callable[[], object], times: int = 1) -> float:
    """Seconds per call, without the garbage of those before."""
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        for _ in range(times):
            task()
        return (time.perf_counter() - began) / times
    finally:
        gc.enable()


def rounds(contenders: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Let each contender warm up once, then take turns."""
    for contender in contenders.values():
        contender()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    turns = list(contenders.items())
    order = random.Random(0)
    for _ in range(ROUNDS):
        order.shuffle(turns)
        for name, contender in turns:
            seconds[name].append(contender())
    return seconds


def table(
    title: str, seconds: dict[str, list[float]], claims: list[Claim], unit: str = "ms"
) -> None:
    """Print one line per claim: best and median of each side, the ratio of the bests, the verdict."""
    scale = {"ms": 1e3, "us": 1e6}[unit]
    print(f"\n{title}")
    print(f"{f'{ROUNDS} rounds, best (median), {unit}':<34}{'ours':>18}", end="")
    print(f"{'peer':>18}  {'':<34}{'ratio':>7}{'wanted':>8}")
    for claim in claims:
        ours, peer = seconds[claim.ours], seconds[claim.peer]
        ratio = min(ours) / min(peer)
        print(f"{claim.ours:<34}{_figures(ours, scale):>18}{_figures(peer, scale):>18}", end="")
        print(f"  {claim.peer:<34}{ratio:>6.2f}x{verdict(ratio, claim.wanted, 'x')}", flush=True)
    _record(title, seconds, unit)


def board(title: str, seconds: dict[str, list[float]], ours: list[str]) -> None:
    """Print one line per contender, the fastest first: best and median, and how often each of ours fits in."""
    print(f"\n{title}")
    heads = "".join(f"{f'/ {name}':>24}" for name in ours)
    print(f"{f'{len(seconds[ours[0]])} rounds, ms':<34}{'best (median)':>18}{heads}")
    for name, times in sorted(seconds.items(), key=lambda one: min(one[1])):
        ratios = "".join(f"{min(times) / min(seconds[one]):>23.2f}x" for one in ours)
        print(f"{name:<34}{_figures(times, 1e3):>18}{ratios}", flush=True)
    _record(title, seconds, "ms")


def _record(title: str, seconds: dict[str, list[float]], unit: str) -> None:
    """Add what was measured to the file that BENCH_RECORD names, a line of JSON each, for ``page.py``."""
    if path := os.environ.get("BENCH_RECORD"):
        figures = {name: [min(times), statistics.median(times)] for name, times in seconds.items()}
        with Path(path).open("a") as lines:
            lines.write(json.dumps({"title": title, "unit": unit, "seconds": figures}) + "\n")


def verdict(figure: float, wanted: float | None, unit: str) -> str:
    if wanted is None:
        return ""
    return f"{wanted:>7g}{unit} {'ok' if figure <= wanted else 'OVER'}"


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A directory on a disk; BENCH_DIR says which."""
    return tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp"))  # noqa: S108


def _figures(values: list[float], scale: float) -> str:
    return f"{min(values) * scale:.2f} ({statistics.median(values) * scale:.2f})"
