"""One process writes a log, others read it at the same time."""

import os
import pickle
import signal
import time
from pathlib import Path

import pyarrow as pa
import pytest

import processes
import respool
from respool.exceptions import IncompleteStreamError
from sources import SCHEMA, Source, expected

WRITES = """
import sys
import respool
from sources import SCHEMA, Source

# Stalls before the second batch where it is told to.
stall = float(sys.argv[4])
source = Source(int(sys.argv[2]), pause=float(sys.argv[3]), stall_at=1 if stall else None, stall=stall)
cache = respool.cache(source, schema=SCHEMA, path=sys.argv[1])
reader = cache.reader()
next(reader)
print("begun", flush=True)
for _ in reader:
    pass
"""

FAILS = """
import sys
import respool
from sources import SCHEMA, Source

def failing():
    for i, batch in enumerate(Source(9, pause=0.01)):
        if i == 1:
            print("begun", flush=True)
        yield batch
    raise RuntimeError("the wire broke")

try:
    respool.cache(failing(), schema=SCHEMA, path=sys.argv[1]).ingest_all()
except RuntimeError:
    pass
"""

WAITS = """
import sys
import pyarrow as pa, respool

cache = respool.open(sys.argv[1])
print("ready", flush=True)
try:
    if sys.argv[2] == "table":
        pa.table(cache)
    else:
        list(cache)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.fixture
def path(log_dir: Path) -> Path:
    return log_dir / "log"


def test_followers_read_all_of_what_another_process_writes(path):
    child = processes.start(WRITES, path, 30, 0.005, 0)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        first, second = respool.open(path), respool.open(path)
        reads = [lambda: pa.table(first), lambda: pa.table(first), lambda: pa.table(second)]
        for table in processes.in_threads(*reads):
            assert table.equals(expected(30))
    assert first.complete
    assert first.num_rows == expected(30).num_rows


def test_a_log_that_came_to_its_end_since_it_was_opened_is_as_flushed(path):
    child = processes.start(WRITES, path, 5, 0, 1)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        cache = respool.open(path)
        with pytest.raises(ValueError, match="not at its end"):
            cache.flush()
        assert child.wait(20) == 0
        cache.flush()


def test_who_waits_with_progress_is_told_of_what_comes_and_not_of_nothing(path):
    child = processes.start(WRITES, path, 5, 0, 0.5)
    told = []
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        assert respool.open(path).ingest_all(progress=lambda *counts: told.append(counts)) == 5
    assert told[-1] == (5, 500)
    # The end may come after the last batch.
    assert len(told) <= 6


@pytest.mark.parametrize("is_killed", [False, True])
def test_who_only_asks_is_told_what_was_written_meanwhile(path, is_killed):
    child = processes.start(WRITES, path, 5, 0, 60 if is_killed else 0.2)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        cache = respool.open(path)
        events = []
        told = respool.open(path, on_event=events.append)
        if is_killed:
            assert (cache.num_rows, cache.complete, cache.error) == (100, False, None)
            child.kill()
        child.wait(20)
        whole = expected(1 if is_killed else 5)
        again = pickle.loads(pickle.dumps(cache.prefix()))
        assert pa.table(again).equals(whole)
    assert cache.complete is not is_killed
    assert (cache.error is None) is not is_killed
    assert cache.num_rows == cache.filter([("n", ">=", 0)]).num_rows == whole.num_rows
    assert cache.metrics()["rows"] == whole.num_rows
    assert ("abandoned" if is_killed else "complete") in repr(cache)
    told.metrics()
    assert [event.kind for event in events][-1:] == ["error" if is_killed else "end"]


def test_a_follower_filters_and_slices_what_comes(path):
    child = processes.start(WRITES, path, 30, 0.005, 0)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        cache = respool.open(path)
        whole = expected(30)
        last = whole.num_rows - 3
        assert cache.slice(last).to_arrow().equals(whole.slice(last))
        assert cache.filter([("n", ">=", last)]).to_arrow().equals(whole.slice(last))


def test_a_follower_learns_that_the_source_failed(path):
    child = processes.start(FAILS, path)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        cache = respool.open(path)
        with pytest.raises(IncompleteStreamError, match="RuntimeError: the wire broke"):
            list(cache)
    assert pa.table(cache.prefix()).equals(expected(9))


def test_a_follower_learns_that_the_writer_was_killed(path):
    child = processes.start(WRITES, path, 1000, 0.01, 0)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        cache = respool.open(path)
        reader = cache.reader()
        next(reader)
        child.kill()
        with pytest.raises(IncompleteStreamError, match="its writer ended without") as caught:
            list(reader)
    prefix = pa.table(cache.prefix())
    assert prefix.equals(expected(caught.value.batches))
    assert prefix.num_rows == caught.value.rows


def test_a_wait_has_an_end_and_can_be_taken_up_again(path):
    child = processes.start(WRITES, path, 1000, 0, 60)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        cache = respool.open(path, timeout=0.05)
        reader = cache.reader()
        next(reader)
        for _ in range(2):
            begun = time.monotonic()
            with pytest.raises(TimeoutError, match="after batch 1; its writer is still there"):
                next(reader)
            assert 0.04 < time.monotonic() - begun < 2
        assert cache.error is None
        with pytest.raises(ValueError, match="timeout"):
            respool.open(path, timeout=-1)


@pytest.mark.parametrize("progress", [False, lambda batches, rows: None])
def test_an_ingest_waits_no_longer_than_a_read(path, progress):
    child = processes.start(WRITES, path, 1000, 0, 60)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        cache = respool.open(path, timeout=0.3)
        for _ in range(2):
            begun = time.monotonic()
            with pytest.raises(TimeoutError, match="after batch 1; its writer is still there"):
                cache.ingest_all(progress=progress)
            assert 0.2 < time.monotonic() - begun < 5


@pytest.mark.parametrize("how", ["table", "list"])
def test_a_wait_ends_with_ctrl_c(path, how):
    child = processes.start(WRITES, path, 1000, 0, 60)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        waiting = processes.start(WAITS, path, how)
        with processes.killed_at_the_end(waiting):
            processes.wait_for_line(waiting, "ready")
            time.sleep(0.2)
            begun = time.monotonic()
            waiting.send_signal(signal.SIGINT)
            out, err = waiting.communicate(timeout=20)
            assert time.monotonic() - begun < 3
        # A C stream carries an errno and a text, of which pyarrow makes an OSError.
        assert "interrupted" in out or "KeyboardInterrupt" in err


def test_a_forked_child_opens_the_log_anew(path):
    with respool.cache(Source(9), schema=SCHEMA, path=path) as cache:
        cache.ingest_all()
        opened = respool.open(path)
        view = opened.slice(3)
        uses = [
            lambda: pa.table(cache).equals(expected(9)),
            lambda: pa.table(opened).equals(expected(9)),
            lambda: pa.table(view).equals(expected(9).slice(3)),
            lambda: "complete" in repr(cache),
            lambda: opened.num_rows == expected(9).num_rows,
        ]
        for use in uses:
            child = os.fork()
            if child == 0:
                signal.alarm(10)
                os._exit(0 if use() else 1)
            assert os.waitpid(child, 0)[1] == 0
        assert pa.table(cache).equals(expected(9))
