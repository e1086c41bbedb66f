"""Who uses a log now, as far as the system tells, without taking a lock that would be in somebody's way."""

import os
from contextlib import suppress
from pathlib import Path

_LOCKS = Path("/proc/locks")


def holders() -> dict[str, set[int]]:
    """Return the processes that hold locks, by the files that they lock. Empty where the system does not tell."""
    found: dict[str, set[int]] = {}
    with suppress(OSError):
        for line in _LOCKS.read_text().splitlines():
            # "1: FLOCK  ADVISORY  READ 4711 fe:01:1234 0 EOF", with "->" behind the number of who waits
            fields = line.replace("-> ", "").split()
            if len(fields) > 5 and fields[1] == "FLOCK":  # noqa: PLR2004
                found.setdefault(fields[5], set()).add(max(0, int(fields[4])))
    return found


def processes(log: Path, held: dict[str, set[int]] | None = None) -> list[int]:
    """Return the processes that write or read a log. Empty also where the system does not tell.

    A process in another container has no number here, and is told as 0 or not at all.

    Parameters
    ----------
    log
        The directory of the log.
    held
        What :func:`holders` said; None asks.
    """
    held = holders() if held is None else held
    return sorted(of_file(log, held) | of_file(log / "_lock", held))


def of_file(path: Path, held: dict[str, set[int]]) -> set[int]:
    """Return those of the processes that hold a lock on a file or directory."""
    with suppress(OSError):
        there = path.stat()
        major, minor = os.major(there.st_dev), os.minor(there.st_dev)
        return held.get(f"{major:02x}:{minor:02x}:{there.st_ino}", set())
    return set()
