"""A child in which caches end in one way, again and again, and that prints as JSON what they left."""

import ctypes
import gc
import json
import sys
from pathlib import Path

from promises.endings import ENDINGS, SIZES

TOGETHER = 50  # caches between two collections of garbage
ROUNDS = 3  # an allocator takes what it keeps in one of them, a leak grows in each
ENOUGH = 5 << 10  # KiB in a round


def left(directory: str) -> dict[str, int]:
    """What this process holds now, after everything that can be let go was."""
    for _ in range(3):
        gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    anonymous = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    maps = Path("/proc/self/maps").read_text().splitlines()
    return {
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "mapped files": sum(directory in line for line in maps),
        "KiB": int(anonymous.split()[1]),
    }


def main() -> None:
    directory, name, warm_up, caches = sys.argv[1:]
    SIZES["directory"] = directory
    end = ENDINGS[name]

    def many(count: int) -> None:
        for i in range(count):
            end()
            if i % TOGETHER == 0:
                gc.collect()

    many(int(warm_up))
    made = 0
    for _ in range(ROUNDS):
        before = left(directory)
        many(int(caches))
        made += int(caches)
        after = left(directory)
        grown = {what: after[what] - before[what] for what in before}
        if grown["KiB"] < ENOUGH:
            break
    print(json.dumps({"caches": made, **grown}))


if __name__ == "__main__":
    main()
