"""A batch that can't be stored: an error, and after room is made the replay is whole."""

import errno
import os
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest

import processes
import respool
from consumers import ENGINES
from respool.exceptions import DiskCapacityError, MemoryCapacityError
from sources import Source, batch, expected, rows_of


@pytest.mark.parametrize("consumer", ENGINES)
def test_memory_full_and_no_log(consumer):
    source = Source()
    cache = respool.StreamCache(source.reader(), memory_capacity=5000)
    for _ in range(3):
        with pytest.raises(MemoryError):
            cache.ingest_all()
        with pytest.raises(Exception):  # noqa: B017, PT011
            ENGINES[consumer](cache)
    assert not cache.upstream_exhausted
    cache.resize(memory="1 MiB")
    for _ in range(2):
        assert ENGINES[consumer](cache) == rows_of(5)
    assert source.pulls == 6


def test_a_batch_larger_than_all_memory():
    source = Source(3, rows=10_000)
    cache = respool.StreamCache(source.reader(), memory_capacity=1000)
    with pytest.raises(MemoryCapacityError):
        next(cache.reader())
    cache.resize(memory="10 MiB")
    assert pa.table(cache).equals(expected(3, 10_000))
    assert source.pulls == 4


def test_a_reader_goes_on_where_it_met_the_error():
    cache = respool.StreamCache(Source().reader(), memory_capacity=5000)
    reader = cache.reader()
    read = []
    with pytest.raises(MemoryError):
        read.extend(iter(lambda: next(reader), None))
    cache.resize(memory="1 MiB")
    seen = cache.ingested_count
    assert [*reader][-1] == batch(4)
    assert seen < 5


@pytest.mark.parametrize("policy", ["on_insertion", "on_eviction"])
def test_the_quota_is_reached_and_raised(log_dir, policy):
    source = Source(20)
    cache = respool.StreamCache(source.reader(), 2500, log_dir, 16_384, policy)
    for _ in range(3):
        with pytest.raises(DiskCapacityError, match=r"16[,_ ]?384|16(\.0)? KiB") as caught:
            cache.ingest_all()
        assert caught.value.errno == errno.ENOSPC
    stored = cache.ingested_count
    assert 0 < stored < 20
    assert cache.metrics()["log_bytes"] <= 16_384
    reader = cache.reader()
    assert [next(reader) for _ in range(stored)] == [batch(i) for i in range(stored)]
    with pytest.raises(OSError, match=r"."):
        next(reader)
    cache.resize(disk="1 MiB")
    for _ in range(2):
        assert pa.table(cache).equals(expected(20))
    assert source.pulls == 21


@pytest.mark.parametrize("consumer", ENGINES)
def test_engines_get_the_quotas_error_and_then_the_whole_stream(log_dir, consumer):
    cache = respool.StreamCache(Source(20).reader(), 2500, log_dir, 16_384)
    for _ in range(2):
        with pytest.raises(Exception):  # noqa: B017, PT011
            ENGINES[consumer](cache)
    cache.resize(disk="1 MiB")
    assert ENGINES[consumer](cache) == rows_of(20)


def test_room_in_memory_also_serves_a_full_log(log_dir):
    cache = respool.StreamCache(Source(20).reader(), 2500, log_dir, 16_384, "on_eviction")
    with pytest.raises(OSError, match=r"."):
        cache.ingest_all()
    cache.resize(memory="1 MiB")
    assert pa.table(cache).equals(expected(20))


FILE_SIZE_LIMIT = """
import resource, sys
import pyarrow as pa, respool
from sources import Source, expected

hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
source = Source(20)
cache = respool.StreamCache(source.reader(), 1, sys.argv[1], "10 MiB")
for _ in range(3):
    try:
        pa.table(cache)
    except OSError as error:
        pass
    else:
        sys.exit("a read ended although the log could not be written")
    try:
        cache.ingest_all()
    except OSError as error:
        assert error.errno, error
assert not cache.upstream_exhausted
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert pa.table(cache).equals(expected(20))
assert source.pulls == 21, source.pulls
print("whole")
"""


def test_the_operating_system_refuses_to_write(log_dir):
    assert processes.run(FILE_SIZE_LIMIT, log_dir).strip() == "whole"


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of its own, 8 MiB, full but for a filler that can be removed."""
    image, point = tmp_path / "disk", tmp_path / "mounted"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(8 << 20)
    for command in (["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, point]):
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting a disk image needs root and loop devices")
    yield point
    subprocess.run(["umount", "-l", point], check=True)


def test_the_disk_is_full_and_then_freed(small_disk):
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    with filler.open("wb") as file:
        file.write(bytes(free.f_bavail * free.f_bsize - 200_000))
    source = Source(20, rows=5000)
    cache = respool.StreamCache(source.reader(), 1, small_disk, "100 MiB")
    for _ in range(3):
        with pytest.raises(OSError, match=r".") as caught:
            cache.ingest_all()
        assert caught.value.errno == errno.ENOSPC
    stored = cache.ingested_count
    assert pa.table(cache.prefix()).equals(expected(stored, 5000))
    filler.unlink()
    assert pa.table(cache).equals(expected(20, 5000))
    assert source.pulls == 21
    cache.close()
