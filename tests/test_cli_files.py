"""Files of `sql` and `export`: their names say what is in them, and they are there whole or not at all."""

import errno
import gc
import io
import json
import os
import shlex
import sys
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import commands
import states
from respool._cli import app, export, sql, standard


@pytest.fixture
def run(log_dir, capsys, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(log_dir))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: commands.here(capsys, *arguments)


@pytest.fixture
def trips(log_dir):
    states.complete(log_dir)


@pytest.fixture
def out(tmp_path):
    """An empty directory."""
    path = tmp_path / "out"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("suffix", "read"),
    [
        ("parquet", lambda data: pq.read_table(io.BytesIO(data))),
        ("arrow", lambda data: pa.ipc.open_file(data).read_all()),
        ("arrows", lambda data: pa.ipc.open_stream(data).read_all()),
        ("csv", lambda data: pa.table({"id": [int(x) for x in data.split()[1:]]})),
        ("json", lambda data: pa.Table.from_pylist(json.loads(data))),
        ("jsonl", lambda data: pa.Table.from_pylist([json.loads(x) for x in data.splitlines()])),
    ],
)
def test_a_query_is_written_to_a_file_or_a_pipe(
    trips, log_dir, out, suffix, read, capsysbinary, monkeypatch
):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(log_dir))
    file = out / f"out.{suffix}"
    query = "select id from trips where id % 2 = 0 order by id"
    assert app.run(["sql", query, "trips", "--output", str(file)]) == 0
    said = capsysbinary.readouterr()
    assert (said.out, b"500 rows" in said.err) == (b"", True)
    assert [path.name for path in out.iterdir()] == [file.name]
    even = list(range(0, 1000, 2))
    assert read(file.read_bytes())["id"].to_pylist() == even
    if suffix == "arrow":  # to a pipe it is a stream
        return
    chosen = "arrow" if suffix == "arrows" else suffix
    assert app.run(["sql", query, "trips", "--format", chosen]) == 0
    assert read(capsysbinary.readouterr().out)["id"].to_pylist() == even


def test_a_query_that_fails_leaves_what_was_there(run, trips, out):
    file = out / "out.csv"
    file.write_text("as it was")
    for query in (
        "select * from nowhere",
        "select error('no') from trips",
        "select if(id > 900, error('late'), id) from trips",
    ):
        ran = run("sql", query, "trips", "-o", file, "--force")
        assert (ran.code, ran.out) == (1, ""), query
        assert "Error" in ran.err
    assert [path.name for path in out.iterdir()] == ["out.csv"]
    assert file.read_text() == "as it was"


READ = {
    "parquet": lambda data: pq.read_table(io.BytesIO(data)),
    "arrow": lambda data: pa.ipc.open_stream(data).read_all(),
    "json": json.loads,
}


@pytest.mark.parametrize("chosen", READ)
@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (OSError("late"), 1)])
def test_what_a_pipe_got_before_an_error_is_no_whole(chosen, error, code, capfdbinary, monkeypatch):
    def batches():
        yield pa.record_batch({"n": range(10_000)})
        raise error

    rows = pa.RecordBatchReader.from_batches(pa.schema({"n": pa.int64()}), batches())
    monkeypatch.setattr(sql, "_rows", lambda *_: rows)
    monkeypatch.setattr(standard, "drop_output", lambda: None)
    assert app.run(["sql", "from somewhere", "--format", chosen]) == code
    gc.collect()
    out, err = capfdbinary.readouterr()
    assert (len(out) > 10_000, err.count(b"\n")) == (True, 1)
    with pytest.raises((ValueError, OSError)):
        READ[chosen](out)


def test_the_name_of_a_file_decides_what_is_in_it(run, trips, out):
    query = "select id from trips order by id limit 2"
    for name, *options in (
        ("out.parquet", "--json"),
        ("out.parquet", "-f", "csv"),
        ("out.json", "-f", "jsonl"),
        ("out.csv", "-f", "table"),
    ):
        ran = run("sql", query, "trips", "-o", out / name, *options)
        assert (ran.code, ran.out, name in ran.err) == (2, "", True)
    ran = run("export", "trips", out / "out.arrow", "-f", "parquet")
    assert (ran.code, "out.arrow is to be arrow by its name" in ran.err) == (2, True)
    assert list(out.iterdir()) == []
    for name, *options in (
        ("out.jsonl", "--json"),
        ("out.csv", "-f", "csv"),
        ("out", "--json"),
    ):
        assert run("sql", query, "trips", "-o", out / name, *options).code == 0
    assert (out / "out.jsonl").read_text() == '{"id": 0}\n{"id": 1}\n'
    assert json.loads((out / "out").read_text()) == [{"id": 0}, {"id": 1}]


def test_a_file_that_is_there_is_replaced_by_force_alone(run, trips, out):
    file = out / "out.csv"
    file.write_text("as it was")
    ran = run("sql", "select 1 as a", "-o", file)
    assert (ran.code, "--force replaces it" in ran.err) == (2, True)
    assert file.read_text() == "as it was"
    assert run("sql", "select 1 as a", "-o", file, "--force").code == 0
    assert file.read_text() == '"a"\n1\n'


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_comes_meanwhile_is_replaced_by_force_alone(
    run, trips, out, monkeypatch, has_links
):
    def no_links(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    @contextmanager
    def progress(*_):
        yield lambda _: theirs.write_text("theirs")

    def rows(*_):
        theirs.write_text("theirs")
        return pa.table({"a": [1]}).to_reader()

    monkeypatch.setattr(export, "progress", progress)
    monkeypatch.setattr(sql, "_rows", rows)
    if not has_links:
        monkeypatch.setattr(os, "link", no_links)
    for name, *words in (
        ("a.parquet", "export", "trips"),
        ("a.arrow", "export", "trips"),
        ("a.csv", "sql", "select 1 as a", "-o"),
    ):
        theirs = out / name
        ran = run(*words, theirs)
        assert (ran.code, "--force replaces it" in ran.err) == (2, True), ran.err
        assert theirs.read_text() == "theirs"
        theirs.unlink()
        assert run(*words, theirs, "--force").code == 0
        assert theirs.read_bytes() != b"theirs"
        mine, theirs = out / f"mine-{name}", out / "elsewhere"
        assert run(*words, mine).code == 0
    assert len(list(out.iterdir())) == 7


def test_what_says_no_format_is_asked_for_one(run, trips, out):
    for arguments in (
        ["sql", "from trips", "trips", "-o", out / "out"],
        ["sql", "from trips", "trips", "-o", out / "out", "-f", "table"],
        ["sql", "from trips", "trips", "--json", "-f", "csv"],
        ["export", "trips", out / "out"],
    ):
        ran = run(*arguments)
        assert (ran.code, ran.out) == (2, "")
    assert list(out.iterdir()) == []


def test_export_says_who_writes_text(run, trips, out):
    ran = run("export", "trips", out / "my trips.csv")
    assert (ran.code, list(out.iterdir())) == (2, [])
    (line,) = [line for line in ran.err.splitlines() if "respool sql" in line]
    words = shlex.split(line.partition("respool ")[2])
    assert run(*words).code == 0
    assert (out / "my trips.csv").read_text().count("\n") == 1001


def test_export_knows_the_formats_by_the_names_that_sql_has(run, trips, out):
    for name in ("arrow", "ipc"):
        assert run("export", "trips", out / name, "-f", name).code == 0
        assert pa.ipc.open_file(str(out / name)).read_all().num_rows == 1000


def test_binary_formats_are_not_for_a_terminal(run, trips, monkeypatch):
    run("ls")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    ran = run("head", "trips", "--format", "parquet")
    assert (ran.code, ran.out) == (2, "")
    assert "> FILE" in ran.err
    assert "--output" not in ran.err  # which head does not have


def test_export_is_what_the_methods_write(run, trips, log_dir, out):
    whole = states.trips()
    for name, read in {
        "a.parquet": pq.read_table,
        "a.arrow": lambda file: pa.ipc.open_file(str(file)).read_all(),
        "a.arrows": lambda file: pa.ipc.open_stream(file.read_bytes()).read_all(),
    }.items():
        file = out / name
        ran = run("export", "trips", file)
        assert (ran.code, ran.out) == (0, "")
        assert f"1,000 rows, {file.stat().st_size / 1024:.1f} KiB: {file}" in ran.err
        assert read(file).equals(whole)
    ran = run("export", "trips", file)
    assert (ran.code, "--force replaces it" in ran.err) == (2, True)
    for name, codec in {"b.parquet": "nonsense", "b.arrow": "snappy"}.items():
        ran = run("export", "trips", out / name, "-c", codec)
        assert (ran.code, (out / name).exists()) == (2, False)
        assert f"has no compression {codec}: it has zstd, lz4" in ran.err
    ran = run("export", "trips", out / "nowhere" / "b.parquet")
    assert (ran.code, "No such file" in ran.err) == (1, True)
    codec = lambda: pq.read_metadata(out / "c.parquet").row_group(0).column(0).compression  # noqa: E731
    for given, wanted in {"none": "UNCOMPRESSED", "lz4": "LZ4", "zstd": "ZSTD"}.items():
        assert run("export", "trips", out / "c.parquet", "-c", given, "--force").code == 0
        assert codec() == wanted


def test_what_takes_bytes_has_no_size(run, trips):
    ran = run("export", "trips", "/dev/null", "-f", "parquet")
    assert (ran.code, ran.err) == (0, "1,000 rows: /dev/null\n")
    assert run("export", "trips", "/dev/null", "-f", "arrow", "--json").json["bytes"] is None
    ran = run("sql", "from trips", "trips", "-f", "csv", "-o", "/dev/null")
    assert (ran.code, ran.err) == (0, "1,000 rows: /dev/null\n")
