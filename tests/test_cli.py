"""The command itself: what it needs, how it ends, what it prints and where."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from click.shell_completion import BashComplete

import commands
import processes
import respool
import states
from respool._cli import app, main
from respool._cli.endings import Exit
from respool._cli.escaped import escaped


@pytest.fixture
def run(log_dir, capsys, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(log_dir))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: commands.here(capsys, *arguments)


def kept(path: Path, table: pa.Table, **options: object) -> Path:
    with respool.cache(table.to_reader(), path=path, **options) as cache:
        cache.ingest_all()
    return path


def test_the_entry_point_is_the_module(run):
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"respool": "respool._cli:main"}
    ran = run("--version")
    assert (ran.code, ran.out) == (0, f"respool {respool.__version__}\n")


@pytest.mark.parametrize("name", ["click", "rich.console"])
def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys, name):
    for module in list(sys.modules):
        if module.startswith("respool._cli."):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        f"respool: the command needs {name.partition('.')[0]}, which can't be imported: "
        "pip install 'respool[cli]'\n"
    )


def test_names_paths_and_options_are_completed(log_dir, monkeypatch):
    states.complete(log_dir, "trips")
    states.complete(log_dir, "Trucks")
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(log_dir))
    complete = BashComplete(app.app, {}, "respool", "_RESPOOL_COMPLETE")
    for words, incomplete, found in (
        (["info"], "t", ["plain,trips"]),
        (["info"], "", ["plain,trips", "plain,Trucks"]),
        (["info", "-d", "/nowhere"], "", []),
        (["sql", "select 1"], "Tr", ["plain,Trucks"]),
        (["rm"], "./t", ["dir,./t"]),
        ([], "ver", ["plain,verify"]),
        (["sql"], "--form", ["plain,--format"]),
    ):
        items = complete.get_completions(words, incomplete)
        assert [complete.format_completion(item) for item in items] == found, words


def test_a_shell_that_completes_loads_no_arrow(log_dir):
    states.complete(log_dir)
    code = """
import os, sys
os.environ.update(_RESPOOL_COMPLETE="bash_complete", COMP_WORDS="respool ", COMP_CWORD="1")
from respool._cli.app import run
try:
    run([])
finally:
    print(sorted({"duckdb", "numpy", "pyarrow"} & set(sys.modules)))
"""
    found = processes.run(code).splitlines()
    assert "plain,verify" in found
    assert found[-1] == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(run, shell):
    ran = run("completion", shell)
    assert ran.code == 0
    assert f"_RESPOOL_COMPLETE={shell}_complete" in ran.out


def test_every_subcommand_has_help_and_a_line_in_that_of_all(run):
    said = run("--help").out
    names = app.app.list_commands(None)
    assert len(names) >= 9
    for name in names:
        assert re.search(rf"^  {name} +[A-Z].*\.$", said, re.MULTILINE), name
        assert run(name, "--help").code == 0


def test_flight_is_left_out_where_it_is_missing(run, monkeypatch):
    monkeypatch.setattr(app, "_has_flight", lambda: False)
    assert "flight" not in run("--help").out
    assert run("flight", "serve", "trips").code == 2


def test_flight_is_given_the_paths(run, log_dir, monkeypatch):
    states.complete(log_dir)
    given = []
    module = type(sys)("respool._flight.command")
    module.serve = lambda *arguments: given.extend(arguments)
    monkeypatch.setitem(sys.modules, "respool._flight", type(sys)("respool._flight"))
    monkeypatch.setitem(sys.modules, "respool._flight.command", module)
    monkeypatch.setattr(app, "_has_flight", lambda: True)
    monkeypatch.setenv("RESPOOL_FLIGHT_TOKEN", "secret")
    assert "flight" in run("--help").out
    assert run("flight", "serve", "trips", "--location", "grpc://h:1").code == 0
    assert given == [[states.log_of(log_dir, "trips")], "grpc://h:1", "secret", None, None]
    given.clear()
    assert run("flight", "serve").code == 0
    assert run("flight", "serve", f"{log_dir}/").code == 0
    assert [given[0], given[5]] == [[log_dir], [log_dir]]
    assert run("flight", "serve", "nobody").code == 3


@pytest.mark.parametrize(
    ("location", "token", "said"),
    [
        ("here", "", "or grpc+tls:// with --cert and --key, not 'here'"),
        ("grpc://0.0.0.0:0", "", "give --token or RESPOOL_FLIGHT_TOKEN"),
        ("grpc://0.0.0.0:0", "t" * 16, "for all to read: give --cert and --key"),
        ("grpc+tls://127.0.0.1:0", "", "grpc+tls needs --cert and --key"),
    ],
)
def test_flight_speaks_of_its_options(run, log_dir, monkeypatch, location, token, said):
    states.complete(log_dir)
    if token:
        monkeypatch.setenv("RESPOOL_FLIGHT_TOKEN", token)
    ran = run("flight", "serve", "trips", "--location", location)
    assert (ran.code, said in " ".join(ran.err.split())) == (2, True), ran.err
    assert "tls=" not in ran.err
    assert "token=" not in ran.err


def test_a_word_is_a_name_or_a_path_whatever_is_there(run, log_dir, monkeypatch):
    states.complete(log_dir, "trips")
    elsewhere = log_dir / "elsewhere"
    elsewhere.mkdir(0o700)
    monkeypatch.chdir(elsewhere)
    kept(elsewhere / "trips", pa.table({"n": [1]}))
    kept(elsewhere / "other", pa.table({"n": [1]}))
    assert run("info", "trips", "--json").json[0]["rows"] == 1000
    for path in ("./trips", elsewhere / "trips", f"{elsewhere}/../elsewhere/trips/"):
        assert run("info", path, "--json").json[0]["rows"] == 1
    ran = run("info", "other")
    assert ran.code == 3
    assert "there is a log at the path ./other: write it so" in ran.err
    ran = run("info", "./missing")
    assert (ran.code, "./missing is not there" in ran.err) == (3, True)  # without ./ it were a name
    assert "respool ls . lists what is in it" in ran.err
    ran = run("info", "./trips/00000000.arrow")
    assert (ran.code, "is a file, and a log is a directory" in ran.err) == (3, True)
    assert "its log is ./trips" in ran.err
    Path("notes").touch()
    ran = run("info", "./notes")
    assert (ran.code, "is a file" in ran.err, "its log" in ran.err) == (3, True, False)
    ran = run("info", "..")
    assert (ran.code, "respool ls .. lists what is in it" in ran.err) == (3, True)
    ran = run("info", "../trips")
    assert ran.code == 3
    assert "name it: trips --directory .." in ran.err
    ran = run("info", "no name")
    assert (ran.code, "can't name a cache" in ran.err) == (2, True)


def test_ls_of_a_directory_lists_names_and_paths(run, log_dir):
    states.complete(log_dir, "trips")
    path = kept(log_dir / "by-path", pa.table({"n": [1, 2]}))
    ran = run("ls", log_dir)
    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == ["trips", str(path)]
    assert [one["name"] for one in run("ls", log_dir, "--json").json] == ["trips", None]
    assert run("ls", path, "--json").json[0]["path"] == str(path)
    assert run("ls", log_dir / "nothing").code == 3
    (log_dir / "empty").mkdir(0o700)
    ran = run("ls", "-d", log_dir / "empty")
    assert (ran.code, ran.out, "nothing is kept in" in ran.err) == (0, "", True)


def test_ls_says_of_names_alone_when_they_were_used(run, log_dir):
    states.complete(log_dir, "trips")
    kept(log_dir / "by-path", pa.table({"n": [1, 2]}))
    rows = [line.rstrip() for line in run("ls", log_dir).out.splitlines()]
    assert [row.endswith("just now") for row in rows[1:]] == [True, False]
    # Nobody notes it of a path: when it was made is something else.
    assert [bool(one["used"]) for one in run("ls", log_dir, "--json").json] == [True, False]
    assert rows[2].endswith("B")


def test_json_says_where_a_log_is_whatever_directory_one_is_in(run, log_dir, monkeypatch):
    path = kept(log_dir / "log", pa.table({"n": [1]}))
    (segment,) = path.glob("*.arrow")
    segment.write_bytes(bytes(segment.stat().st_size))
    monkeypatch.chdir(log_dir)
    for command in (["ls"], ["info"], ["verify"], ["rm", "--dry-run"]):
        (told,) = run(*command, "./log", "--json").json
        assert told["path"] == str(path), command
    (verified,) = run("verify", "./log", "--json").json
    assert {damage["file"] for damage in verified["damages"]} == {str(segment)}


def test_errors_are_json_where_json_was_asked_for(run):
    for arguments, code in {
        ("info", "nobody"): 3,
        ("info",): 2,
        ("head", "x", "-n", "-3"): 2,
    }.items():
        ran = run(*arguments, "--json")
        assert (ran.code, ran.out) == (code, "")
        assert ran.error["exit"] == code
        assert ran.error["error"] == Exit(code).name.lower()
        assert ran.error["message"]
        assert ran.error["next"]


def test_an_error_that_nobody_expects_keeps_its_traceback(monkeypatch):
    def breaks(*arguments, **options):
        raise AssertionError("a mistake of ours")

    monkeypatch.setattr(app.app, "main", breaks)
    with pytest.raises(AssertionError, match="ours"):
        app.run(["ls"])


EVIL = "\x1b[31mred\x1b]0;title\x07 \x9b2J \u202egpj.exe \n\r\t end"


def test_what_others_wrote_moves_no_cursor():
    assert escaped(EVIL) == ("\\x1b[31mred\\x1b]0;title\\x07 \\x9b2J \\u202egpj.exe \\n\\r\\t end")
    assert escaped("\udcff plain äöü 漢字") == "\\xff plain äöü 漢字"


def test_what_nobody_sees_is_shown_as_its_code(run, log_dir):
    for letter in (
        *"\xad\u034f\u115f\u180e\u200b\u200c\u200d\u200e\u2028\u2029\u2060\u2064\u2066\u206f\u3164\ufeff\ufff9",
        *"\U0001d173\U000e0001\U000e0041\U000e0100",
    ):
        width = 4 if ord(letter) < 0x10000 else 8
        code = f"\\{'x' if ord(letter) < 0x100 else 'u' if width == 4 else 'U'}"
        assert escaped(f"a{letter}b").startswith(f"a{code}"), ascii(letter)
        assert escaped(f"a{letter}b").isascii()
    # These are seen.
    for text in ("\u0600\u06dd", "n\u0303", "\u2764\ufe0f", "\u3042\u3099"):
        assert escaped(text) == text
    path = kept(log_dir / "log", pa.table({"a\u200bb": ["c\u2060d"]}))
    for command in ("info", "head"):
        assert "a\\u200bb" in run(command, path).out
    assert "c\\u2060d" in run("head", path).out


def test_an_error_of_a_query_keeps_its_lines(run):
    ran = run("sql", "from trip", "-d", ".")
    assert ran.code == 1
    first, second, *_ = ran.err.splitlines()
    assert first == "respool: Catalog Error: Table with name trip does not exist!"
    assert second.startswith("Did you mean")


def test_a_table_that_was_not_named_behind_the_query_is_told_how(run, log_dir):
    states.complete(log_dir, "trips")
    ran = run("sql", "select count(*) from TRIPS", "--json")
    assert (ran.code, ran.error["next"]) == (
        1,
        ["name it behind the query: respool sql QUERY trips"],
    )
    # What is no name is only what DuckDB says of it.
    assert run("sql", "from nobody", "--json").error["next"] == []
    assert run("sql", "from nobody", "trips", "--json").error["next"] == []


def test_no_variable_of_the_command_is_a_table(run, log_dir):
    for name in ("query", "connection"):
        states.complete(log_dir, name)
        ran = run("sql", f"from {name}", "--json")
        assert ran.error["next"] == [f"name it behind the query: respool sql QUERY {name}"]
        assert run("sql", f"select count(*) as n from {name}", name, "--json").json == [{"n": 1000}]


@pytest.mark.parametrize("group", [[], ["flight"]])
def test_a_group_alone_is_its_help_and_no_error_of_ours(run, group):
    ran = run(*group)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: respool")
    assert "--help\n" not in ran.err.splitlines()[-1]


def test_names_data_and_metadata_are_escaped(run, log_dir):
    path = log_dir / f"log{EVIL.replace('/', '')}"
    kept(path, pa.table({EVIL: [EVIL]}), metadata={EVIL: EVIL})
    for arguments in (
        ["ls", log_dir],
        ["info", path],
        ["head", path],
        ["head", path, "--json"],
        ["sql", "select * from t", f"t={path}"],
        ["sql", "select * from t", f"t={path}", "--format", "jsonl"],
        ["sql", f'select * from "{EVIL}"', f"t={path}"],
        ["verify", path],
        ["verify", path, "--json"],
        ["info", f"{path}{EVIL}"],
        ["rm", path, "--dry-run"],
    ):
        ran = run(*arguments)
        assert "red" in ran.out + ran.err, arguments
        assert not set(ran.out + ran.err) & set("\x1b\x07\x9b\u202e\r\t"), arguments


def test_data_that_is_piped_is_as_it_is_and_on_a_terminal_it_is_escaped(
    log_dir, capsysbinary, monkeypatch
):
    path = kept(log_dir / "log", pa.table({"s": [EVIL]}))
    assert app.run(["head", str(path), "--format", "csv"]) == 0
    assert EVIL.encode() in capsysbinary.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert app.run(["head", str(path), "--format", "csv"]) == 0
    seen = capsysbinary.readouterr().out
    assert b"\x1b" not in seen
    assert b"\\x1b[31mred" in seen


def test_a_terminal_has_colours_and_nothing_else_has(run, log_dir, monkeypatch):
    states.complete(log_dir)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" not in run("ls").out
    # capsys has put it there, and takes it away.
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b[32mcomplete" in run("ls").out
    monkeypatch.setenv("NO_COLOR", "1")
    ran = run("ls")
    assert "complete" in ran.out
    assert "\x1b" not in ran.out + ran.err


def test_a_table_is_as_wide_as_the_terminal_and_says_what_is_left_out(run, log_dir, monkeypatch):
    wide = pa.table({f"column_{i:02}": ["x" * 30, "y"] for i in range(30)})
    path = kept(log_dir / "wide", wide)
    for columns, hidden in {"80": 28, "200": 24}.items():
        monkeypatch.setenv("COLUMNS", columns)
        ran = run("head", path)
        assert max(map(len, ran.out.splitlines())) <= int(columns)
        assert f"{hidden} more columns: column_{30 - hidden:02}," in ran.err
    monkeypatch.delenv("COLUMNS")
    ran = run("head", path)
    assert "column_29" in ran.out
    assert "more column" not in ran.err


def test_a_closed_pipe_is_quiet(log_dir):
    path = kept(log_dir / "log", pa.table({"n": range(200_000)}))
    child = subprocess.Popen(
        [*commands.COMMAND, "sql", "from log", str(path), "--format", "csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with child:
        assert child.stdout.readline() == b'"n"\n'
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == Exit.PIPE_CLOSED


def test_a_closed_pipe_is_quiet_about_help_too():
    reads, writes = os.pipe()
    os.close(reads)
    for words in ([], ["sql"]):
        with subprocess.Popen(
            [*commands.COMMAND, *words, "--help"], stdout=writes, stderr=subprocess.PIPE
        ) as child:
            assert (child.stderr.read(), child.wait(20)) == (b"", Exit.PIPE_CLOSED)
    os.close(writes)


@pytest.mark.parametrize("error", [duckdb.IOException("no room"), MemoryError("no room")])
def test_where_duckdb_does_not_begin_there_is_a_sentence(run, monkeypatch, error):
    def connect():
        raise error

    monkeypatch.setattr(duckdb, "connect", connect)
    ran = run("sql", "select 1")
    assert (ran.code, ran.out, ran.err) == (1, "", "respool: no room\n")
