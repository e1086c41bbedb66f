"""A child of the hang matrix: pairs of consumers at once over one kind of source.

Prints ``begin first,second`` before each pair and ``right`` or ``wrong ...`` after it. When a pair takes
too long all stacks are printed and the process ends: a thread that holds the GIL stops for nothing less.
"""

import faulthandler
import os
import sys
import time

from processes import in_threads
from promises.hang_consumers import CONSUMERS
from promises.hang_sources import PAUSE, SOURCES, TRUTH

TOO_LONG = 20


def verdict(consumer: str, answer: object, *, closed: bool) -> str | None:
    """What is wrong with a consumer's answer, if anything is."""
    if isinstance(answer, BaseException):
        if closed and "closed" in str(answer):
            return None
        return f"{consumer}: {type(answer).__name__}: {answer}"
    if answer is not None and answer != TRUTH:
        return f"{consumer}: sum {answer}, not {TRUTH}"
    return None


def run(source: str, pair: list[str], sizes: dict[str, object]) -> list[str]:
    cache = SOURCES[source](sizes)
    first, second = (CONSUMERS[name] for name in pair)

    def late() -> object:
        time.sleep(PAUSE / 2)  # the other is in the middle of a pull
        return second(cache)

    answers = in_threads(lambda: first(cache), late, timeout=2 * TOO_LONG)
    closed = "close" in pair
    found = [verdict(name, it, closed=closed) for name, it in zip(pair, answers, strict=True)]
    if not closed:
        (again,) = in_threads(lambda: CONSUMERS["pyarrow"](cache), timeout=2 * TOO_LONG)
        found.append(verdict("afterwards", again, closed=False))
    return [fault for fault in found if fault]


def main() -> None:
    directory, source, *pairs = sys.argv[1:]
    spilling = {"memory": 5000, "directory": directory}
    for i, pair in enumerate(pairs):
        print("begin", pair, flush=True)
        faulthandler.dump_traceback_later(TOO_LONG, exit=True)
        faults = run(source, pair.split(","), spilling if i % 2 else {"disk": None})
        faulthandler.cancel_dump_traceback_later()
        print("wrong " + "; ".join(faults) if faults else "right", flush=True)
    os._exit(0)  # how interpreters end while engines' threads read is a promise of its own


if __name__ == "__main__":
    main()
