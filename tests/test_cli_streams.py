"""The command where a standard stream is closed, or takes nothing."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial

import pytest

import commands
import processes
import states


@pytest.fixture
def shell(log_dir, tmp_path):
    """Run the command with what a shell makes of its standard streams."""
    states.complete(log_dir)
    command = f"{sys.executable} -m respool"

    def run(line: str) -> commands.Ran:
        ran = subprocess.run(
            ["sh", "-c", f"{command} {line}"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"RESPOOL_CACHE_DIR": str(log_dir), "COLUMNS": "200"},
            check=False,
        )
        return commands.Ran(ran.returncode, ran.stdout, ran.stderr)

    return run


def test_without_standard_error_nothing_is_said_and_nothing_goes_elsewhere(shell):
    assert shell("head trips -n 1 -f csv 2>&-") == shell("head trips -n 1 -f csv")
    ran = shell("ls 2>&-")
    assert (ran.code, ran.out.split()[0], ran.out, ran.err) == (0, "NAME", shell("ls").out, "")
    for line, code in (("ls nowhere", 3), ("sql 'from nowhere'", 1), ("", 2)):
        ran = shell(f"{line} 2>&-")
        assert (ran.code, ran.out, ran.err) == (code, "", ""), line


@pytest.mark.parametrize(
    ("to", "why"),
    [(">&-", "standard output is closed"), (">/dev/full", "No space left on device")],
)
def test_output_that_goes_nowhere_is_an_error(shell, to, why):
    for line in (
        "ls",
        "sql 'from trips' trips",
        "--help",
        "head trips -f csv",
        "head trips -f parquet",
    ):
        ran = shell(f"{line} {to}")
        assert (ran.code, ran.err.splitlines()[-1]) == (1, f"respool: {why}"), line
        assert "Traceback" not in ran.err
        assert "ignored" not in ran.err
    ran = shell(f"ls --json {to}")
    assert (ran.code, ran.error["message"]) == (1, why)


def test_who_can_not_be_told_anything_gets_the_rows(shell):
    ran = shell("head trips -n 1 2>/dev/full")
    assert (ran.code, "Bern" in ran.out) == (0, True)
    assert shell("ls nowhere 2>/dev/full") == commands.Ran(3, "", "")


def test_who_prints_nothing_needs_no_standard_output(shell, tmp_path):
    ran = shell("export trips trips.parquet >&- <&-")
    assert (ran.code, "1,000 rows" in ran.err) == (0, True)
    assert (tmp_path / "trips.parquet").stat().st_size > 1000
    assert shell("ls >&- 2>&- <&-").code == 1
    assert shell("rm trips <&-").code == 0


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="pipes have one size there")
def test_an_output_that_does_not_block_gets_all(log_dir):
    states.complete(log_dir)
    words = [*commands.COMMAND, "head", "trips", "-n", "1000", "-d", str(log_dir)]
    whole = subprocess.run(words, capture_output=True, check=True).stdout
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(theirs, False)
    with (
        subprocess.Popen(words, stdout=theirs, stderr=subprocess.PIPE) as child,
        os.fdopen(ours, "rb") as read,
    ):
        os.close(theirs)
        select.select([read], [], [])
        time.sleep(0.3)
        assert read.read() == whole
        assert (child.wait(20), child.stderr.read()) == (0, b"1,000 rows\n")


EXPORT = """
import os, sys, time
from respool import _export
groups = _export._groups

def slow(*arguments):
    yield from groups(*arguments)
    os.write(1, b"ready\\n")  # rich has sys.stdout
    time.sleep(0.6)

_export._groups = slow
import respool._cli
respool._cli.main()
"""


def test_an_export_goes_on_where_its_terminal_is_closed(log_dir, tmp_path):
    states.complete(log_dir)
    ours, theirs = pty.openpty()
    file = tmp_path / "x.parquet"
    child = processes.start(
        EXPORT,
        *("export", "trips", file, "-d", log_dir),
        stderr=theirs,
        # As a shell does for what is disowned.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    with processes.killed_at_the_end(child):
        os.close(theirs)
        processes.wait_for_line(child, "ready")
        os.close(ours)
        assert (child.wait(20), file.stat().st_size > 1000) == (0, True)


UNENDED = """
import sys

from respool._cli.terminal import progress

with progress("trips", 10) as tell:
    sys.stderr.write("half a line")
    sys.stderr.flush()
    sys.stderr.write(", and the rest\\n")
print("done")
"""


def test_a_line_without_its_end_is_shown_once_beside_progress(tmp_path):
    """What rich holds of a line was written again for each time that it was written."""
    ours, theirs = pty.openpty()
    with (tmp_path / "out").open("w+") as out:
        child = processes.start(UNENDED, stdout=out, stderr=theirs)
        with processes.killed_at_the_end(child):
            os.close(theirs)
            shown = b"".join(iter(partial(read, ours), b"")).decode()
            os.close(ours)
            assert child.wait(20) == 0
        assert out.seek(0) == 0
        assert out.read() == "done\n"
    assert "and the rest" in shown
    assert "Traceback" not in shown
    assert shown.count("half a line") <= 2


def read(terminal):
    # Where the other side is closed Linux has an error in the place of an end.
    with suppress(OSError):
        return os.read(terminal, 1 << 16)
    return b""
