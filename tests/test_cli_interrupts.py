"""Ctrl-C and SIGTERM end a query of the command soon."""

import array
import dis
import fcntl
import functools
import itertools
import signal
import sys
import termios
import time

import pytest

import processes
import states
from respool._cli import interrupts
from respool._cli.interrupts import Terminated, noted

QUERY = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import respool._cli.sql as sql
import respool._cli
made = sql._rows

def rows(*arguments):
    print("ready", flush=True)
    return made(*arguments)

sql._rows = rows
sys.argv.insert(1, "sql")
try:
    respool._cli.main()
finally:
    assert signal.set_wakeup_fd(-1) == -1
"""

LONG = "select count(*) as n from range(200000) a, range(200000) b where a.range + b.range = 7"


@pytest.mark.parametrize("presses", [1, 3])
def test_ctrl_c_ends_a_query_that_computes(presses):
    child = processes.start(QUERY, LONG)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        time.sleep(0.3)
        began = time.monotonic()
        for _ in range(presses):
            child.send_signal(signal.SIGINT)
            time.sleep(0.005)
        out, err = child.communicate(timeout=20)
        took = time.monotonic() - began
    assert (child.returncode, out, err) == (130, "", "respool: interrupted\n")
    assert took < 2


def test_ctrl_c_at_any_moment_of_a_query_is_not_lost():
    for wait in (0.0, 0.01):
        child = processes.start(QUERY, LONG)
        with processes.killed_at_the_end(child):
            processes.wait_for_line(child, "ready")
            time.sleep(wait)
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=5)
        assert (child.returncode, err) == (130, "respool: interrupted\n"), wait


def test_what_ends_a_process_ends_a_query_that_computes():
    child = processes.start(QUERY, LONG)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        time.sleep(0.3)
        child.terminate()
        out, err = child.communicate(timeout=2)
    assert (child.returncode, out, err) == (-signal.SIGTERM, "", "")


@pytest.mark.parametrize("query", ["-f csv", "-f arrow", "-n 12000"])
def test_ctrl_c_ends_what_nobody_reads(query):
    child = processes.start(QUERY, "from range(1000000)", *query.split(), text=False)
    with processes.killed_at_the_end(child):
        assert child.stdout.readline() == b"ready\n"
        until_it_is_full(child.stdout.fileno())
        child.send_signal(signal.SIGINT)
        assert child.wait(5) == 130
        assert child.stderr.read() == b"respool: interrupted\n"


IMPORT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import respool._cli

class Finder:
    def find_spec(self, name, *_):
        if name == "duckdb":
            signal.raise_signal(signal.SIGINT)
            print("imported", flush=True)

sys.meta_path.insert(0, Finder())
respool._cli.main()
"""


def test_ctrl_c_waits_for_duckdb_to_be_imported():
    # An exception in it would end the process with a core dump.
    child = processes.start(IMPORT, "sql", "select 1")
    with processes.killed_at_the_end(child):
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (130, "imported\n", "respool: interrupted\n")


EXPORT = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import respool._cli
from respool import _export, _whole
how, number = sys.argv.pop(1), int(sys.argv.pop(1))
held, writing = _whole._names, _export._groups

def pressed():
    for _ in range(2):
        os.kill(os.getpid(), number)
        for _ in range(100):
            pass

@_whole.contextmanager
def names(*arguments):
    with held(*arguments) as sync:
        def then():
            sync()
            pressed()
        yield then

def groups(*arguments):
    yield from writing(*arguments)
    pressed()

def unlink(path, missing_ok=False):
    os.kill(os.getpid(), number)
    os.unlink(path)

if how == "late":
    _whole._names = names
else:
    _export._groups = groups
    _whole.Path.unlink = unlink
respool._cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", ["late", "early"])
def test_what_ends_an_export_leaves_a_whole_file_or_none(log_dir, tmp_path, number, how):
    states.complete(log_dir)
    file = tmp_path / "out" / "x.parquet"
    file.parent.mkdir()
    child = processes.start(EXPORT, how, int(number), "export", "trips", file, "-d", log_dir)
    with processes.killed_at_the_end(child):
        out, err = child.communicate(timeout=20)
    is_there = how == "late"
    assert [one.name for one in file.parent.iterdir()] == ["x.parquet"] * is_there
    said = "was written before" if is_there else "was not written"
    if number == signal.SIGTERM:
        assert (child.returncode, out, err) == (-signal.SIGTERM, "", "")
    else:
        assert (child.returncode, out) == (130, "")
        assert " ".join(err.split()).endswith(said)


def until_it_is_full(pipe):
    before = -1
    while True:
        there = array.array("i", [0])
        fcntl.ioctl(pipe, termios.FIONREAD, there)
        if there[0] == before > 8192:
            return
        before = there[0]
        time.sleep(0.2)


class Moment:
    """Sends a signal at one of the opcodes of `interrupts`, while it is ready."""

    def __init__(self, moment, number, *, is_ready):
        self.left, self.number, self.is_ready, self.came = moment, number, is_ready, None

    def __call__(self, frame, event, _):
        if frame.f_code.co_filename != interrupts.__file__:
            return None
        frame.f_trace_opcodes = True
        # At a NOP no signal is looked for, and at some no handler of exceptions counts.
        if event == "opcode" and self.is_ready and frame.f_code.co_code[frame.f_lasti] != NOP:
            self.left -= 1
            if self.left == 0:
                self.came = frame.f_lineno
                signal.raise_signal(self.number)
        return self


NOP = dis.opmap["NOP"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_comes_at_any_moment_is_raised_and_leaves_nothing_set(number, request):
    request.addfinalizer(functools.partial(signal.signal, number, signal.getsignal(number)))
    is_ours = number == signal.SIGINT
    signal.signal(number, signal.default_int_handler if is_ours else signal.SIG_DFL)
    noticed = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.getsignal(one) for one in noticed]
    for moment in itertools.count(1):
        # Before they are noted SIGTERM would end this process.
        at = Moment(moment, number, is_ready=is_ours)
        try:
            sys.settrace(at)
            with noted() as them:
                at.is_ready = True
                with them.passed_to(lambda: None):
                    pass
                at.is_ready = is_ours
            sys.settrace(None)
            assert at.came is None
            break
        except (KeyboardInterrupt, Terminated):
            sys.settrace(None)
        assert signal.set_wakeup_fd(-1) == -1, at.came
        assert [signal.getsignal(one) for one in noticed] == handlers, at.came
    assert moment > 100
