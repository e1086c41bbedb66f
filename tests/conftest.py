"""Caches over every tier, and a directory that is a disk."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import respool
from folders import file_system
from sources import SCHEMA, Source

MIB = 1 << 20
# A batch of sources.py takes about 2 KiB: "overflowing" memory holds two of them.
TIERS = {
    "memory": {},
    "log": {"memory_capacity": 1, "disk_capacity": 64 * MIB},
    "overflowing": {
        "memory_capacity": 5000,
        "disk_capacity": 64 * MIB,
        "write_policy": "on_eviction",
    },
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="prove the promises at length")
    parser.addoption("--environment", default="test", help="run the pages of docs/ that ask for it")


def pytest_configure() -> None:
    # A shell without job control has what it begins in the background ignore Ctrl-C, and whatever that begins.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def log_dir(tmp_path: Path) -> Iterator[Path]:
    """A new directory that is not on tmpfs, where a log would eat the memory it should save."""
    if file_system(tmp_path) != "tmpfs":
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name)


@pytest.fixture(params=TIERS)
def make(request: pytest.FixtureRequest, log_dir: Path) -> Callable[..., respool.StreamCache]:
    """Make a cache over a stream object, in each tier in turn; keywords override the tier's."""

    def make_cache(source: object, **options: object) -> respool.StreamCache:
        options = {**TIERS[request.param], **options}
        if "disk_capacity" in options:
            options["disk_path"] = log_dir
        return respool.StreamCache(
            source.reader() if isinstance(source, Source) else source, **options
        )

    make_cache.tier = request.param
    return make_cache


@pytest.fixture(params=TIERS)
def make_from_iterable(
    request: pytest.FixtureRequest, log_dir: Path
) -> Callable[..., respool.StreamCache]:
    """Make a cache over an iterable that respool iterates by itself, in each tier in turn."""

    def make_cache(source: object, **options: object) -> respool.StreamCache:
        tier = TIERS[request.param]
        sizes = {"disk": None}
        if "disk_capacity" in tier:
            sizes = {
                "memory": tier["memory_capacity"],
                "disk": tier["disk_capacity"],
                "directory": log_dir,
            }
        return respool.cache(source, **{"schema": SCHEMA, **sizes, **options})

    return make_cache
