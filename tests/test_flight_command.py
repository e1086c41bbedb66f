"""What `respool flight serve` runs."""

import signal
import subprocess
import sys

import pyarrow as pa
import pytest

import commands
import processes
import respool
import respool.flight
from respool._flight.command import serve
from sources import SCHEMA, Source, expected

COMMAND = """
import sys
from respool._flight.command import serve
serve(sys.argv[1:-1], "grpc://127.0.0.1:0", sys.argv[-1] or None)
"""
TOKEN = "a-token-of-the-tests"  # noqa: S105


@pytest.fixture
def root(log_dir, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(log_dir / "named"))
    for name in ("one", "two"):
        with respool.named(name, Source, schema=SCHEMA, ingest=True):
            pass
    return log_dir / "named"


@pytest.mark.parametrize(
    ("what", "token", "number"),
    [
        ("directory", "", signal.SIGTERM),
        ("names", TOKEN, signal.SIGINT),
        ("logs", "", signal.SIGINT),
    ],
)
def test_it_serves_until_it_is_told_to_stop(root, what, token, number):
    logs = [one.path for one in respool.ls(root)]
    given = {"directory": [root], "names": ["one", "two"], "logs": logs}[what]
    child = processes.start(COMMAND, *given, token)
    with processes.killed_at_the_end(child):
        uri = child.stdout.readline().strip()
        for name in ("one", "two"):
            with respool.flight.open(uri, name, token=token or None) as there:
                assert pa.table(there).equals(expected(5))
        child.send_signal(number)
        assert child.wait(20) == 0, child.stderr.read()


def test_a_wrong_location_is_one_of_usage(root):
    given = [sys.executable, "-m", "respool", "flight", "serve", "one", "-d", str(root)]
    ended = subprocess.run(
        [*given, "--location", "http://127.0.0.1:0"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "a location is grpc://HOST:PORT" in ended.stderr


def test_what_makes_no_sense_is_said(root):
    with pytest.raises(ValueError, match="say what to serve"):
        serve([])
    with pytest.raises(ValueError, match="both a certificate and its key"):
        serve(["one"], cert="cert.pem")
    with pytest.raises(ValueError, match="are called 'one'"):
        serve(["one", "one"])
    with pytest.raises(FileNotFoundError):
        serve(["three"])
    with pytest.raises(ValueError, match="without a token"):
        serve(["one"], "grpc://0.0.0.0:0")


def test_where_nothing_is_kept_there_is_nothing_to_serve(log_dir, monkeypatch, capsys):
    nope = log_dir / "nope"
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(nope))
    for words in ([], ["-d", nope]):
        ran = commands.here(capsys, "flight", "serve", *words)
        assert (ran.code, ran.out) == (3, "")
        assert f"nothing is kept in {nope}" in ran.err
    ran = commands.here(capsys, "flight", "serve", f"{nope}/")
    assert (ran.code, "is not there" in ran.err) == (3, True)
    for path in ("./nope", nope, str(nope)):
        with pytest.raises(FileNotFoundError, match="nothing is kept there"):
            serve([path])


def test_a_plain_word_is_a_name_whatever_is_in_the_current_directory(root, monkeypatch, capsys):
    monkeypatch.chdir(root.parent)
    (root.parent / "three").mkdir()
    ran = commands.here(capsys, "flight", "serve", "three")
    assert (ran.code, "there is a directory at the path ./three: write it so" in ran.err) == (
        3,
        True,
    )
    with pytest.raises(FileNotFoundError, match="'three'"):
        serve(["three"])
