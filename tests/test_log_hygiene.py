"""A temporary log has no name: nothing is left, whatever happens."""

import os
import stat
from pathlib import Path

import pytest

import processes
import respool
from folders import file_system
from sources import Source

HOLDING = """
import sys, time
import respool
from sources import Source

cache = respool.StreamCache(Source().reader(), 1, sys.argv[1], "10 MiB")
cache.ingest_all()
print("ready", flush=True)
time.sleep(60)
"""


def open_files(directory: object) -> list[tuple[int, str]]:
    """The descriptors of this process whose file lies, or lay, in ``directory``."""
    found = []
    for fd in Path("/proc/self/fd").iterdir():
        try:
            target = str(fd.readlink())
        except FileNotFoundError:  # the descriptor of this very listing
            continue
        if target.startswith(str(directory)):
            found.append((int(fd.name), target))
    return found


def test_nothing_is_left_after_a_kill(log_dir):
    child = processes.start(HOLDING, log_dir)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        assert list(log_dir.rglob("*")) == []
        child.kill()
        child.communicate()
    assert list(log_dir.rglob("*")) == []


def test_an_open_log_is_nameless_and_private(log_dir):
    cache = respool.StreamCache(Source().reader(), 1, log_dir, "10 MiB")
    cache.ingest_all()
    files = open_files(log_dir)
    assert files
    for fd, target in files:
        assert target.endswith("(deleted)")
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600


def test_closing_gives_the_files_back(log_dir):
    cache = respool.StreamCache(Source().reader(), 1, log_dir, "10 MiB")
    cache.ingest_all()
    cache.close()
    assert open_files(log_dir) == []


def test_two_caches_share_a_directory(log_dir):
    one, other = (respool.StreamCache(Source().reader(), 1, log_dir, "10 MiB") for _ in range(2))
    assert [one.ingest_all(), other.ingest_all()] == [5, 5]


def test_a_directory_on_tmpfs_is_refused():
    if not Path("/dev/shm").is_dir() or file_system("/dev/shm") != "tmpfs":  # noqa: S108
        pytest.skip("no tmpfs on /dev/shm")
    with pytest.raises((OSError, ValueError), match="tmpfs"):
        respool.StreamCache(Source().reader(), 1, "/dev/shm", "10 MiB")  # noqa: S108
