"""Files that the system is made to forget, and what is read from the disk afterwards."""

import ctypes
import gc
import os
import time
from pathlib import Path

import pytest

MADV_DONTNEED = 4
LIBC = ctypes.CDLL(None, use_errno=True)
MIB = 1 << 20


def read_bytes() -> int:
    """What this process has had read from disks."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("read_bytes")))


def forget(directory: Path) -> None:
    """Have the system forget all files of a directory, nameless and mapped ones too.

    What is mapped and was touched stays in memory, so the maps forget first.
    """
    gc.collect()
    files = {str(path) for path in directory.rglob("*") if path.is_file()}
    for fd in Path("/proc/self/fd").iterdir():
        try:
            target = str(fd.readlink())
        except FileNotFoundError:  # the descriptor of this very listing
            continue
        if target.startswith(f"{directory}/") and target.endswith("(deleted)"):
            files.add(str(fd))
    for line in Path("/proc/self/maps").read_text().splitlines():
        entry = line.split(maxsplit=5)
        if len(entry) < 6 or not entry[5].startswith(f"{directory}/"):
            continue
        first, end = (int(part, 16) for part in entry[0].split("-"))
        forgot = LIBC.madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), MADV_DONTNEED)
        assert forgot == 0
        if entry[5].endswith("(deleted)"):
            # The only way to a nameless file whose descriptor was given back.
            files.add(f"/proc/self/map_files/{entry[0]}")
    for path in sorted(files):
        try:
            fd = os.open(path, os.O_RDONLY)
        except PermissionError as error:
            pytest.skip(f"a file without a name can't be opened here: {error}")
        os.fsync(fd)
        # What is still on its way stays.
        for _ in range(3):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            time.sleep(0.01)
        os.close(fd)


def check_counted(directory: Path) -> None:
    """Skip the test where the system does not count what a file has read from a disk, or does not forget."""
    path = directory / "counted"
    path.write_bytes(os.urandom(2 * MIB))
    forget(directory)
    before = read_bytes()
    path.read_bytes()
    counted = read_bytes() - before
    path.unlink()
    if counted < 2 * MIB:
        pytest.skip(f"2 MiB were read from a disk here, and the system counts {counted} bytes")
