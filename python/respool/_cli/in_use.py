"""Who uses a log now, as far as the system tells, without taking a lock that would be in somebody's way."""

import os
from contextlib import suppress
from pathlib import Path

_LOCKS = Path("/proc/locks")


def processes(log: Path) -> list[int]:
    """Return the processes that write or read a log. Empty also where the system does not tell.

    A process in another container has no number here, and is told as 0 or not at all.
    """
    wanted = set()
    for path in (log, log / "_lock"):
        with suppress(OSError):
            there = path.stat()
            major, minor = os.major(there.st_dev), os.minor(there.st_dev)
            wanted.add(f"{major:02x}:{minor:02x}:{there.st_ino}")
    found = set()
    with suppress(OSError):
        for line in _LOCKS.read_text().splitlines():
            # "1: FLOCK  ADVISORY  READ 4711 fe:01:1234 0 EOF", with "->" behind the number of who waits
            fields = line.replace("-> ", "").split()
            if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] in wanted:  # noqa: PLR2004
                found.add(max(0, int(fields[4])))
    return sorted(found)
