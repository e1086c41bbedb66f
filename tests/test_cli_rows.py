"""Rows as people and programs get them: nothing is lost on the way, and what can't be held is text."""

import csv
import datetime as dt
import io
import json
import sys
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import commands
import respool
import states

DAY = dt.date(2026, 1, 2)


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


def kept(path, table):
    with respool.cache(table.to_reader(), path=path) as cache:
        cache.ingest_all()
    return path


ODD = pa.table(
    {
        "big": pa.array([2**63 - 1, None], pa.int64()),
        "float": [float("nan"), float("-inf")],
        "half": pa.array([1.5, None], pa.float16()),
        "decimal": pa.array([Decimal("12345678901234567890.12"), None], pa.decimal128(30, 2)),
        "bytes": [b"\x00\xff", None],
        "nanos": pa.array([1, None], pa.timestamp("ns")),
        "zone": pa.array([0, None], pa.timestamp("us", "Europe/Zurich")),
        "far": pa.array([2**62, None], pa.timestamp("s")),
        "day": [DAY, None],
        "time": pa.array([1, None], pa.time64("ns")),
        "span": pa.array([1, None], pa.duration("ns")),
        "list": [[1, None], []],
        "struct": [{"a": DAY, "b": "x"}, None],
        "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        "dictionary": pa.array(["x", None]).dictionary_encode(),
        "view": pa.array(["y", None], pa.string_view()),
        "null": pa.nulls(2),
        "bool": [True, None],
        "text": ['a "b", c\n', ""],
    }
)

FIRST = {
    "big": 2**63 - 1,
    "float": "NaN",
    "half": 1.5,
    "decimal": "12345678901234567890.12",
    "bytes": "AP8=",
    "nanos": "1970-01-01T00:00:00.000000001",
    "zone": "1970-01-01T00:00:00+00:00",
    "day": "2026-01-02",
    "time": "00:00:00.000000001",
    "span": "PT0.000000001S",
    "list": [1, None],
    "struct": {"a": "2026-01-02", "b": "x"},
    "map": [["k", 1]],
    "dictionary": "x",
    "view": "y",
    "null": None,
    "bool": True,
    "text": 'a "b", c\n',
}


def test_json_holds_every_type(run, log_dir):
    path = kept(log_dir / "odd", ODD)
    array = run("head", path, "--json")
    lines = run("head", path, "--format", "jsonl")
    assert array.out.isascii()
    assert [json.loads(line) for line in lines.out.splitlines()] == array.json
    first, second = array.json
    assert {name: first[name] for name in FIRST} == FIRST
    assert isinstance(first["far"], str)
    assert second["float"] == "-Infinity"
    assert second["list"] == []
    assert second["text"] == ""
    assert {name for name, value in second.items() if value is None} == (
        set(ODD.column_names) - {"float", "list", "text"}
    )


def test_csv_holds_every_type(run, log_dir):
    path = kept(log_dir / "odd", ODD)
    first, second = csv.DictReader(
        io.StringIO(run("head", path, "--format", "csv").out, newline="")
    )
    as_text = {"big": str(2**63 - 1), "float": "nan", "half": "1.5", "bool": "true", "null": ""}
    nested = {"list": "[1, null]", "struct": '{"a": "2026-01-02", "b": "x"}', "map": '[["k", 1]]'}
    assert {name: first[name] for name in FIRST} == {**FIRST, **as_text, **nested}
    assert second["text"] == second["big"] == ""


def test_a_table_shows_every_type(run, log_dir):
    path = kept(log_dir / "odd", ODD)
    for width in (80, 100_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", str(width))
            ran = run("head", path)
        assert ran.code == 0
        assert str(2**63 - 1) in ran.out
        assert "NULL" in ran.out
    assert 'a "b", c\\n' in ran.out
    assert "2 rows" in ran.err


def test_rows_of_a_query_are_as_many_as_one_says_in_every_format(run, trips, out):
    query = "select id from trips order by id"
    assert run("sql", query, "trips", "-n", "2", "-f", "csv").out == '"id"\n0\n1\n'
    assert len(run("sql", query, "trips", "-n", "2", "--json").json) == 2
    assert len(run("sql", query, "trips", "--json").json) == 1000
    assert run("sql", query, "trips", "-n", "2", "-o", out / "a.parquet").code == 0
    assert pq.read_metadata(out / "a.parquet").num_rows == 2
    assert "The first 50 rows, and there are more" in run("sql", query, "trips").err


@pytest.mark.parametrize("query", ["", " \n"])
def test_a_query_that_is_empty_is_none(run, query):
    ran = run("sql", query)
    assert (ran.code, ran.out, "the query is empty" in ran.err) == (2, "", True)


def test_duckdb_draws_nothing_among_the_rows(run):
    (row,) = run("sql", "select current_setting('enable_progress_bar') as bar", "--json").json
    assert row["bar"] in {False, "false"}


def test_several_logs_are_tables_by_their_names(run, trips, log_dir):
    path = kept(log_dir / "fares", pa.table({"id": [1, 2], "tip": [5, 6]}))
    ran = run(
        "sql",
        "select id, tip, fare from trips join fares using (id) order by id",
        "trips",
        path,
        "--json",
    )
    assert ran.json == [{"id": 1, "tip": 5, "fare": 0.25}, {"id": 2, "tip": 6, "fare": 0.5}]
    ran = run(
        "sql", "select count(*) as n from a join b using (id)", "a=trips", f"b={path}", "--json"
    )
    assert ran.json == [{"n": 2}]
    ran = run("sql", "select 1", "trips", "TRIPS=trips")
    assert (ran.code, "two of these are the table 'TRIPS'" in ran.err) == (2, True)
    assert run("sql", "select 40 + 2 as n", "--json").json == [{"n": 42}]


def test_a_table_of_a_query_ends_where_nobody_reads_on(run, trips):
    ran = run("sql", "from trips", "trips", "--rows", "3")
    assert len(ran.out.splitlines()) == 3 + 3
    assert "The first 3 rows, and there are more" in ran.err
    assert run("sql", "from trips limit 3", "trips", "--rows", "3").err == "3 rows\n"
    assert run("sql", "from trips where false", "trips", "--json").json == []
    assert run("sql", "from trips where false", "trips", "-f", "jsonl").out == ""


def test_a_statement_without_rows_and_columns_of_one_name(run, trips):
    ran = run("sql", "/* nothing */")
    assert (ran.code, ran.out, ran.err) == (0, "", "done; the statement gives no rows\n")
    (row,) = run("sql", "select 1 as a, 2 as a", "--json").json
    assert sorted(row.values()) == [1, 2]


def test_head_speaks_of_no_option_that_it_does_not_have(run, trips):
    assert "--output" in run("sql", "--help").out
    assert "--output" not in run("head", "--help").out


def test_a_name_that_sql_does_not_take_as_it_is_is_to_be_quoted(run, log_dir):
    states.complete(log_dir, "trips-2026")
    for query in ("select * from trips-2026", "from TRIPS-2026 limit 3"):
        ran = run("sql", query, "trips-2026")
        assert (ran.code, '  quote the name: "trips-2026"' in ran.err) == (1, True)
    assert "quote" not in run("sql", 'selec * from "trips-2026"', "trips-2026").err
    assert "quote" not in run("sql", "selec 'trips-2026'", "trips-2026").err


def test_sql_without_duckdb_says_what_to_install(run, trips, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    ran = run("sql", "from trips", "trips")
    assert ran.code == 1
    assert "pip install 'respool[cli,duckdb]'" in ran.err
    assert duckdb
