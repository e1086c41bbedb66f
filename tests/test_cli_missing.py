"""What is not there: it is said, nothing else is hidden by it, and it has a code of its own."""

import pyarrow as pa
import pytest

import commands
import respool
import states
from respool._cli import logs, targets


@pytest.fixture
def run(log_dir, capsys, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(log_dir))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: commands.here(capsys, *arguments)


OF_ALL = {
    "ls": "nothing is kept in {}",
    "verify --all": "0 logs in {}",
    "prune": "0 names, 0 B gone of 0 B in {}",
}


@pytest.mark.parametrize("command", OF_ALL)
def test_a_directory_that_was_named_has_to_be_there(run, log_dir, monkeypatch, command):
    words = command.split()
    nope, empty, home = (log_dir / name for name in ("nope", "empty", "home"))
    empty.mkdir(0o700)
    ran = run(*words, "-d", nope)
    assert (ran.code, ran.out) == (3, "")
    assert f"{nope} is not there" in ran.err
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(nope))
    ran = run(*words, "--json")
    assert (ran.code, ran.out, ran.error["error"]) == (3, "", "not_found")
    assert "RESPOOL_CACHE_DIR" in ran.error["message"]
    ran = run(*words, "-d", empty)
    assert (ran.code, ran.out, ran.err) == (0, "", OF_ALL[command].format(empty) + "\n")
    # The default is made by the first that fills a name; before that it is nobody's mistake.
    monkeypatch.delenv("RESPOOL_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setenv("HOME", str(home))
    ran = run(*words)
    assert (ran.code, ran.out, OF_ALL[command].format(home) in ran.err) == (0, "", True)
    assert not nope.exists()
    assert not home.exists()


def test_verify_goes_on_behind_what_is_missing(run, log_dir):
    states.complete(log_dir, "ok")
    states.damaged(log_dir)
    ran = run("verify", "missing", "./nowhere", "ok", "damaged")
    assert ran.code == 4
    lines = ran.out.splitlines()
    assert lines[0] == f"missing: no cache is named 'missing' in {log_dir}"
    assert lines[1] == "./nowhere: ./nowhere is not there"
    assert lines[2].startswith("ok: 10 batches")
    assert lines[3].startswith("damaged: damaged in 1 place")
    ran = run("verify", "missing", "ok", "--json")
    assert ran.code == 3
    missing, ok = ran.json
    assert (missing["name"], missing["exit"], missing["state"]) == ("missing", 3, "missing")
    assert "no cache is named" in missing["error"]
    assert missing.keys() == ok.keys()
    assert (ok["exit"], ok["rows"]) == (0, 1000)
    # What is no name is a mistake in what was written.
    assert run("verify", "no name", "damaged").code == 2
    ran = run("verify", "missing", "--json")
    assert (ran.code, ran.out, ran.error["exit"]) == (3, "", 3)


def test_verify_goes_on_behind_what_is_not_ours_to_read(run, log_dir):
    states.complete(log_dir, "open")
    states.damaged(log_dir)
    (log_dir / "open").chmod(0o777)
    ran = run("verify", "open", "damaged")
    assert (ran.code, "others may write to it" in ran.out) == (4, True)
    assert "damaged in 1 place" in ran.out
    told = run("verify", "open", "damaged", "--json").json
    assert [(one["exit"], one["state"]) for one in told] == [(1, "unreadable"), (4, "complete")]


def test_info_tells_each_that_is_missing(run, log_dir):
    states.complete(log_dir, "ok")
    ran = run("info", "nope", "ok")
    assert ran.code == 3
    assert ran.out.startswith(f"nope  missing\nno cache is named 'nope' in {log_dir}\n")
    assert "respool ls lists the names" in ran.out
    assert "\nok  complete\n" in ran.out
    nope, ok = run("info", "nope", "ok", "--json").json
    assert (nope["name"], nope["state"], nope["rows"]) == ("nope", "missing", None)
    assert "no cache is named" in nope["meaning"]
    assert nope["next"] == ["respool ls lists the names"]
    assert nope.keys() == ok.keys()
    (log_dir / "ok" / "00000001" / "_index").unlink()
    assert run("info", "nope", "ok").code == 4


def test_ls_takes_a_directory(run, log_dir, monkeypatch):
    states.complete(log_dir)
    work = log_dir / "work"
    work.mkdir()
    (work / "notes").touch()
    monkeypatch.chdir(work)
    ran = run("ls", "trips", "--json")
    assert (ran.code, ran.error["message"]) == (3, "trips is a name, and ls takes a directory")
    assert ran.error["next"] == ["respool info trips"]
    monkeypatch.delenv("RESPOOL_CACHE_DIR")
    assert f"respool info trips --directory {log_dir}" in run("ls", "trips", "-d", log_dir).err
    ran = run("ls", "notes")
    assert (ran.code, "notes is a file, and ls takes a directory" in ran.err) == (3, True)
    segment = "../trips/00000001/00000000.arrow"
    ran = run("ls", segment)
    assert f"{segment} is a file" in ran.err
    assert "its log is ../trips/00000001" in ran.err
    for word in ("./trips", "nobody", "no name"):
        ran = run("ls", word, "-d", log_dir)
        assert (ran.code, f"{word} is not there" in ran.err) == (3, True)


def test_ls_shows_a_path_without_the_way_back(run, log_dir, monkeypatch):
    states.complete(log_dir)
    monkeypatch.chdir(log_dir / "trips")
    ran = run("ls", "../trips/..")
    assert f" in {log_dir}\n" in ran.err
    path = "../trips/00000001"
    assert run("ls", path, "--json").json[0]["path"] == str(log_dir / "trips" / "00000001")
    assert f" in {log_dir / 'trips' / '00000001'}\n" in run("ls", path).err


@pytest.fixture
def meanwhile(monkeypatch):
    """Have something happen once all words are found, before anything is looked at."""

    def happens(what):
        each, found = targets.each, targets.found

        def then(*arguments, _find=each, **options):
            monkeypatch.setattr(targets, "each", each)
            monkeypatch.setattr(targets, "found", found)
            there = _find(*arguments, **options)
            what()
            return there

        monkeypatch.setattr(targets, "each", then)
        monkeypatch.setattr(targets, "found", lambda *given: then(*given, _find=found))

    return happens


def test_what_is_removed_meanwhile_is_not_damaged(run, log_dir, meanwhile):
    states.complete(log_dir, "ok")
    for words, code in (("verify ok b", 3), ("info ok b", 3), ("verify --all", 0)):
        states.complete(log_dir, "b")
        meanwhile(lambda: respool.rm("b", log_dir))
        ran = run(*words.split(), "--json")
        assert (ran.code, ran.json[0]["state"]) == (code, "complete"), words
        assert [one["state"] for one in ran.json[1:]] == ["missing"] * (code == 3), words
    for words in ("verify b", "info b", "head b", "sql b b", "export b b.arrow"):
        states.complete(log_dir, "b")
        meanwhile(lambda: respool.rm("b", log_dir))
        ran = run(*words.split())
        assert (ran.code, ran.out) == (3, ""), words
        assert "no cache is named 'b'" in ran.err, words


@pytest.mark.parametrize("words", ["verify b", "verify --all", "info b", "head b", "sql from\tb b"])
def test_a_name_that_is_filled_anew_meanwhile_is_what_it_is_then(run, log_dir, meanwhile, words):
    states.complete(log_dir, "b")

    def anew():
        table = pa.table({"new": [1, 2]})
        respool.named("b", table.to_reader, directory=log_dir, key="2").ingest_all()
        respool.prune(directory=log_dir)
        assert not (log_dir / "b" / "00000001" / "_manifest").exists()

    meanwhile(anew)
    ran = run(*(word.replace("\t", " ") for word in words.split(" ")), "--json")
    assert ran.code == 0
    assert ran.json[0].get("rows", 2) == 2


@pytest.mark.parametrize("words", ["verify b", "info b", "head b"])
def test_a_log_in_the_place_of_one_that_was_removed_is_looked_at(run, log_dir, monkeypatch, words):
    states.complete(log_dir, "b")
    look = logs.look

    def anew(path):
        monkeypatch.setattr(logs, "look", look)
        respool.rm("b", log_dir)
        seen = look(path)
        states.complete(log_dir, "b")
        assert (seen.state, path.exists()) == ("damaged", True)
        return seen

    monkeypatch.setattr(logs, "look", anew)
    assert run(*words.split()).code == 0
