"""What ``on_event`` is told: everything that happened, once, in order, and to nobody's harm.

Long, as each way to cause an event has to be told: engines, threads, processes, ends.
"""

import gc
import subprocess
import sys
import threading
import time
import weakref

import pyarrow as pa
import pytest

import processes
import respool
from respool.exceptions import MemoryCapacityError
from respool.typing import Event
from sources import SCHEMA, Source, SourceBrokeError, expected, rows_of

BATCH = 3000


def kinds(told):
    return [(event.kind, event.batch) for event in told]


def test_each_batch_and_the_end_are_told():
    told = []
    cache = respool.cache(Source(3, pause=0.02), schema=SCHEMA, on_event=told.append)
    next(iter(cache))
    assert kinds(told) == [("ingest", 0)]
    cache.ingest_all()
    assert kinds(told) == [*(("ingest", i) for i in range(3)), ("end", 3)]
    assert all(isinstance(event, Event) and event.dropped == 0 for event in told)
    first, end = told[0], told[-1]
    assert (first.batches, first.rows, first.error) == (1, 100, None)
    assert first.seconds >= 0.02
    assert sum(event.bytes for event in told[:3]) == end.bytes == cache.nbytes
    assert (end.batches, end.rows) == (3, 300)
    assert pa.table(cache) == expected(3)
    assert len(told) == 4


def test_spills_and_evictions_are_told(log_dir):
    told = []
    cache = respool.cache(
        Source(8), schema=SCHEMA, memory=3 * BATCH, directory=log_dir, on_event=told.append
    )
    cache.ingest_all()
    spilled = [event for event in told if event.kind == "spill"]
    evicted = [event for event in told if event.kind == "evict"]
    metrics = cache.metrics()
    assert [event.batch for event in spilled] == list(range(metrics["batches_in_log"]))
    assert [event.batch for event in evicted] == list(range(8 - metrics["batches_in_memory"]))
    assert all(event.rows == 100 and event.bytes > 0 for event in spilled + evicted)
    told.clear()
    cache.resize(memory=1)
    assert {"spill", "evict"} == {event.kind for event in told}
    assert cache.metrics()["batches_in_memory"] == 0


def test_what_readers_let_go_is_told():
    told = []
    cache = respool.StreamCache(Source(3).reader(), max_readers=1, on_event=told.append)
    assert len(list(cache.reader())) == 3
    cache.metrics()
    assert [event.batch for event in told if event.kind == "evict"] == [0, 1, 2]


def test_errors_are_told():
    told = []
    cache = respool.cache(Source(5, fail_at=2), schema=SCHEMA, on_event=told.append)
    for _ in range(2):
        with pytest.raises(SourceBrokeError):
            cache.ingest_all()
    assert kinds(told) == [("ingest", 0), ("ingest", 1), ("error", 2)]
    assert told[-1].error == "SourceBrokeError: no batch 2"
    assert (told[-1].batches, told[-1].rows) == (2, 200)


def test_what_does_not_fit_is_told_each_time():
    told = []
    options = {"memory": BATCH, "disk": None, "on_event": told.append}
    cache = respool.cache(Source(3), schema=SCHEMA, **options)
    for _ in range(2):
        with pytest.raises(MemoryCapacityError):
            cache.ingest_all()
    assert kinds(told) == [("ingest", 0), ("error", 1), ("error", 1)]
    assert "memory" in told[-1].error
    cache.resize(memory=None)
    assert cache.ingest_all() == 3
    assert kinds(told)[3:] == [("ingest", 1), ("ingest", 2), ("end", 3)]


def test_it_may_use_the_cache():
    seen = []

    def look(event):
        cache.metrics()
        repr(cache)
        if event.kind == "ingest":
            # Also what asks for more, and so causes events itself.
            seen.append(cache.batch(min(event.batch + 1, 4))["n"][0].as_py())
        else:
            seen.append(pa.table(cache).num_rows)

    cache = respool.cache(Source(5), schema=SCHEMA, on_event=look)
    assert pa.table(cache) == expected(5)
    assert seen == [100, 200, 300, 400, 400, 500]


def test_its_exceptions_go_to_the_unraisable_hook_and_hurt_nobody(monkeypatch):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)

    def refuse(event):
        raise LookupError(event.kind)

    cache = respool.cache(Source(3), schema=SCHEMA, on_event=refuse)
    assert pa.table(cache) == expected(3)
    assert [str(told.exc_value) for told in unraisable] == ["ingest"] * 3 + ["end"]
    assert unraisable[0].object is refuse


def test_nothing_else_is_accepted():
    for refused in (1, "print", []):
        with pytest.raises(TypeError, match="on_event"):
            respool.cache(Source(1), schema=SCHEMA, on_event=refused)
        with pytest.raises(TypeError, match="on_event"):
            respool.named("x", lambda: None, on_event=refused)
    respool.cache(Source(1), schema=SCHEMA, on_event=None).ingest_all()


def test_a_million_tiny_batches_lose_no_event():
    told = []
    one = pa.record_batch({"x": [1]})
    cache = respool.cache((one for _ in range(20_000)), schema=one.schema, on_event=told.append)
    cache.ingest_all()
    assert [event.batch for event in told] == [*range(20_000), 20_000]
    assert all(event.dropped == 0 for event in told)


def test_many_threads_read_and_each_event_is_told_once(log_dir):
    told, inside = [], []

    def note(event):
        inside.append(1)
        assert len(inside) == 1
        told.append(event)
        inside.pop()

    cache = respool.cache(
        Source(200), schema=SCHEMA, memory=5 * BATCH, directory=log_dir, on_event=note
    )
    assert processes.in_threads(*[lambda: pa.table(cache).num_rows] * 4) == [20_000] * 4
    cache.metrics()
    assert [event.batch for event in told if event.kind == "ingest"] == list(range(200))
    assert [event.batch for event in told if event.kind == "end"] == [200]
    spilled = [event.batch for event in told if event.kind == "spill"]
    assert spilled == list(range(cache.metrics()["batches_in_log"]))


def test_a_thread_that_reads_ahead_tells_too():
    told, threads = [], set()

    def note(event):
        told.append(event)
        threads.add(threading.current_thread())

    source = Source(10)
    cache = respool.cache(source, schema=SCHEMA, prefetch="20 batches", on_event=note)
    next(iter(cache))
    deadline = time.monotonic() + 30
    while (not told or told[-1].kind != "end") and time.monotonic() < deadline:
        time.sleep(0.005)
    assert kinds(told) == [*(("ingest", i) for i in range(10)), ("end", 10)]
    assert threads - {threading.current_thread()}
    cache.close()


def test_engines_that_read_cause_events():
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    for read in (
        lambda cache: cache.to_duckdb(duckdb.connect()).aggregate("sum(n)").fetchall()[0][0],
        lambda cache: cache.lazy().select(polars.col("n").sum()).collect().item(),
        lambda cache: sum(pa.RecordBatchReader.from_stream(cache).read_all()["n"].to_pylist()),
    ):
        told = []
        cache = respool.cache(Source(5), schema=SCHEMA, on_event=told.append)
        assert read(cache) == sum(rows_of(5))
        assert kinds(told) == [*(("ingest", i) for i in range(5)), ("end", 5)]


def test_kept_and_named_caches_tell(log_dir):
    told = []
    path = log_dir / "log"
    with (
        respool.cache(
            Source(3, fail_at=2), schema=SCHEMA, path=path, on_event=told.append
        ) as cache,
        pytest.raises(SourceBrokeError),
    ):
        cache.ingest_all()
    assert [event.batch for event in told if event.kind == "spill"] == [0, 1]
    assert told[-1].kind == "error"
    told.clear()
    with respool.resume(path, Source(3), on_event=told.append) as cache:
        cache.ingest_all()
    assert kinds(told) == [("spill", 2), ("ingest", 2), ("end", 3)]
    told.clear()
    options = {"directory": log_dir / "names", "on_event": told.append}
    with respool.named("x", lambda: pa.table({"x": [1]}), ingest=True, **options):
        assert kinds(told) == [("spill", 0), ("ingest", 0), ("end", 1)]


FILLER = """
import sys
import respool
from sources import SCHEMA, Source

cache = respool.cache(Source(6, pause=0.02), schema=SCHEMA, path=sys.argv[1])
next(iter(cache))
print("begun", flush=True)
sys.stdin.readline()
cache.ingest_all()
cache.close()
"""


def test_who_follows_is_told_what_comes(log_dir):
    child = processes.start(FILLER, log_dir / "log", stdin=subprocess.PIPE)
    told = []
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        cache = respool.open(log_dir / "log", on_event=told.append)
        assert cache.num_batches == 1
        child.stdin.write("go on\n")
        child.stdin.flush()
        assert cache.ingest_all() == 6
    came = [event for event in told if event.kind == "ingest"]
    assert came[0].batch == 1
    assert sum(event.batches for event in came) == 5
    assert sum(event.rows for event in came) == 500
    assert kinds(told)[-1] == ("end", 6)


def test_a_cycle_through_it_is_collected():
    class Listener:
        def __call__(self, event):
            pass

    for make in (
        lambda on_event: respool.cache(pa.table({"x": [1]}), on_event=on_event),
        lambda on_event: respool.cache(Source(3), schema=SCHEMA, on_event=on_event),
    ):
        listener = Listener()
        listener.cache = make(listener)
        next(iter(listener.cache))
        gone = weakref.ref(listener)
        del listener
        gc.collect()
        assert gone() is None


def test_who_is_told_is_there_for_as_long_as_a_stream_in_c():
    told = []

    def told_of(event):
        told.append(event)

    stream = pa.RecordBatchReader.from_stream(
        respool.cache(Source(3), schema=SCHEMA, on_event=told_of)
    )
    del told_of
    gc.collect()
    assert stream.read_all().num_rows == 300
    assert kinds(told)[-1] == ("end", 3)


@pytest.mark.parametrize("options", [{}, {"prefetch": "2 batches"}])
def test_a_cycle_through_it_is_there_for_as_long_as_a_stream_in_c(options):
    told = []

    class Listener:
        def note(self, event):
            assert self.cache.num_columns == 2
            told.append(event)

    listener = Listener()
    listener.cache = respool.cache(Source(3), schema=SCHEMA, on_event=listener.note, **options)
    stream = pa.RecordBatchReader.from_stream(listener.cache)
    gone = weakref.ref(listener)
    del listener
    gc.collect()
    assert stream.read_next_batch().num_rows == 100
    gc.collect()
    assert stream.read_all().num_rows == 200
    assert kinds(told)[-1] == ("end", 3)
    del stream
    gc.collect()
    assert gone() is None


CHILDREN = """
import atexit, os, signal, sys, threading, time
import respool
from sources import SCHEMA, Source

told = []
def note(event):
    told.append(event.kind)
    if event.batch == 1 and event.kind == "ingest" and os.fork() == 0:
        # In the middle of being told: the child may end, and read what is its own.
        signal.alarm(5)
        del told[:]
        own = respool.cache(Source(2), schema=SCHEMA, on_event=note_in_child)
        own.ingest_all()
        try:
            cache.ingest_all()
        except RuntimeError as error:
            print("fork" in str(error), told, flush=True)
        os._exit(0)

def note_in_child(event):
    told.append("own " + event.kind)

cache = respool.cache(Source(3), schema=SCHEMA, on_event=note)
cache.ingest_all()
print(os.wait()[1], told, flush=True)
kept = respool.cache(Source(3), schema=SCHEMA, path=sys.argv[1], on_event=note_in_child)
kept.ingest_all()
del told[:]
if os.fork() == 0:
    kept.ingest_all()
    assert sum(batch.num_rows for batch in kept) == 300
    print(told, flush=True)
    os._exit(0)
print(os.wait()[1])
"""


def test_a_forked_child_is_told_nothing_of_its_parents_caches(log_dir):
    lines = processes.run(CHILDREN, log_dir / "kept").splitlines()
    assert lines == [
        "True ['own ingest', 'own ingest', 'own end']",
        "0 ['ingest', 'ingest', 'ingest', 'end']",
        "[]",
        "0",
    ]


AT_EXIT = """
import os
import pyarrow as pa, respool

def say(text, os=os):
    os.write(1, (text + "/").encode())

now = respool.cache(pa.table({"x": [1]}), on_event=lambda event: say(event.kind))
now.ingest_all()
later = respool.cache(pa.table({"x": [1]}), on_event=lambda event: say("late"))
class Last:
    def __del__(self, later=later, say=say):
        say(str(later.ingest_all()))
last = Last()
"""


def test_nothing_is_told_at_the_end_of_the_process():
    assert processes.run(AT_EXIT).split("/") == ["ingest", "end", "1", ""]


INTERRUPTED = """
import os, signal
import respool
from sources import SCHEMA, Source

def interrupt(event):
    if event.batch == 2 and event.kind == "ingest":
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

cache = respool.cache(Source(2000, pause=0.001), schema=SCHEMA, on_event=interrupt)
try:
    cache.ingest_all()
    print("swallowed")
except KeyboardInterrupt:
    print("interrupted", cache.ingested_count < 1000)
print(cache.ingest_all())
"""


def test_ctrl_c_while_it_runs_interrupts_the_program():
    assert processes.run(INTERRUPTED).split() == ["interrupted", "True", "2000"]


def test_who_is_told_may_read_on_the_thread_that_reads_ahead():
    read = []

    def told(event):
        if event.kind == "ingest" and not read:
            # From the first on: with nobody to ask the source it would wait for itself.
            read.append(0)
            read[0] = sum(batch.num_rows for batch in cache)
            has_read.set()

    has_read = threading.Event()
    cache = respool.cache(Source(8), schema=SCHEMA, prefetch="1 MiB", on_event=told)
    with processes.no_hang(20):
        assert sum(batch.num_rows for batch in cache) == 800
        assert has_read.wait(10)
    assert read == [800]
