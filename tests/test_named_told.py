"""What somebody is told for whom named caches can do nothing: by whom, where, and what to do."""

import pwd
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import respool
from respool._named import lock
from sources import SCHEMA, Source


def fill():
    return Source().reader()


def test_who_waits_for_a_thread_of_this_process_is_told_so(log_dir):
    def fill():
        def ask():
            respool.named("trips", Source().reader, directory=log_dir, timeout=0.2)

        with ThreadPoolExecutor() as threads:
            threads.submit(ask).result()

    with pytest.raises(TimeoutError, match=r"another thread of this process.*: ask again, or"):
        respool.named("trips", fill, directory=log_dir)


def test_without_a_home_it_says_what_to_set(monkeypatch):
    def nobody(uid):
        raise KeyError(uid)

    for name in ("HOME", "RESPOOL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for use in (
        lambda: respool.named("trips", fill),
        respool.ls,
        respool.prune,
        lambda: respool.rm("trips"),
    ):
        with pytest.raises(ValueError, match="set RESPOOL_CACHE_DIR, or pass directory="):
            use()


def test_an_error_of_the_system_says_what_was_done_and_what_to_do(log_dir):
    (log_dir / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"cannot look at it.*RESPOOL_CACHE_DIR") as error:
        respool.named("trips", fill, directory=log_dir / "file" / "caches")
    assert error.value.filename == str(log_dir / "file" / "caches")


def test_where_nothing_can_be_made_it_says_so():
    place = "/proc/caches" if sys.platform == "linux" else "/dev/caches"
    with pytest.raises(OSError, match=r"cannot make the directory: .*RESPOOL_CACHE_DIR") as error:
        respool.named("trips", fill, directory=place)
    assert error.value.filename == place


async def awaited():
    return Source().reader()


async def awaited_batches():
    yield Source().reader()


@pytest.mark.parametrize(
    ("fill", "hint"),
    [
        (awaited, "not awaited"),
        (awaited_batches, "not awaited"),
        (partial(lambda fill: fill(), awaited), "not awaited.*coroutine"),
        (partial(lambda fill: fill(), awaited_batches), "not awaited.*async_generator"),
        (lambda: None, "return"),
        (lambda: "trips.parquet", r"pyarrow\.dataset"),
        (lambda: Path("trips.parquet"), r"pyarrow\.dataset"),
        (lambda: {"n": [1]}, r"pyarrow\.table"),
    ],
)
def test_what_a_fill_gives_in_place_of_a_source_has_a_hint(log_dir, fill, hint):
    with pytest.raises(TypeError, match=f"^fill .*{hint}"):
        respool.named("trips", fill, directory=log_dir, schema=SCHEMA)


def test_who_waits_for_nothing_is_not_told_of_who_only_looks(log_dir, monkeypatch):
    """Another process that tidies up, or prunes, has the lock for some milliseconds."""
    tried, times = lock._tried, []

    def busy_at_first(home):
        times.append(1)
        return None if len(times) == 1 else tried(home)

    monkeypatch.setattr(lock, "_tried", busy_at_first)
    respool.named("trips", fill, directory=log_dir, timeout=0).close()
    assert len(times) == 2


def test_an_error_of_the_fill_stays_as_it_is(log_dir):
    def opens():
        return (log_dir / "missing" / "trips.parquet").open("x")

    with pytest.raises(FileNotFoundError) as error:
        respool.named("trips", opens, directory=log_dir)
    assert error.value.strerror == "No such file or directory"
