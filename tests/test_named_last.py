"""The last whole log of a name stays until the one that is filled in its place is whole."""

import errno
import gc
import os
import signal
import subprocess
import time

import pyarrow as pa
import pytest

import processes
import respool
from folders import inside
from respool.exceptions import DiskCapacityError
from sources import SCHEMA, Source, SourceBrokeError, expected


@pytest.fixture
def place(log_dir):
    """A directory with a complete cache of two batches."""
    directory = log_dir / "caches"
    respool.named("trips", Source(2).reader, key="old", directory=directory, ingest=True).close()
    return directory


def failing():
    return Source(fail_at=3)


def refresh(place, fill=lambda: Source(5), **options):
    options = {"key": "old", "ttl": 0, "schema": SCHEMA, "ingest": True, **options}
    return respool.named("trips", fill, directory=place, **options)


def rows(place, fill=None, **options):
    with respool.named("trips", fill, directory=place, **options) as cache:
        return pa.table(cache).num_rows


def fails(place, monkeypatch):
    with pytest.raises(SourceBrokeError):
        refresh(place, failing)


def is_closed(place, monkeypatch):
    with refresh(place, ingest=False) as cache:
        next(cache.reader())


def is_interrupted(place, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        refresh(place, lambda: Source(fail_at=3, error=KeyboardInterrupt()))


def is_full(place, monkeypatch):
    with pytest.raises(DiskCapacityError):
        refresh(place, lambda: Source(100), quota="60 KB")


KILLED = """
import os, signal, sys
import respool
from sources import Source

cache = respool.named("trips", Source(5).reader, key="old", ttl=0, directory=sys.argv[1])
next(cache.reader())
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_killed(place, monkeypatch):
    child = processes.start(KILLED, place)
    child.communicate(timeout=50)
    assert child.returncode == -signal.SIGKILL


ENDS = [fails, is_closed, is_interrupted, is_full, is_killed]


@pytest.mark.parametrize("end", ENDS)
def test_a_fill_that_ends_early_leaves_the_last_whole_log(place, monkeypatch, end):
    for _ in range(2):
        end(place, monkeypatch)
        (one,) = respool.ls(place)
        assert one.state in {"failed", "abandoned"}
        assert one.kept == place / "trips" / "00000001"
        assert rows(place) == rows(place, key="old") == 200
        assert rows(place, pytest.fail, key="old", ttl=3600) == 200
        with pytest.raises(FileNotFoundError, match="another key"):
            respool.named("trips", key="new", directory=place)
        files = [path for log in (one.path, one.kept) for path in log.rglob("*")]
        assert one.nbytes == sum(path.stat().st_size for path in files) >= 2 * 1000
    refresh(place, key="new", ttl=None).close()
    assert rows(place) == 500
    gc.collect()  # an error that was raised held its cache
    assert respool.prune(directory=place) == []
    assert len(inside(place / "trips")) == 2
    (one,) = respool.ls(place)
    assert (one.state, one.kept) == ("complete", None)


def test_what_is_too_old_is_not_fallen_back_to(place, monkeypatch):
    refresh(place, key="new", ttl=60).close()
    with pytest.raises(SourceBrokeError):
        refresh(place, failing, key="new")
    assert rows(place, pytest.fail, key="new") == 500
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    with pytest.raises(FileNotFoundError, match="not whole"):
        respool.named("trips", directory=place)
    assert rows(place, Source(7).reader, key="new") == 700


def test_who_asks_while_it_is_filled_anew_follows_the_fill(place):
    filling = refresh(place, ingest=False)
    next(filling.reader())
    assert respool.named("trips", directory=place).ingested_count == 1
    assert respool.named("trips", pytest.fail, key="old", directory=place).ingested_count == 1
    assert pa.table(filling).equals(expected(5))


def test_who_asks_for_the_old_key_while_another_is_filled_gets_it(place):
    filling = refresh(place, key="new", ttl=None, ingest=False)
    next(filling.reader())
    assert rows(place, pytest.fail, key="old") == 200
    assert filling.ingest_all() == 5
    calls = []
    assert rows(place, lambda: calls.append(1) or Source(3).reader(), key="old") == 300
    assert calls == [1]


@pytest.mark.parametrize("who", ["filler", "named", "prune"])
def test_what_was_replaced_is_removed_when_the_new_one_is_whole(place, who):
    filling = refresh(place, key="new", ttl=None, ingest=who == "filler")
    if who != "filler":
        assert inside(place / "trips") == ["00000001", "00000002", "lock"]
        assert filling.ingest_all() == 5
        filling.close()
    if who == "named":
        assert rows(place, pytest.fail, key="new") == 500
    elif who == "prune":
        assert respool.prune(directory=place) == []
    assert inside(place / "trips") == ["00000002", "lock"]


def test_prune_leaves_the_last_whole_log_of_a_name_or_nothing(place, monkeypatch):
    is_closed(place, monkeypatch)
    assert respool.prune(older_than=3600, directory=place) == []
    assert rows(place) == 200
    cache = respool.named("trips", directory=place)
    assert respool.prune(max_bytes=0, directory=place) == []
    assert pa.table(cache).equals(expected(2))
    assert rows(place) == 200
    cache.close()
    assert respool.prune(max_bytes=0, directory=place) == ["trips"]
    assert inside(place) == []


def test_where_the_quota_has_no_room_for_both_the_old_one_goes_first(place):
    refresh(place, lambda: Source(2, rows=5000), key="new", ttl=None).close()
    quota = sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) * 3 // 2
    for key in ("1", "2", "3"):
        refresh(place, lambda: Source(2, rows=5000), key=key, ttl=None, quota=quota).close()
        assert rows(place) == 10_000


def test_a_damaged_new_one_is_no_reason_to_let_the_old_one_go(place):
    refresh(place, key="old", ingest=False).close()
    (place / "trips" / "00000002" / "_manifest").write_bytes(b"nothing")
    assert rows(place, pytest.fail, key="old") == 200
    assert rows(place) == 200


READING = """
import sys
import respool
from sources import Source

cache = respool.named("trips", directory=sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(sum(batch.num_rows for batch in cache), flush=True)
"""


def test_old_readers_keep_theirs(place):
    child = processes.start(READING, place, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        refresh(place, key="new", ttl=None).close()
        assert rows(place) == 500
        assert inside(place / "trips") == ["00000001", "00000002", "lock"]
        out, _ = child.communicate("\n")
        assert out == "200\n"
    assert rows(place) == 500
    assert inside(place / "trips") == ["00000002", "lock"]


def test_what_was_interrupted_is_gone_on_with(place):
    with pytest.raises(KeyboardInterrupt):
        refresh(place, lambda: Source(fail_at=3, error=KeyboardInterrupt()), key="new", ttl=3600)
    gc.collect()
    (one,) = respool.ls(place)
    source = Source(5)
    with respool.resume(one.path, source, schema=SCHEMA) as cache:
        assert cache.ingest_all() == 5
    (whole,) = respool.ls(place)
    assert (whole.path, whole.state, whole.rows) == (one.path, "complete", 500)
    assert (whole.created, whole.expires, whole.key) == (one.created, one.expires, "new")
    assert rows(place, pytest.fail, key="new", ttl=3600) == 500
    assert inside(place / "trips") == ["00000002", "lock"]


def test_without_fill_it_says_how_to_go_on(log_dir):
    respool.named("half", Source().reader, directory=log_dir).close()
    with pytest.raises(FileNotFoundError, match=r"respool\.resume\('.*/half/00000001', source\)"):
        respool.named("half", directory=log_dir)


def test_what_is_gone_on_with_here_is_what_its_name_stands_for(log_dir):
    with respool.named("trips", Source(3, fail_at=1).reader, directory=log_dir) as filling:
        next(filling.reader())
    (left,) = respool.ls(log_dir)
    assert left.state == "abandoned"
    cache = respool.resume(left.path, Source(3))
    assert rows(log_dir, pytest.fail) == 300
    assert cache.complete


@pytest.mark.parametrize("quota", [None, "1 GB"])
def test_what_becomes_whole_while_another_one_begins_stays(log_dir, quota):
    first = respool.named("trips", Source(2).reader, key="first", directory=log_dir)

    def second():
        first.ingest_all()
        first.close()
        yield from Source(2, fail_at=1)

    with pytest.raises(SourceBrokeError):
        refresh(log_dir, second, key="second", ttl=None, schema="first", quota=quota)
    assert rows(log_dir, pytest.fail, key="first") == 200


@pytest.mark.parametrize("tidies", [False, True])
def test_what_can_not_be_looked_at_for_a_moment_is_not_taken_for_damaged(
    place, monkeypatch, tidies
):
    look = respool._native._peek

    def peek(path):
        if path.name == "00000001":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return look(path)

    def fill():
        if not tidies:
            monkeypatch.setattr(respool._native, "_peek", peek)
        return Source(fail_at=1)

    with pytest.raises(SourceBrokeError):
        refresh(place, fill, key="new")
    gc.collect()
    monkeypatch.setattr(respool._native, "_peek", peek)
    assert respool.prune(directory=place) == []
    monkeypatch.undo()
    assert rows(place, pytest.fail, key="old") == 200
