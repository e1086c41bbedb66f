"""Why a log is not whole, in one sentence, and all that can be done about it."""

from pathlib import Path

import pyarrow as pa
import pytest

import commands
import respool
import states
from respool._cli import logs
from respool._cli.causes import why
from respool._cli.checks.found import of_error
from respool._cli.states import meaning
from sources import SCHEMA, Source


@pytest.fixture
def run(log_dir, capsys, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(log_dir))
    monkeypatch.setenv("COLUMNS", "500")
    return lambda *arguments: commands.here(capsys, *arguments)


def test_what_a_verifier_passed_on_its_way_is_left_out():
    """It is damage all the same, and says nothing to who reads it in a shell."""
    said = (
        "Range [120, 1044680) is out of bounds.\n\twhile verifying table field `buffers` at position 56\n"
        "\t while verifying union variant `MessageHeader::RecordBatch` at position 20\n\n"
    )
    error = OSError(5, f"the log is damaged at byte 9792 of this file: {said}", "00000000.arrow")
    wanted = "Range [120, 1044680) is out of bounds."
    assert of_error(error, Path("log")).reason == wanted
    assert why(error) == f"00000000.arrow: the log is damaged at byte 9792 of this file: {wanted}"


def steps(text):
    return [line.strip() for line in text.splitlines()]


def left(root, rows):
    """Let the name ``left`` have a log whose source has failed behind so many rows."""

    def source():
        if rows:
            yield pa.record_batch({"n": [0] * rows})
        raise OSError("the wire broke")

    schema = pa.schema({"n": pa.int64()})
    fill = lambda: respool.cache(source(), schema=schema, disk=None)  # noqa: E731
    with pytest.raises(OSError, match="wire"):
        respool.named("left", fill, key=(rows,), directory=root, ingest=True)


@pytest.mark.parametrize("state", ["abandoned", "failed"])
def test_a_name_that_is_not_whole_can_be_gone_on_with(run, log_dir, state):
    getattr(states, state)(log_dir, state)
    path = states.log_of(log_dir, state)
    step = f"respool.resume('{path}', source) goes on with it."
    assert step in steps(run("info", state).out)
    assert step in run("info", state, "--json").json[0]["next"]
    assert step in steps(run("verify", state).err)
    assert step in steps(run("sql", f"from {state}", state).err)
    assert step in run("export", state, log_dir / "x.arrow", "--json").error["next"]


def test_what_readers_get_until_then_comes_behind_what_then_is(run, log_dir):
    states.complete(log_dir, "left")
    whole = states.log_of(log_dir, "left")
    left(log_dir, 1)
    said = steps(run("info", "left").out)
    at = said.index("respool.named('left', fill) fills it anew.")
    until = f"Until then its last whole log is what readers get: 1,000 rows, {whole}"
    assert said[at + 1] == until
    states.flip(states.log_of(log_dir, "left") / "_manifest", 70)
    said = steps(run("info", "left").out)
    assert said.index(until) == 1 + next(i for i, it in enumerate(said) if "fills it anew" in it)


def test_a_name_that_grows_is_waited_for_whatever_is_beside_it(run, log_dir):
    states.complete(log_dir, "left")
    whole = states.log_of(log_dir, "left")
    with respool.named("left", Source, schema=SCHEMA, key=(2,), directory=log_dir) as cache:
        cache.batch(0)
        ran = run("info", "left")
    assert "Until then" not in ran.out
    assert f"Its last whole log is beside it: 1,000 rows, {whole}" in ran.out


def test_how_many_rows_there_are_fits_the_sentence(run, log_dir):
    for rows, said in {
        0: "Its source failed before its first row: OSError: the wire broke",
        1: "Its source failed behind 1 row, which is good: OSError: the wire broke",
        2: "Its source failed behind 2 rows, which are good: OSError: the wire broke",
    }.items():
        left(log_dir, rows)
        assert run("info", "left", "--json").json[0]["meaning"] == said
    for rows, said in {
        0: "). No row of it is here.",
        1: "). The first row is good, and it may not be all.",
        2: "). The first 2 rows are good, and they may not be all.",
    }.items():
        log = logs.Log(log_dir, "abandoned", {"rows": rows})
        assert meaning(log).endswith(said)


def test_of_a_traceback_the_last_line_is_told(run, log_dir):
    def source():
        yield pa.record_batch({"n": [1]})
        raise KeyboardInterrupt("\x1b[2J")

    path = log_dir / "log"
    reader = pa.RecordBatchReader.from_batches(pa.schema({"n": pa.int64()}), source())
    with respool.cache(reader, path=path) as cache, pytest.raises(KeyboardInterrupt):
        cache.ingest_all()
    about = run("info", path, "--json").json[0]
    assert "Traceback" in about["failure"]
    said = "Its source failed behind 1 row, which is good: KeyboardInterrupt: \\x1b[2J"
    assert about["meaning"] == said
    for words in (
        ["info", path],
        ["sql", "from log", path],
        ["verify", path],
        ["head", path],
        ["export", path, log_dir / "x.arrow"],
    ):
        ran = run(*words)
        assert said in (ran.out + ran.err).replace("\n  ", "\n"), words
        assert "Traceback" not in ran.out + ran.err


def test_of_a_text_of_several_lines_one_is_made(run, log_dir):
    log = logs.Log(log_dir, "failed", {"rows": 2, "failure": "ValueError: a\n\tb"})
    assert meaning(log) == ("Its source failed behind 2 rows, which are good: ValueError: a\\n\\tb")


FRAMES = """Traceback (most recent call last):
  File "a.py", line 1, in read
    yield next(rows)
          ^^^^^^^^^^
  File "b.py", line 2, in rows
"""


def test_of_an_error_with_a_traceback_the_cause_is_left():
    then = "; read what there is with .prefix(), or go on with resume"
    for said, cause in {
        f"{FRAMES}OSError: the wire broke\n": "OSError: the wire broke",
        f"{FRAMES}    raise it\nValueError: a\n    b\n": "ValueError: a\\n    b",
        f"{FRAMES}KeyboardInterrupt\n{then}": "KeyboardInterrupt",
        "Traceback (most recent call last):\nMemoryError": "MemoryError",
        "its source failed: Invalid: a: A\nb. Detail: Python exception: "
        f"{FRAMES}ValueError: a: A\nb\n": "its source failed: ValueError: a: A\\nb",
        f"it was left{then}": "it was left",
    }.items():
        assert why(RuntimeError(said)) == cause


def test_what_click_says_has_no_codes_of_tabs(run):
    ran = run("completion")
    assert (ran.code, "\\t" in ran.err, "  bash,\n" in ran.err) == (2, False, True)


@pytest.mark.parametrize(
    "words", ["ls", "info x", "sql select", "verify --all", "prune", "rm x", "flight serve"]
)
def test_a_variable_that_is_no_place_is_a_mistake_of_usage(run, monkeypatch, words):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", "relative")
    ran = run(*words.split(), *(["x"] if words.startswith("sql") else []))
    assert (ran.code, "RESPOOL_CACHE_DIR is an absolute path" in ran.err) == (2, True)
