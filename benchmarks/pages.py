"""Pages that the system is made to forget, and what is read from the disk afterwards."""

from __future__ import annotations

import ctypes
import gc
import os
from pathlib import Path

MADV_DONTNEED = 4
LIBC = ctypes.CDLL(None, use_errno=True)


def read_bytes() -> int:
    """What this process, with all its threads, has had read from disks."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("read_bytes")))


def forget(directory: Path) -> None:
    """Have the system forget all files of a directory, also those without a name that are mapped here.

    The latter are opened through `/proc/self/map_files`, for which one has to be root.
    """
    gc.collect()
    files = [path for path in directory.rglob("*") if path.is_file()]
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, *_, name = line.split(maxsplit=5)
        if not name.startswith(f"{directory}/"):
            continue
        # What a map has touched stays in memory.
        first, end = (int(part, 16) for part in addresses.split("-"))
        LIBC.madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), MADV_DONTNEED)
        if name.endswith("(deleted)"):
            files.append(Path("/proc/self/map_files") / addresses)
    for path in files:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
