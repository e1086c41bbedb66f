"""`respool rm` and `respool prune`: what goes, what stays, and who is asked."""

import errno
import json
import os
import re
import shutil
import time

import click
import pyarrow as pa
import pytest

import commands
import respool
import states
from respool._cli import asking, rm


@pytest.fixture
def run(log_dir, capsys, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(log_dir))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: commands.here(capsys, *arguments)


def names(root):
    return [one.name for one in respool.ls(root)]


def aged(root, name, days):
    """Let a name be used last so many days ago."""
    at = time.time() - days * 86400
    os.utime(states.log_of(root, name).parent / "lock", (at, at))


def kept(path):
    with respool.cache(pa.table({"n": [1]}).to_reader(), path=path) as cache:
        cache.ingest_all()
    return path


def test_rm_removes_names_and_paths(run, log_dir):
    for name in ("a", "b", "c"):
        states.complete(log_dir, name)
    path = kept(log_dir / "log")
    ran = run("rm", "a", "b", path, "--dry-run")
    assert (ran.code, ran.out.count("would remove ")) == (0, 3)
    assert (names(log_dir), path.exists()) == (["a", "b", "c"], True)
    told = run("rm", "a", "b", path, "--json").json
    assert [one["removed"] for one in told] == [True] * 3
    assert all(one["bytes"] > 100 for one in told)
    assert (names(log_dir), path.exists()) == (["c"], False)


def test_rm_of_what_is_not_there_removes_nothing(run, log_dir):
    states.complete(log_dir, "a")
    ran = run("rm", "a", "nobody")
    assert (ran.code, ran.out, names(log_dir)) == (3, "", ["a"])


def test_a_dry_run_says_what_would_stay(run, log_dir):
    states.complete(log_dir, "a")
    path = kept(log_dir / "log")
    with respool.open(path), respool.open(states.log_of(log_dir, "a")):
        ran = run("rm", "a", path, "--dry-run")
        assert (ran.code, ran.out.count("would remove ")) == (6, 1)
        assert f"{path} would stay: somebody has it open." in ran.err
        told = run("rm", "a", path, "--dry-run", "--json")
        assert [bool(one["error"]) for one in told.json] == [False, True]
        assert (told.code, told.err) == (6, "")
    assert (names(log_dir), path.exists()) == (["a"], True)
    assert run("rm", path, "--dry-run").code == 0


def test_rm_goes_on_behind_what_can_not_be_removed(run, log_dir, monkeypatch):
    for name in ("a", "b", "c"):
        states.complete(log_dir, name)
    remove = respool.rm

    def rm(name, directory):
        if name != "b":
            return remove(name, directory)
        raise PermissionError(errno.EACCES, "not yours", str(log_dir / name))

    monkeypatch.setattr(respool, "rm", rm)
    ran = run("rm", "a", "b", "c")
    assert (ran.code, names(log_dir)) == (1, ["b"])
    assert f"b stays: {log_dir / 'b'}: not yours" in ran.err
    states.complete(log_dir, "d")
    ran = run("rm", "b", "d", "--json")
    assert (ran.code, [one["removed"] for one in ran.json]) == (1, [False, True])
    assert "not yours" in ran.json[0]["error"]
    assert (ran.err, names(log_dir)) == ("", ["b"])


def test_rm_of_one_that_is_named_twice_removes_it_once(run, log_dir):
    states.complete(log_dir, "a")
    path = kept(log_dir / "log")
    ran = run("rm", "a", path, "a", f"{log_dir}/./log")
    assert (ran.code, ran.out.count("remove "), ran.err) == (0, 2, "")
    assert (names(log_dir), path.exists()) == ([], False)


def test_rm_of_what_somebody_else_removes_meanwhile_is_done(run, log_dir, monkeypatch):
    path = kept(log_dir / "log")
    states.complete(log_dir, "a")

    def asked(**_):
        respool.rm("a", log_dir)
        shutil.rmtree(path)
        return True

    monkeypatch.setattr(rm, "is_wanted", asked)
    assert run("rm", "a", path).code == 0


def test_rm_of_what_somebody_reads(run, log_dir):
    states.complete(log_dir, "a")
    path = kept(log_dir / "log")
    here = f"in use by process {os.getpid()}"
    with respool.open(path), respool.open(states.log_of(log_dir, "a")) as reads:
        ran = run("rm", path)
        assert (ran.code, path.exists(), here in ran.out) == (6, True, True)
        assert "stays: somebody has it open. Close it there and try again." in ran.err
        ran = run("rm", "a")
        assert (ran.code, names(log_dir), here in ran.out) == (0, [], True)
        assert "a: the name is free; its files go when nobody uses them" in ran.err
        assert pa.table(reads).num_rows == 1000
    assert run("rm", path).code == 0
    run("prune")
    assert list(log_dir.iterdir()) == []


def test_a_damaged_or_abandoned_name_can_be_removed(run, log_dir):
    states.abandoned(log_dir)
    states.complete(log_dir, "broken")
    states.flip(states.log_of(log_dir, "broken") / "_manifest", 70)
    assert run("rm", "abandoned", "broken").code == 0
    assert names(log_dir) == []


def test_files_of_others_stay(run, log_dir):
    path = kept(log_dir / "log")
    (path / "notes.txt").write_text("mine")
    assert run("rm", path).code == 0
    assert [it.name for it in path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "bounds",
    [
        ["--older-than", "30d"],
        ["--max-bytes", "80000"],
        ["--older-than", "7w", "--max-bytes", "1 MiB"],
        [],
    ],
)
def test_a_dry_run_says_what_the_run_does(run, log_dir, bounds):
    for days, name in enumerate(("a", "b", "c", "d")):
        states.complete(log_dir, name)
        aged(log_dir, name, 20 * days)
    with respool.open(states.log_of(log_dir, "d")):
        dry = run("prune", "--dry-run", "--json", *bounds)
        assert names(log_dir) == ["a", "b", "c", "d"]
        wet = run("prune", "--json", *bounds)
    gone = {"30d": ["c"], "80000": ["b", "c"], "7w": [], None: []}[bounds[1] if bounds else None]
    assert sorted(dry.json["removed"]) == sorted(wet.json["removed"]) == gone
    assert dry.json["freed_bytes"] == wet.json["freed_bytes"]
    assert (dry.json["dry_run"], wet.json["dry_run"]) == (True, False)
    assert names(log_dir) == sorted({"a", "b", "c", "d"} - set(gone))


def test_a_dry_run_counts_what_nobody_can_ask_for_any_more(run, log_dir):
    states.complete(log_dir, "a")
    states.complete(log_dir, "left")
    (states.log_of(log_dir, "left") / "_manifest").unlink()
    states.complete(log_dir, "gone")
    with respool.open(states.log_of(log_dir, "gone")):
        respool.rm("gone", log_dir)
        held = run("prune", "--dry-run", "--json").json["freed_bytes"]
    dry, wet = run("prune", "--dry-run", "--json").json, run("prune", "--json").json
    assert dry["freed_bytes"] == wet["freed_bytes"] > held > 30_000
    assert dry["removed"] == wet["removed"] == []
    assert names(log_dir) == ["a"]


def test_prune_says_why_more_is_left_than_was_asked_for(run, log_dir):
    for name in ("a", "b"):
        states.complete(log_dir, name)
    with respool.open(states.log_of(log_dir, "a")):
        for dry in (["--dry-run"], []):
            ran = run("prune", "--max-bytes", "0", *dry)
            assert re.search(r"^3\d\.\d KiB stay: somebody uses them", ran.err, re.MULTILINE)
            assert run("prune", "--max-bytes", "1 MiB", *dry).err.count("\n") == 1
    assert names(log_dir) == ["a"]
    assert "stay" not in run("prune", "--max-bytes", "0").err


def test_prune_says_what_goes(run, log_dir):
    states.complete(log_dir, "old")
    aged(log_dir, "old", 40)
    ran = run("prune", "--older-than", "30d", "--dry-run")
    assert ran.out.startswith("would remove old: ")
    assert ran.out.endswith(", used 40 d ago\n")
    assert "1 name, " in ran.err
    assert run("prune", "--older-than", "soon").code == 2
    ran = run("prune", "--max-bytes", "much")
    assert (ran.code, "respool prune --help" in ran.err) == (2, True)
    assert names(log_dir) == ["old"]
    assert run("prune", "-d", log_dir / "nowhere").code == 3


@pytest.mark.parametrize("span", ["30", "0", "1.5"])
def test_a_span_without_a_unit_removes_nothing(run, log_dir, span):
    states.complete(log_dir, "old")
    aged(log_dir, "old", 1)
    ran = run("prune", "--older-than", span, "--yes")
    assert (ran.code, ran.out, names(log_dir)) == (2, "", ["old"])
    assert f"{span} of what? Write the unit: {span}d, {span}h, {span}min" in ran.err


@pytest.mark.parametrize(
    ("bound", "asked", "left"),
    [("--max-bytes=80000", ["a"], ["a", "b", "c"]), ("--older-than=60d", ["a", "b"], ["a", "c"])],
)
def test_no_more_is_pruned_than_was_asked_for(run, log_dir, monkeypatch, bound, asked, left):
    for name, days in {"a": 90, "b": 80, "c": 10}.items():
        states.complete(log_dir, name)
        aged(log_dir, name, days)
    opened = []

    def yes(*_, **__):
        opened.append(respool.open(states.log_of(log_dir, "a")))
        aged(log_dir, "c", 99)
        return True

    monkeypatch.setattr(asking, "is_terminal", lambda _: True)
    monkeypatch.setattr(click, "confirm", yes)
    ran = run("prune", bound)
    opened.pop().close()
    assert re.findall(r"^remove (\w+)", ran.out, re.MULTILINE) == asked
    assert (ran.code, names(log_dir)) == (0, left)


@pytest.mark.parametrize("words", [["prune", "--older-than=30d"], ["rm", "old"]])
def test_who_asks_for_json_is_shown_what_is_asked_about(log_dir, words):
    states.complete(log_dir, "old")
    aged(log_dir, "old", 40)
    env = {"RESPOOL_CACHE_DIR": str(log_dir)}
    ran = commands.on_terminal(*words, "--json", typed=b"n\n", **env)
    assert (ran.code, names(log_dir)) == (0, ["old"])
    before, _, after = ran.out.partition("Remove? [y/N]: ")
    assert "remove old: " in before
    told = json.loads(after.lstrip("n\r\n"))
    assert not (told["removed"] if words[0] == "prune" else told[0]["removed"])


def test_a_terminal_is_asked_and_nobody_else(run, log_dir):
    states.complete(log_dir, "a")
    env = {"RESPOOL_CACHE_DIR": str(log_dir)}
    asked = commands.on_terminal("rm", "a", typed=b"n\n", **env)
    assert (asked.code, names(log_dir)) == (0, ["a"])
    assert "Remove? [y/N]" in asked.out
    assert "remove a: " in asked.out
    assert run("rm", "a").code == 0
    assert names(log_dir) == []
