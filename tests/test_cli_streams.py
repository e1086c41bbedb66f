"""The command where a standard stream is closed, or takes nothing."""

import subprocess
import sys

import pytest

import commands
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
