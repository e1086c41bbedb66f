"""What shows a log with a path pickles as where that is; everything else says how to get there."""

import copy
import gc
import multiprocessing
import pickle
import shutil
import weakref

import pyarrow as pa
import pytest

import processes
import respool
from sources import Source, expected
from working import VIEWS, caches_of, persistent, rows


@pytest.fixture
def cache(log_dir):
    with persistent(Source(5), log_dir) as cache:
        yield cache


def there_and_back(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("stored", [0, 2, 5])
def test_a_view_comes_back(cache, view, stored):
    if stored:
        cache.batch(stored - 1)
    shown = VIEWS[view](cache)
    back = there_and_back(shown)
    assert back.schema == shown.schema
    assert [rows(back), rows(back)] == [rows(shown)] * 2
    assert (repr(back), type(back)) == (repr(shown), type(shown))


def test_who_pickled_it_gets_his_own_cache(cache):
    """Another one would wait for this process to go on."""
    assert there_and_back(cache) is cache
    assert there_and_back(cache.slice(1)).cache is cache
    assert copy.copy(cache) is cache
    assert copy.deepcopy([cache.select("n")])[0].cache is cache
    assert cache.ingested_count == 0


def test_a_view_that_shows_everything_stays_a_view(cache):
    back = there_and_back(cache.slice(0))
    assert type(back) is respool.StreamCacheView
    assert back.cache is cache


def test_a_pickle_is_short_and_holds_no_rows(cache):
    cache.ingest_all()
    pickled = pickle.dumps(cache.filter([("n", ">", 3)]).slice(4))
    assert len(pickled) < 400
    assert b"row 7" not in pickled


def test_another_process_opens_a_log_once(cache):
    cache.ingest_all()
    pickled = pickle.dumps(cache.select("n"))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(caches_of, (pickled, 8)) == 1


def test_a_cache_that_was_closed_is_opened_again(log_dir):
    with persistent(Source(5), log_dir) as cache:
        cache.ingest_all()
        pickled = pickle.dumps([cache, cache.slice(450)])
    whole, end = pickle.loads(pickled)
    assert pa.table(whole) == expected(5)
    assert end.cache is whole
    assert end.num_rows == 50
    whole.close()
    with pytest.raises(ValueError, match="closed"):
        pickle.dumps(whole)


def test_nothing_is_kept_open_for_a_pickle(log_dir):
    cache = persistent(Source(5), log_dir)
    cache.ingest_all()
    pickled = pickle.dumps(cache)
    for unpickle in (None, pickle.loads, pickle.loads):
        if unpickle:
            cache = unpickle(pickled)
            assert unpickle(pickled) is cache
        alive = weakref.ref(cache)
        del cache
        gc.collect()
        assert alive() is None
    assert pa.table(pickle.loads(pickled)) == expected(5)


WAITS = """
import pickle, sys, time
from pathlib import Path

view = pickle.loads(Path(sys.argv[1]).read_bytes())
print(view.cache.metrics()["memory_capacity"])
reader = view.reader()
next(reader)
began = time.monotonic()
try:
    next(reader)
except TimeoutError:
    print(time.monotonic() - began < 10)
"""


FILLS = """
import sys, time
import respool
from sources import SCHEMA, Source

cache = respool.cache(Source(5), schema=SCHEMA, path=sys.argv[1])
cache.batch(0)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_worker_waits_no_longer_and_holds_no_more_than_was_asked(log_dir):
    path = log_dir / "filled"
    child = processes.start(FILLS, path)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        with respool.open(path, timeout=0.2, memory=12345) as opened:
            (log_dir / "pickled").write_bytes(pickle.dumps(opened.slice(0)))
        assert processes.run(WAITS, log_dir / "pickled").split() == ["12345", "True"]


def test_without_bounds_a_worker_has_none(cache):
    cache.ingest_all()
    with respool.open(cache.path, memory=None) as opened:
        _, arguments = opened.__reduce__()
    assert arguments[3:] == (None, None)


def test_a_log_that_is_gone_is_said_to_be(cache, log_dir):
    cache.ingest_all()
    pickled = pickle.dumps(cache.select("n"))
    cache.close()
    shutil.rmtree(cache.path)
    with pytest.raises(FileNotFoundError) as gone:
        pickle.loads(pickled)
    assert "log" in str(gone.value)
    with persistent(Source(5), log_dir) as other:
        other.ingest_all()
    with pytest.raises(FileNotFoundError, match="another one is in its place") as replaced:
        pickle.loads(pickled)
    assert replaced.value.filename == str(cache.path)


def test_others_say_how_to_get_there(make):
    cache = make(Source())
    for thing in (cache, cache.select(["n"])):
        with pytest.raises(
            TypeError, match=r"cannot pickle a cache.*respool\.cache\(source, path="
        ):
            pickle.dumps(thing)
        with pytest.raises(TypeError, match="cannot pickle"):
            copy.copy(thing)
    assert cache.ingested_count == 0


def test_readers_and_what_belongs_to_them_do_not_pickle(cache):
    view = cache.select("n")
    for thing in (cache.reader(), view.reader(), cache._term(["n"])):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(thing)


def test_bytes_of_nobody_are_refused(cache):
    reopen, (path, identity, saved, *bounds) = cache.slice(3).__reduce__()
    assert reopen(path, identity, saved, *bounds).num_columns == 2
    for wrong in (b"", saved[:-1], saved + b"x", b"x" * 100):
        with pytest.raises(ValueError, match="cannot restore a view"):
            reopen(path, identity, wrong, *bounds)


def test_the_path_is_the_same_from_elsewhere(log_dir, monkeypatch):
    monkeypatch.chdir(log_dir)
    with respool.cache(pa.table({"n": [1]}), path="here") as cache:
        cache.ingest_all()
        pickled = pickle.dumps(cache)
    monkeypatch.chdir("/")
    assert pa.table(pickle.loads(pickled))["n"].to_pylist() == [1]
