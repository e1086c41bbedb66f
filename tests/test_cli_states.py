"""Each subcommand says of each log what happened, what to do next, and ends with the code that is documented."""

import os
import re
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import commands
import processes
import respool
import states
from folders import file_system
from respool._cli import logs, reading
from sources import Source

STATES = ("complete", "growing", "abandoned", "failed", "damaged")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A directory with a name in each state, that state being its name; somebody writes ``growing``."""
    is_memory = file_system(tmp_path_factory.getbasetemp()) == "tmpfs"
    place = Path("/var/tmp") if is_memory else tmp_path_factory.mktemp("names")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=place) as name:
        root = Path(name)
        for state in ("complete", "abandoned", "failed", "damaged"):
            getattr(states, state)(root, state)
        child = states.growing(root)
        with processes.killed_at_the_end(child):
            yield root, child


@pytest.fixture
def run(scene, capsys, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(scene[0]))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: commands.here(capsys, *arguments)


def together(text: str) -> str:
    return " ".join(text.split())


SAYS = {
    "complete": "Everything that the source gave is here; respool verify",
    "growing": "It is being written, by process {pid} on {host}, since 20",
    "abandoned": "Its writer is gone and did not end it (process {here} on {host}, since 20",
    "failed": "Its source failed behind 200 rows, which are good: OSError: the wire broke",
}

NEXT = {
    "complete": [],
    "growing": ["respool sql and respool export wait for the rest; with --partial"],
    "abandoned": [
        "respool.named('abandoned', fill) fills it anew",
        "respool rm abandoned removes it",
    ],
    "failed": [
        "respool.named('failed', fill) fills it anew",
        "respool head failed shows what there is",
    ],
}


@pytest.mark.parametrize("state", SAYS)
def test_info_says_what_happened_and_what_to_do(run, scene, state):
    ran = run("info", state)
    assert ran.code == 0
    who = {"pid": scene[1].pid, "here": os.getpid(), "host": os.uname().nodename}
    assert ran.out.startswith(f"{state}  {state}\n")
    assert SAYS[state].format(**who) in ran.out
    assert ran.err == ""
    assert all(step in together(ran.out) for step in NEXT[state])
    told = run("info", "--json", state).json[0]
    assert (told["state"], told["meaning"] in together(ran.out)) == (state, True)
    assert (told["rows"], told["batches"]) == {
        "complete": (1000, 10),
        "failed": (200, 2),
    }.get(state, (300, 3))
    assert told["in_use_by"] == ([scene[1].pid] if state == "growing" else [])


BOUNDS = {
    "id": ("0", "999"),
    "city": ("Bern", "Genf"),
    "fare": ("0.0", "249.75"),
    "day": ("2026-01-01", "2028-09-26"),
}


def test_info_shows_the_zone_maps_that_filters_have_asked_for(run, log_dir):
    states.complete(log_dir)
    queries = ["id = 5", "city = 'Genf'", "fare > 2", "day > date '2026-02-01'"]
    known = {}
    for (name, (least, greatest)), query in zip(BOUNDS.items(), queries, strict=True):
        run("sql", f"from trips where {query}", "trips", "-d", log_dir)
        nulls = states.trips()[name].null_count
        known[name] = {"nulls": nulls, "least": least, "greatest": greatest, "exact": True}
        told = run("info", "--json", "--directory", log_dir, "trips").json[0]
        zones = {column["name"]: column["zones"] for column in told["columns"]}
        assert zones == {**dict.fromkeys(BOUNDS), **known}
    ran = run("info", "-d", log_dir, "trips")
    assert "fare    double           0  0.0         249.75" in ran.out
    assert "Zone maps are kept for 4 of 4 columns" in ran.out


def test_a_damaged_index_or_manifest_is_told_by_info(run, log_dir):
    for file in ("_manifest", "_index"):
        states.complete(log_dir, file.strip("_"))
        path = states.log_of(log_dir, file.strip("_")) / file
        states.flip(path, 70 if file == "_manifest" else 20)
        ran = run("info", file.strip("_"), "-d", log_dir)
        assert ran.code == 4
        assert f"It is damaged: {path}: the log is damaged at byte" in ran.out
        assert f"respool verify {file.strip('_')} --directory {log_dir}" in ran.out
        assert "Restore the file from a copy" in ran.out
        assert run("head", file.strip("_"), "-d", log_dir).code == 4


def test_a_segment_that_is_missing_is_damage(run, log_dir):
    states.complete(log_dir)
    segment = states.log_of(log_dir, "trips") / "00000000.arrow"
    segment.unlink()
    for command in (["info"], ["head"], ["verify"], ["sql", "from trips"]):
        ran = run(*command, "trips", "-d", log_dir)
        assert ran.code == 4, (command, ran)
        assert str(segment) in together(ran.out + ran.err)


def test_ls_and_info_agree_where_a_file_is_missing(run, log_dir):
    for name, file in {"a": "00000000.arrow", "b": "_index"}.items():
        states.complete(log_dir, name)
        (states.log_of(log_dir, name) / file).unlink()
        (one,) = run("info", name, "-d", log_dir, "--json").json
        assert one["state"] == "damaged"
    listed = {one["name"]: one["state"] for one in run("ls", "-d", log_dir, "--json").json}
    assert listed == {"a": "damaged", "b": "damaged"}
    ran = run("ls", "-d", log_dir)
    assert [line.split()[1] for line in ran.out.splitlines()[1:]] == ["damaged", "damaged"]
    assert "respool info a" in ran.err
    assert [one.state for one in respool.ls(log_dir)] == ["unreadable"] * 2


def test_ls_lists_all(run, scene):
    ran = run("ls")
    assert ran.code == 0
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["NAME", "STATE", "ROWS", "SIZE", "USED"]
    # Damage of data is found by who reads it.
    found = {name: (state, rows) for name, state, rows, *_ in lines[1:]}
    assert found == {
        "abandoned": ("abandoned", "300"),
        "complete": ("complete", "1,000"),
        "damaged": ("complete", "1,000"),
        "failed": ("failed", "200"),
        "growing": ("growing", "300"),
    }
    assert "5 caches" in ran.err
    assert "2 of them not whole; what happened, and what to do: respool info abandoned" in ran.err
    told = {one["name"]: one for one in run("ls", "--json").json}
    assert {name: one["state"] for name, one in told.items()} == {
        name: state for name, (state, _) in found.items()
    }
    assert told["complete"]["key"] == ["EU", 2026]


CODES = {"complete": 0, "growing": 5, "abandoned": 5, "failed": 5, "damaged": 4}


@pytest.mark.parametrize("state", STATES)
def test_verify_ends_with_the_code_of_the_state(run, scene, state):
    ran = run("verify", state)
    assert ran.code == CODES[state]
    told = run("verify", state, "--json")
    assert told.code == CODES[state]
    (about,) = told.json
    assert about["exit"] == CODES[state]
    if state == "damaged":
        segment = states.log_of(scene[0], state) / "00000000.arrow"
        (damage,) = about["damages"]
        assert (damage["file"], damage["batch"]) == (str(segment), 5)
        assert 0 <= 20_000 - damage["offset"] < 4096
        assert f"{segment}, byte {damage['offset']}: the checksum of column 3 does not" in ran.out
        assert "9 batches (900 rows) can be read" in ran.out
        assert "Restore the files from a copy, or respool rm damaged" in ran.err
    else:
        assert about["damages"] == []
        assert f"good, {state}" in ran.out
        assert all(step in together(ran.err) for step in NEXT[state])


def test_verify_of_several_ends_with_4_if_one_is_damaged_and_else_with_the_highest_code(run):
    assert run("verify", "complete", "abandoned").code == 5
    assert run("verify", "damaged", "complete").code == 4
    assert run("verify", "damaged", "abandoned").code == 4
    assert run("verify", "--all").code == 4
    assert run("verify").code == 2


@pytest.mark.parametrize("state", STATES)
def test_head_waits_for_nobody(run, state):
    ran = run("head", "-n", "2", "--json", state)
    assert ran.code == 0
    assert len(ran.json) == 2
    is_whole = state in {"complete", "damaged"}
    assert ran.err == "" if is_whole else SAYS[state].split("{")[0] in ran.err


@pytest.mark.parametrize("state", STATES)
def test_sql_and_export_want_the_whole(run, tmp_path, state):
    file = tmp_path / "out.parquet"
    column = "day" if state in {"complete", "damaged"} else "s"
    query = f"select count({column}) as n from {state}"
    for command in (["sql", query, state, "--json"], ["export", state, file, "--json"]):
        ran = run(*command, "--timeout", "0.2")
        assert ran.code == CODES[state], ran
        if state == "complete":
            continue
        assert file.exists() is False
        error = ran.err[ran.err.index("{") :]
        assert '"next": [' in error
        if state in {"abandoned", "failed"}:
            assert SAYS[state].split("(")[0] in error
        if state == "growing":
            assert "This waits for the rest" in ran.err
        # What a program is told to do next, nobody can do in a shell.
        assert not re.search(r"prefix\(\)|read on|what this batch", together(ran.out + ran.err)), (
            ran
        )
    if state == "damaged":
        return
    rows = 1000 if state == "complete" else 200 if state == "failed" else 300
    assert run("sql", query, state, "--json", "--partial").json == [{"n": rows}]
    assert run("export", state, file, "--json", "--partial", "--force").json["rows"] == rows


def test_a_part_is_never_taken_for_the_whole_where_its_writer_dies(run, log_dir):
    child = states.growing(log_dir, "dies")
    with processes.killed_at_the_end(child), ThreadPoolExecutor() as threads:
        threads.submit(lambda: (time.sleep(0.3), child.kill(), child.wait()))
        ran = run("sql", "select count(s) from dies", "dies", "-d", log_dir)
    assert (ran.code, ran.out) == (5, "")
    assert "It is being written" in ran.err
    assert "--partial reads what there is" in ran.err


@pytest.mark.parametrize("query", ["select count(n) from complete", "from complete"])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (respool.exceptions.IncompleteStreamError("cut"), 5),
        (TimeoutError("too long"), 5),
        (respool.exceptions.CorruptLogError("bits"), 4),
        (OSError("the wire broke"), 1),
    ],
)
def test_what_ends_a_stream_in_a_query_decides_the_code(run, monkeypatch, query, error, code):
    def source():
        yield pa.record_batch({"n": [1]})
        raise error

    def opened(target, **_):
        cache = respool.cache(source(), schema=pa.schema({"n": pa.int64()}))
        return reading.Reading(logs.look(target.path), cache)

    monkeypatch.setattr(reading, "opened", opened)
    ran = run("sql", query, "complete", "-f", "csv")
    assert (ran.code, f"respool: {error}" in ran.err) == (code, True)
    assert ("--partial reads what there is" in ran.err) == (code == 5)


def test_who_meets_damage_is_told_what_to_verify(run, log_dir):
    states.damaged(log_dir)
    states.complete(log_dir, "good")
    query = "select max(day) from damaged join good using (day)"
    ran = run("sql", query, "damaged", "good", "-d", log_dir)
    assert ran.code == 4
    assert f" respool verify damaged good --directory {log_dir} lists" in together(ran.err)
    ran = run("export", "damaged", log_dir / "out.parquet", "-d", log_dir)
    assert ran.code == 4
    assert f" respool verify damaged --directory {log_dir} lists" in together(ran.err)


def test_what_stands_in_for_a_name_is_read_and_that_is_said(run, log_dir):
    states.complete(log_dir, "trips")
    with respool.named("trips", lambda: Source(9).reader(), directory=log_dir, key="other") as new:
        next(new.reader())
    # Nobody has the key of the first any more, but it is the last that is whole.
    ran = run("sql", "select count(*) as n from trips", "trips", "--json", "-d", log_dir)
    assert (ran.code, ran.json) == (0, [{"n": 1000}])
    assert "This reads its last whole log, 1,000 rows; --partial reads the newer one." in ran.err
    ran = run("info", "trips", "-d", log_dir)
    assert "abandoned" in ran.out
    assert "Until then its last whole log is what readers get: 1,000 rows" in ran.out
    ran = run("verify", "trips", "-d", log_dir)
    assert ran.code == 5
    assert "10 batches (1,000 rows) good, complete" in ran.out


def test_ctrl_c_ends_a_wait_with_130_and_no_traceback(scene, tmp_path):
    out = tmp_path / "x.parquet"
    waits = subprocess.Popen(
        [*commands.COMMAND, "export", "growing", out, "-d", scene[0]],
        stderr=subprocess.PIPE,
        text=True,
    )
    with processes.killed_at_the_end(waits):
        assert "It is being written" in waits.stderr.readline()
        while not list(tmp_path.glob(".respool-*.part")):
            assert waits.poll() is None
        waits.send_signal(signal.SIGINT)
        _, err = waits.communicate(timeout=20)
    assert waits.returncode == 130
    assert " ".join(err.split()).endswith("x.parquet was not written")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_a_query_that_waits(run):
    with ThreadPoolExecutor() as threads:
        threads.submit(lambda: (time.sleep(0.3), os.kill(os.getpid(), signal.SIGINT)))
        ran = run("sql", "select count(s) from growing", "growing")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.endswith("respool: interrupted\n")


def test_ctrl_c_that_duckdb_kept_to_itself_ends_a_query_too(run, monkeypatch):
    connect = duckdb.connect

    def kept():
        # As where a module is imported that DuckDB can do without.
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return connect()

    def of_its_own(*_):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr(duckdb, "connect", kept)
    ran = run("sql", "select count(s) from growing", "growing")
    assert (ran.code, ran.out) == (130, "")
    monkeypatch.setattr(duckdb, "connect", of_its_own)
    ran = run("sql", "select count(s) from complete", "complete")
    assert (ran.code, ran.out, ran.err) == (130, "", "respool: interrupted\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_json_of_ls_and_info_tell_how_long_a_name_lives(run, log_dir, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(log_dir))
    fill = lambda: pa.table({"n": [1]})  # noqa: E731
    respool.named("mortal", fill, ttl=60, directory=log_dir, ingest=True).close()
    respool.named("endless", fill, directory=log_dir, ingest=True).close()
    for name, ttl in {"mortal": 60, "endless": None}.items():
        path = states.log_of(log_dir, name)
        listed = next(one for one in run("ls", "--json").json if one["name"] == name)
        told = [listed, run("ls", path, "--json").json[0], run("info", name, "--json").json[0]]
        assert [one["ttl_seconds"] for one in told] == [ttl] * 3
        assert len({one["expires"] for one in told}) == 1
        assert (told[0]["expires"] is None) == (ttl is None)


def test_what_to_type_next_is_one_word_to_the_shell(run, log_dir):
    root = log_dir / "my names"
    states.abandoned(root.mkdir() or root, "left")
    path = root / "my log"
    with respool.cache(Source(9).reader(), path=path) as cache:
        next(cache.reader())
    for words, step in (
        (["info", path], f"respool rm '{path}' removes it."),
        (["info", "left", "-d", root], f"respool rm left --directory '{root}' removes it."),
        (["ls", root], f"respool info left --directory '{root}'"),
        (["head", root], f"respool ls '{root}' lists what is in it"),
    ):
        ran = run(*words)
        assert step in together(ran.out + ran.err), words
