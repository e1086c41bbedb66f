"""What another process does between two steps of somebody who asks for a name, made certain."""

import os
import sys
import time
from contextlib import ExitStack, contextmanager

import pyarrow as pa
import pytest

import respool
from folders import inside
from respool import _ours
from respool._named import layout, lock, place, removal


@pytest.fixture
def put(log_dir):
    def put(key):
        fill = lambda: pa.table({"key": [key]})  # noqa: E731
        return respool.named("trips", fill, key=key, directory=log_dir, ingest=True)

    return put


def test_a_log_that_takes_the_place_of_another_is_not_given_for_its_key(log_dir, put, monkeypatch):
    put("a").close()
    opened = respool._native.open

    def meanwhile(path, **options):
        monkeypatch.setattr(respool._native, "open", opened)
        respool.rm("trips", log_dir)
        put("b").close()
        return opened(path, **options)

    monkeypatch.setattr(respool._native, "open", meanwhile)
    with pytest.raises(FileNotFoundError):
        respool.named("trips", key="a", directory=log_dir)


def test_a_removal_that_is_cut_short_brings_nothing_back(log_dir, put, monkeypatch):
    monday = put("monday")
    put("tuesday").close()

    def killed(home):
        raise KeyboardInterrupt

    monkeypatch.setattr(removal, "bury", killed)
    with pytest.raises(KeyboardInterrupt):
        respool.prune(max_bytes=0, directory=log_dir)
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError):
        respool.named("trips", directory=log_dir)
    assert pa.table(monday)["key"].to_pylist() == ["monday"]


@pytest.mark.parametrize(
    ("where", "options"),
    [
        ("sweep", {}),
        ("sweep", {"quota": "1 MB"}),
        ("tidy", {"ingest": True}),
        ("held", {}),
    ],
)
def test_who_is_interrupted_before_he_gets_the_cache_leaves_the_name(
    log_dir, put, monkeypatch, where, options
):
    """Who has the exception, as a shell does, has the frames that it came through."""
    put("old").close()

    def interrupted(*_):
        raise KeyboardInterrupt

    @contextmanager
    def held(*_, **__):
        yield
        raise KeyboardInterrupt

    if where == "held":
        monkeypatch.setattr(lock, "held", held)
    else:
        monkeypatch.setattr(removal, where, interrupted)
    with pytest.raises(KeyboardInterrupt) as kept:
        respool.named(
            "trips", lambda: pa.table({"x": [1]}), key="new", directory=log_dir, **options
        )
    monkeypatch.undo()
    (one,) = respool.ls(log_dir)
    assert one.state == ("complete" if where == "tidy" else "abandoned")
    assert respool.rm("trips", log_dir) is None
    assert inside(log_dir) == []
    assert kept.value is not None


def test_a_quota_that_others_have_used_up_is_nought(log_dir, put, monkeypatch):
    put("a").close()
    swept = removal.sweep

    def meanwhile(home, *keep):
        swept(home, *keep)
        grown = home.log(1)
        grown.mkdir(exist_ok=True)
        (grown / "00000000.arrow").write_bytes(os.urandom(1 << 20))

    monkeypatch.setattr(removal, "sweep", meanwhile)
    cache = respool.named(
        "trips", lambda: pa.table({"x": [1]}), key="b", directory=log_dir, quota="100 KiB"
    )
    assert cache.metrics()["log_capacity"] == 0


def test_prune_spares_what_is_filled_just_before_it_locks_the_name(log_dir, put, monkeypatch):
    (log_dir / "trips").mkdir(mode=0o700)
    (log_dir / "trips" / "lock").write_bytes(layout.MARK)
    held = lock.held

    def meanwhile(home, timeout):
        monkeypatch.setattr(lock, "held", held)
        put("a").close()
        return held(home, timeout)

    monkeypatch.setattr(lock, "held", meanwhile)
    assert respool.prune(directory=log_dir) == []
    assert [one.name for one in respool.ls(log_dir)] == ["trips"]


def test_prune_spares_what_is_used_just_before_it_locks_the_name(log_dir, put, monkeypatch):
    put("a").close()
    os.utime(log_dir / "trips" / "lock", (0, 0))
    held = lock.held

    def meanwhile(home, timeout):
        monkeypatch.setattr(lock, "held", held)
        put("a").close()
        return held(home, timeout)

    monkeypatch.setattr(lock, "held", meanwhile)
    assert respool.prune(older_than=3600, directory=log_dir) == []
    assert [one.name for one in respool.ls(log_dir)] == ["trips"]


def test_a_grave_that_another_process_sweeps_before_anything_is_in_it(log_dir, put, monkeypatch):
    put("a").close()
    made = place.made

    def swept(directory):
        there = made(directory)
        if directory.name.startswith(".removed-"):
            monkeypatch.setattr(place, "made", made)
            respool.prune(directory=log_dir)
        return there

    monkeypatch.setattr(place, "made", swept)
    respool.rm("trips", log_dir)
    assert inside(log_dir) == []


def test_what_is_left_just_before_it_is_followed_is_filled_anew(log_dir, monkeypatch):
    def batches():
        schema = pa.schema({"n": pa.int64()})
        made = (pa.record_batch({"n": [i]}, schema) for i in range(3))
        return pa.RecordBatchReader.from_batches(schema, made)

    left = respool.named("trips", batches, directory=log_dir)
    next(left.reader())
    looked = respool._native._peek
    seen = []

    def closed(path):
        about = looked(path)
        seen.append(about["state"])
        left.close()
        return about

    held = lock.held

    def and_then(home, timeout, **options):
        monkeypatch.setattr(respool._native, "_peek", closed)
        return held(home, timeout, **options)

    # As if another process filled it.
    monkeypatch.setattr(_ours, "share", lambda identity: None)
    monkeypatch.setattr(lock, "held", and_then)
    with respool.named("trips", batches, directory=log_dir) as again:
        assert again.to_arrow()["n"].to_pylist() == [0, 1, 2]
    assert seen[0] == "growing"


def test_who_waits_in_vain_may_look_for_the_holder_while_others_lock(log_dir):
    with ExitStack() as others:

        def another(frame, event, arg):
            if "weakref" in frame.f_code.co_filename and event == "line":
                others.enter_context(
                    lock.held(log_dir / f"{frame.f_lineno}-{time.time_ns()}", None)
                )
            return another

        with lock.held(log_dir / "held", None), lock.held(log_dir / "second", None):
            before = sys.gettrace()
            sys.settrace(another)
            try:
                with pytest.raises(TimeoutError, match="of this process"):
                    lock.held(log_dir / "held", 0).__enter__()
            finally:
                sys.settrace(before)


def test_a_name_that_is_taken_away_and_made_anew_holds_nothing_of_others(log_dir, put, monkeypatch):
    (log_dir / "trips").mkdir(0o700)
    free = layout.is_free

    def meanwhile(path):
        # It held a file to lock, which is gone when one looks for what it holds.
        monkeypatch.setattr(layout, "is_free", free)
        return False

    monkeypatch.setattr(layout, "is_free", meanwhile)
    assert pa.table(put("a"))["key"].to_pylist() == ["a"]
