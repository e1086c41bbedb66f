"""A source that is read ahead by a thread: what its readers see is what they see without."""

import contextlib
import gc
import itertools
import threading
import time
import weakref
from pathlib import Path

import pyarrow as pa
import pytest

import processes
import respool
from respool.exceptions import IncompleteStreamError, MemoryCapacityError
from sources import SCHEMA, Source, SourceBrokeError, batch, expected


def until(is_so):
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.001)


def stays(is_so):
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        if not is_so():
            return False
        time.sleep(0.001)
    return True


def ahead_threads():
    """Threads of this process that read ahead, as the system knows them."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            names.append((task / "comm").read_text().strip())
    return names.count("respool-ahead")


def test_nothing_is_read_before_a_reader_asks_and_then_so_far():
    source = Source(50)
    cache = respool.cache(source, schema=SCHEMA, prefetch="3 batches")
    assert stays(lambda: source.pulls == 0)
    reader = cache.reader()
    for i in range(10):
        assert next(reader) == batch(i)
        until(lambda i=i: source.pulls == i + 4)
    assert stays(lambda: source.pulls == 13)
    assert cache.ingest_all() == 50
    assert source.pulls == 51
    assert pa.table(cache).equals(expected(50))


@pytest.mark.parametrize("amount", [4096, "1 MiB", "0.5%", "1 batch", "2batches", " 1_0 batches "])
def test_amounts(amount):
    source = Source(5)
    cache = respool.StreamCache(source, schema=SCHEMA, prefetch=amount)
    next(cache.reader())
    until(lambda: source.pulls >= 2)
    assert pa.table(cache).equals(expected(5))


@pytest.mark.parametrize("bad", [0, 4, "4", "0 batches", "-1 batches", "1.5 batches", "few", "0%"])
def test_amounts_that_make_no_sense(bad, log_dir):
    for make in (
        lambda: respool.cache(Source(), schema=SCHEMA, prefetch=bad),
        lambda: respool.StreamCache(Source(), schema=SCHEMA, prefetch=bad),
        lambda: respool.named("n", Source().reader, directory=log_dir / "n", prefetch=bad),
    ):
        with pytest.raises(ValueError, match=r"prefetch|as a size"):
            make()


@pytest.mark.parametrize("bad", [True, 1.5, b"4 batches", ["4 batches"]])
def test_amounts_of_a_wrong_type(bad):
    with pytest.raises(TypeError):
        respool.cache(Source(), schema=SCHEMA, prefetch=bad)


def test_one_thread_asks_and_python_knows_it_all_the_time():
    local, seen = threading.local(), []

    def source():
        for i in range(20):
            local.count = getattr(local, "count", 0) + 1
            seen.append((threading.get_ident(), local.count))
            yield batch(i)

    cache = respool.cache(source(), schema=SCHEMA, prefetch="2 batches")
    tasks = [lambda: pa.table(cache).num_rows] * 3
    assert processes.in_threads(*tasks) == [2000] * 3
    assert pa.table(cache).equals(expected(20))
    assert [count for _, count in seen] == list(range(1, 21))
    assert {ident for ident, _ in seen}.isdisjoint({threading.get_ident()})


def test_a_connection_that_belongs_to_its_thread():
    import sqlite3

    def source():
        with contextlib.closing(sqlite3.connect(":memory:")) as con:
            for i in range(5):
                (first,) = con.execute("select ?", (i * 100,)).fetchone()
                yield batch(first // 100)

    cache = respool.cache(source(), schema=SCHEMA, prefetch="1 batch")
    assert pa.table(cache).equals(expected(5))


@pytest.mark.parametrize("is_c", [False, True])
def test_errors_come_at_their_place_and_to_everybody(is_c):
    source = Source(10, fail_at=6)
    made = source.reader() if is_c else source
    cache = respool.cache(made, schema=None if is_c else SCHEMA, prefetch="100 batches")
    for _ in range(3):
        reader = cache.reader()
        assert [next(reader) for _ in range(6)] == [batch(i) for i in range(6)]
        with pytest.raises(Exception, match="no batch 6") as raised:
            next(reader)
        if not is_c:
            assert raised.type is SourceBrokeError
            frames = [frame.name for frame in raised.traceback]
            assert frames[-1] == "_generate"
    assert source.pulls == 7
    assert not cache.complete


def test_the_first_who_meets_it_gets_the_exception_itself():
    error = SourceBrokeError("this one")
    cache = respool.cache(Source(5, fail_at=1, error=error), schema=SCHEMA, prefetch="9 batches")
    next(cache.reader())
    until(lambda: cache.error is not None)
    with pytest.raises(SourceBrokeError) as first:
        list(cache)
    with pytest.raises(SourceBrokeError) as second:
        list(cache)
    assert first.value is error
    assert second.value is not error


@pytest.mark.parametrize("error", [KeyboardInterrupt("now"), SystemExit(3)])
def test_what_is_to_end_a_program_is_raised_once(error):
    cache = respool.cache(Source(5, fail_at=2, error=error), schema=SCHEMA, prefetch="9 batches")
    reader = cache.reader()
    next(reader)
    until(lambda: cache.error is not None)
    next(reader)
    with pytest.raises(type(error)):
        next(reader)
    with pytest.raises(IncompleteStreamError) as raised:
        next(reader)
    assert isinstance(raised.value.__cause__, type(error))


def test_who_reads_what_has_no_room_is_told():
    source = Source(20)
    cache = respool.cache(source, schema=SCHEMA, memory=9000, disk=None, prefetch="50 batches")
    reader, given = cache.reader(), 0
    with pytest.raises(MemoryCapacityError):
        for given, _ in enumerate(reader, 1):  # noqa: B007
            pass
    assert 0 < given < 20
    assert source.pulls == given + 1
    assert stays(lambda: source.pulls == given + 1)
    worked = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - worked < 0.15, "it does not rest"
    cache.resize(memory=None)
    until(lambda: source.pulls == 21)
    assert next(reader) == batch(given)
    assert pa.table(cache).equals(expected(20))


def test_readers_that_use_batches_up():
    cache = respool.StreamCache(
        Source(40), 20_000, max_readers=1, schema=SCHEMA, prefetch="99 batches"
    )
    for i, given in enumerate(cache.reader()):
        assert given == batch(i)
        assert cache.metrics()["memory_bytes"] <= 20_000
    assert i == 39


def test_a_source_that_reads_its_own_cache():
    holder = []

    def source():
        yield batch(0)
        assert holder[0].batch(0) == batch(0)
        holder[0].batch(1)

    holder.append(respool.cache(source(), schema=SCHEMA, prefetch="1 batch"))
    reader = holder[0].reader()
    next(reader)
    with pytest.raises(RuntimeError, match="reading the cache it feeds"):
        next(reader)


def test_caches_over_caches():
    inner = respool.cache(Source(30), schema=SCHEMA, prefetch="2 batches")
    middle = respool.cache(pa.RecordBatchReader.from_stream(inner), prefetch="2 batches")
    outer = respool.cache((b for b in middle), schema=SCHEMA, prefetch="2 batches")
    tables = processes.in_threads(
        *[lambda it=it: pa.table(it) for it in (outer, middle, inner)] * 2
    )
    assert all(table.equals(expected(30)) for table in tables)


def test_closing_waits_for_the_thread_and_the_source_is_let_go():
    sources = [Source(50, pause=0.002)]
    gone = weakref.ref(sources[0])
    cache = respool.cache(sources[0], schema=SCHEMA, prefetch="50 batches")
    next(cache.reader())
    assert ahead_threads() >= 1
    cache.close()
    pulls = sources[0].pulls
    assert stays(lambda: sources[0].pulls == pulls)
    sources.clear()
    gc.collect()
    assert gone() is None
    until(lambda: ahead_threads() == 0)


def test_closing_does_not_wait_for_ever():
    source = Source(5, stall_at=1, stall=30)
    cache = respool.cache(source, schema=SCHEMA, prefetch="1 batch")
    next(cache.reader())
    assert source.stalling.wait(10)
    began = time.monotonic()
    cache.close()
    assert 1.5 < time.monotonic() - began < 10
    source.released.set()


def test_a_cache_that_is_dropped_ends_its_thread():
    sources = [Source(500, pause=0.001)]
    cache = respool.cache(sources[0], schema=SCHEMA, prefetch="1 GiB")
    next(cache.reader())
    until(lambda: sources[0].pulls > 3)
    gone = weakref.ref(sources[0])
    del cache
    sources.clear()
    until(lambda: gc.collect() >= 0 and gone() is None)
    until(lambda: ahead_threads() == 0)


def test_a_kept_log_of_a_cache_that_is_collected_is_not_taken_for_whole(log_dir):
    for i in range(20):
        holder = []

        def source(holder=holder):
            assert holder
            for i in itertools.count():
                yield batch(i, 1)

        path = log_dir / str(i)
        holder.append(respool.cache(source(), schema=SCHEMA, path=path, prefetch="1 MiB"))
        next(holder[0].reader())
        del holder, source

        def is_left(path=path):
            # A generator that runs is held by the thread that runs it.
            gc.collect()
            return respool._native._peek(path)["state"] != "growing"

        until(is_left)
        assert respool._native._peek(path)["state"] == "abandoned"


def test_logs_that_are_kept_and_gone_on_with(log_dir):
    path = log_dir / "kept"
    with pytest.raises(SourceBrokeError):
        list(respool.cache(Source(9, fail_at=5), schema=SCHEMA, path=path, prefetch="3 batches"))
    source = Source(9)
    cache = respool.resume(path, source, prefetch="3 batches")
    next(cache.reader())
    assert stays(lambda: source.pulls == 0)
    assert pa.table(cache).equals(expected(9))
    assert source.pulls == 10
    cache.close()
    named = respool.named("it", Source(7).reader, directory=log_dir / "named", prefetch="2 batches")
    assert pa.table(named).equals(expected(7))
    assert named.complete


STALLED = """
import signal, threading, time
import respool
from sources import SCHEMA, Source
source = Source(5, stall_at=1, stall=60)
cache = respool.cache(source, schema=SCHEMA, prefetch="3 batches")
reader = cache.reader()
next(reader)
source.stalling.wait()
print("ready", flush=True)
try:
    next(reader)
except KeyboardInterrupt:
    assert cache.error is None
    source.released.set()
    assert sum(b.num_rows for b in reader) == 400
    print("went on")
"""


def test_ctrl_c_while_the_thread_asks():
    import signal

    child = processes.start(STALLED)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out.strip()) == (0, "went on"), err


FORKED = """
import os, sys, threading
import pyarrow as pa, respool
from sources import SCHEMA, Source
source = Source(400, pause=0.0005)
cache = respool.cache(source, schema=SCHEMA, prefetch="50 batches")
kept = respool.cache(Source(4), schema=SCHEMA, path=sys.argv[1] + "/kept", prefetch="9 batches")
pa.table(kept)
for i in range(20):
    cache.batch(i * 10)
    child = os.fork()
    if child == 0:
        try:
            next(iter(cache))
        except RuntimeError as error:
            assert "fork" in str(error)
        cache.close()
        assert pa.table(kept).num_rows == 400
        anew = respool.cache(Source(9), schema=SCHEMA, prefetch="2 batches")
        assert pa.table(anew).num_rows == 900
        del cache, kept, anew
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert pa.table(cache).num_rows == 40_000
print("right")
"""


def test_forked_children_have_no_thread_and_make_their_own(log_dir):
    assert processes.run(FORKED, log_dir).strip() == "right"


FORKED_WHILE_ASKED = """
import os, signal, sys, threading
import pyarrow as pa, respool

batch = pa.record_batch({"x": [1]})
release = threading.Event()
def source():
    for _ in range(500):
        yield batch
    release.wait(60)
cache = respool.cache(source(), schema=batch.schema, prefetch="4 batches")
shown = cache.slice(0, 500)
pa.table(shown)
over = threading.Event()
def read():
    while not over.is_set():
        pa.RecordBatchReader.from_stream(shown).read_all()
readers = [threading.Thread(target=read, daemon=True) for _ in range(6)]
for reader in readers:
    reader.start()
for _ in range(25):
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        sys.exit(0)
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
over.set()
release.set()
for reader in readers:
    reader.join()
print("ended")
"""


def test_a_child_ends_without_a_lock_that_a_reader_of_its_parent_had():
    assert processes.run(FORKED_WHILE_ASKED).strip() == "ended"
