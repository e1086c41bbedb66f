"""Named caches between threads and processes: one fills, the others follow; whoever dies is replaced."""

import contextlib
import errno
import fcntl
import subprocess
import time

import pyarrow as pa
import pytest

import processes
import respool
from folders import inside
from respool.exceptions import IncompleteStreamError
from sources import Source, expected

# What the children share: a fill that notes its calls in a file, and counts what a cache shows.
SHARED = """
import os, sys
import pyarrow as pa, respool
from sources import Source, expected

def fill():
    with open(sys.argv[2], "a") as calls:
        calls.write("call\\n")
    return Source(20, pause=0.005).reader()

def get(**options):
    return respool.named("trips", fill, directory=sys.argv[1], **options)
"""

SIXTEEN = (
    SHARED
    + """
import warnings
warnings.simplefilter("ignore")  # about forks
wanted = expected(20)
read, write = os.pipe()
children = []
for _ in range(16):
    if not (child := os.fork()):
        try:
            os.close(write)
            os.read(read, 1)  # its end is the sign to begin
            cache = get()
            os._exit(0 if pa.table(cache).equals(wanted) and cache.complete else 1)
        finally:
            os._exit(2)
    children.append(child)
os.close(write)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""
)


@pytest.fixture
def place(log_dir):
    return log_dir / "caches"


@pytest.fixture
def calls(log_dir):
    """A file, and how many calls of `fill` it has noted."""

    class Calls:
        path = log_dir / "calls"

        def __len__(self):
            return len(self.path.read_text().splitlines()) if self.path.exists() else 0

    return Calls()


def test_of_sixteen_processes_one_calls_fill(place, calls):
    assert processes.run(SIXTEEN, place, calls.path).strip() == str([0] * 16)
    assert len(calls) == 1
    assert [one.state for one in respool.ls(place)] == ["complete"]


def test_of_sixteen_threads_one_calls_fill(place):
    calls = []

    def fill():
        calls.append(1)
        return Source(20, pause=0.005).reader()

    def get():
        return pa.table(respool.named("trips", fill, directory=place))

    tables = processes.in_threads(*[get] * 16)
    assert all(table.equals(expected(20)) for table in tables)
    assert calls == [1]


SLOW = (
    SHARED
    + """
def fill():
    with open(sys.argv[2], "a") as calls:
        calls.write("call\\n")
    source = Source(10, stall_at=4, stall=60)
    return source.reader()

reader = get().reader()
for _ in range(3):
    next(reader)
print("ready", flush=True)
next(reader)
sys.stdin.readline()
"""
)


def test_a_follower_reads_what_is_there_and_learns_of_the_fillers_death(place, calls):
    child = processes.start(SLOW, place, calls.path, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")

        def fill():
            raise AssertionError("somebody else fills it")

        follower = respool.named("trips", fill, directory=place, timeout=30)
        assert not follower.complete
        reader = follower.reader()
        assert [next(reader)["n"][0].as_py() for _ in range(3)] == [0, 100, 200]
        child.kill()
        child.wait()
        with pytest.raises(IncompleteStreamError):
            list(reader)
    assert [one.state for one in respool.ls(place)] == ["abandoned"]
    # The next call begins again.
    again = respool.named("trips", Source(10).reader, directory=place)
    assert pa.table(again).equals(expected(10))
    assert pa.table(follower.prefix())["n"].to_pylist()[:300] == list(range(300))


def test_a_follower_does_not_wait_longer_than_it_said(place, calls):
    child = processes.start(SLOW, place, calls.path, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        follower = respool.named("trips", Source().reader, directory=place, timeout=0.2)
        with pytest.raises(TimeoutError):
            list(follower)
    assert len(calls) == 1


# Holds the lock of the name in its fill, until its standard input ends.
OPENING = (
    SHARED
    + """
def fill():
    if len(sys.argv) > 3 and not os.fork():
        sys.stdin.read()  # and has a copy of all that its parent has open
        os._exit(0)
    print("opening", flush=True)
    sys.stdin.read()
    return Source().reader()

get().ingest_all()
"""
)


def test_the_wait_for_a_fill_has_an_end(place, calls):
    child = processes.start(OPENING, place, calls.path, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "opening")
        begun = time.monotonic()
        with pytest.raises(TimeoutError, match=r"another process .*trips") as error:
            respool.named("trips", Source().reader, directory=place, timeout=0.2)
        assert error.value.errno == errno.ETIMEDOUT
        assert error.value.filename == str(place / "trips")
        assert 0.2 <= time.monotonic() - begun < 2
        # What nobody has filled yet is not there, and not removed either.
        assert respool.ls(place) == []
        assert respool.prune(max_bytes=0, directory=place) == []
        child.communicate()
    assert pa.table(respool.named("trips", Source().reader, directory=place)).equals(expected(5))


WAITING = (
    SHARED
    + """
import signal, threading, time
def interrupt():
    global sent
    sent = time.monotonic()
    os.kill(os.getpid(), signal.SIGINT)

threading.Timer(0.3, interrupt).start()
try:
    get()
except KeyboardInterrupt:
    print(time.monotonic() - sent)
"""
)


def test_ctrl_c_ends_the_wait_for_a_fill(place, calls):
    child = processes.start(OPENING, place, calls.path, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "opening")
        assert float(processes.run(WAITING, place, calls.path)) < 0.5
    assert len(calls) == 0


@pytest.mark.parametrize("forks", [False, True])
def test_who_dies_in_a_fill_holds_up_nobody(place, calls, forks):
    more = ["forks"] if forks else []
    child = processes.start(OPENING, place, calls.path, *more, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "opening")
        child.kill()
        child.wait()
        cache = respool.named("trips", Source().reader, directory=place, timeout=5)
        assert pa.table(cache).equals(expected(5))


def test_a_complete_cache_is_there_while_somebody_holds_the_lock(place, calls):
    with respool.named("trips", Source().reader, key="old", directory=place) as cache:
        cache.ingest_all()
    child = processes.start(OPENING, place, calls.path, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "opening")
        cache = respool.named("trips", Source().reader, key="old", directory=place, timeout=0)
        assert pa.table(cache).equals(expected(5))


READING = (
    SHARED
    + """
cache = get(key="old")
reader = cache.reader()
next(reader)
print("ready", flush=True)
sys.stdin.readline()
rest = sum(batch.num_rows for batch in reader)
print(rest, pa.table(cache).num_rows, flush=True)
sys.stdin.readline()
"""
)


@pytest.mark.parametrize("how", ["filled anew", "removed"])
def test_a_reader_elsewhere_keeps_its_cache(place, calls, how):
    with respool.named("trips", Source(20).reader, key="old", directory=place) as cache:
        cache.ingest_all()
    child = processes.start(READING, place, calls.path, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        if how == "removed":
            respool.rm("trips", place)
            assert respool.ls(place) == []
        with respool.named("trips", Source(3).reader, key="new", directory=place) as cache:
            cache.ingest_all()
        assert [one.rows for one in respool.ls(place)] == [300]
        child.stdin.write("\n")
        child.stdin.flush()
        processes.wait_for_line(child, "1900 2000")
        assert len(list(place.rglob("_manifest"))) == 2
        child.communicate("\n")
    respool.prune(directory=place)
    assert len(list(place.rglob("_manifest"))) == 1
    assert inside(place) == ["trips"]
    assert len(calls) == 0


def test_a_name_that_is_removed_when_it_is_about_to_be_locked(place, monkeypatch):
    with respool.named("trips", Source(3).reader, key="old", directory=place) as cache:
        cache.ingest_all()
    lock, calls = fcntl.flock, []

    def removed_before(handle, operation):
        if not calls:
            calls.append(1)
            respool.rm("trips", place)
        lock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", removed_before)
    cache = respool.named("trips", Source(5).reader, key="new", directory=place)
    assert pa.table(cache).equals(expected(5))
    assert [one.rows for one in respool.ls(place)] == [500]


def test_removing_while_others_fill_is_right_in_the_end(place):
    """Names come and go under the feet of those who fill them."""

    def fill():
        for _ in range(20):
            cache = respool.named("trips", Source(3).reader, directory=place)
            assert pa.table(cache).equals(expected(3))

    def remove():
        for _ in range(20):
            with contextlib.suppress(FileNotFoundError):
                respool.rm("trips", place)

    def prune():
        for _ in range(20):
            respool.prune(max_bytes=0, directory=place)

    assert processes.in_threads(fill, fill, remove, prune) == [None] * 4
    assert pa.table(respool.named("trips", Source(3).reader, directory=place)).equals(expected(3))
