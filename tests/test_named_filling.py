"""A `fill` that asks for the name it is to fill, and what it has begun: nobody waits for himself."""

import os

import pyarrow as pa
import pytest

import processes
import respool
from respool._named import filling, layout, lock
from respool._named.home import Home
from sources import SCHEMA, Source


def test_a_source_that_asks_for_itself_before_its_schema_is_known_is_told_so(log_dir):
    def fill():
        respool.named("trips", fill, schema="first", directory=log_dir)
        yield from Source()

    with processes.no_hang(20), pytest.raises(RuntimeError, match="asks for 'trips' itself"):
        respool.named("trips", fill, schema="first", directory=log_dir)
    assert respool.named("trips", Source, schema=SCHEMA, directory=log_dir).schema == SCHEMA


@pytest.mark.parametrize("written", ["caches/../caches", "link/caches"])
def test_a_fill_that_asks_for_itself_by_another_path_is_told_so(log_dir, written):
    (log_dir / "link").symlink_to(log_dir)

    def fill():
        return respool.named("trips", fill, directory=log_dir / written)

    with processes.no_hang(20), pytest.raises(RuntimeError, match="asks for 'trips' itself"):
        respool.named("trips", fill, directory=log_dir / "caches")


FORKS = """
import os, sys, warnings
import pyarrow as pa, respool

warnings.simplefilter("ignore")  # about forks
go, over = os.pipe(), os.pipe()

def ask(key):
    try:
        return respool.named(
            "trips", lambda: pa.table({"n": [1]}), key=key, directory=sys.argv[1], timeout=5, ingest=True
        ).num_rows
    except RuntimeError as error:
        return error

def fill():
    if not os.fork():
        during = ask("during")
        os.write(over[1], b"asked")
        os.read(go[0], 1)
        print("during:", during)
        print("later:", ask("later"), respool.rm("trips", sys.argv[1]), flush=True)
        os._exit(0)
    os.read(over[0], 5)
    return pa.table({"n": [1, 2]})

respool.named("trips", fill, directory=sys.argv[1], ingest=True).close()
os.write(go[1], b"!")
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""


def test_what_a_fill_has_forked_may_ask_for_its_name_when_it_is_over(log_dir):
    during, later = processes.run(FORKS, log_dir).splitlines()
    assert during.startswith("during: the fill of 'trips' asks for 'trips' itself")
    assert later == "later: 1 None"


def test_what_a_fill_has_forked_waits_for_another_fill_as_others_do(log_dir):
    home = Home.of(log_dir, "a")
    one = filling._Filling(home, process=2**30)
    with lock.held(home.path, None):
        # By this process, which is not the one that it was forked in.
        assert not one.is_waited_for()
        assert filling._Filling(home).is_waited_for()


def test_a_lock_is_known_to_children_before_it_is_taken(log_dir, monkeypatch):
    flock, seen = lock.fcntl.flock, []

    def noted(handle, operation):
        seen.append(handle in lock._of(lock._OPEN))
        flock(handle, operation)

    monkeypatch.setattr(lock.fcntl, "flock", noted)
    with lock.held(Home.of(log_dir, "a").path, None):
        pass
    assert seen == [True, True]
    assert lock._of(lock._OPEN) == []


def test_the_mark_is_on_the_disk_before_a_log_whoever_made_it(log_dir, monkeypatch):
    home = Home.of(log_dir, "a")
    home.path.mkdir(0o700)
    (home.path / layout.LOCK).write_bytes(layout.MARK)  # by a process that was killed then
    (home.path / layout.LOCK).chmod(0o600)
    fsync, synced = os.fsync, []

    def noted(handle):
        synced.append((os.fstat(handle).st_ino, home.numbers()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    respool.named("a", lambda: pa.table({"n": [1]}), directory=log_dir, ingest=True).close()
    for path in (home.path / layout.LOCK, home.path, log_dir):
        assert (path.stat().st_ino, []) in synced


def test_a_fill_that_ctrl_c_ends_before_it_runs_is_over(log_dir, monkeypatch):
    known, noticed = filling._FILLING, []

    class Interrupted:
        """A signal is noticed when the call is over, and what it gave is lost."""

        get = known.get

        def set(self, value):
            known.set(value)
            if value and not noticed:
                noticed.append(value)
                raise KeyboardInterrupt

    monkeypatch.setattr(filling, "_FILLING", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        respool.named("trips", Source, schema=SCHEMA, directory=log_dir)
    respool.named("trips", Source, schema=SCHEMA, directory=log_dir).close()


OPENS = """
import os, sys
from pathlib import Path
from respool._named import lock

opens = lock._opener

def opener(path, flags):
    handle = opens(path, flags)
    if not os.fork():
        try:
            os.fstat(handle)
        except OSError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    return handle

lock._opener = opener
with lock.held(Path(sys.argv[1]), None):
    assert lock.is_held(Path(sys.argv[1]))
"""


def test_a_child_does_not_have_the_lock_that_is_opened_while_it_is_forked(log_dir):
    """As by another thread. Else the lock of a parent that is killed would be held for as long as the child lives."""
    processes.run(OPENS, log_dir / "a")
