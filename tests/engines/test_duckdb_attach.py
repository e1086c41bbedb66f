"""`respool.duckdb.attach`: the caches of a directory by their names."""

import datetime as dt
import subprocess
import threading
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

import processes
import respool
import respool.duckdb
from sources import SCHEMA, Source, SourceBrokeError

COUNT_AND_SUM = [(500, sum(range(500)))]


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def place(log_dir):
    """A directory of three named caches."""
    directory = log_dir / "caches"
    for name in ("trips", "trips-2026.11", "Zones"):
        fill(directory, name, Source().reader())
    return directory


def fill(place, name, source, **options):
    with respool.named(name, lambda: source, directory=place, **options) as cache:
        cache.ingest_all()


def queried(con, name):
    return con.execute(f"select count(*), sum(n) from {name}").fetchall()


@pytest.mark.parametrize("optimize", [False, True])
def test_named_caches(con, place, optimize):
    names = respool.duckdb.attach(con, place, optimize=optimize)
    assert names == ["Zones", "trips", "trips-2026.11"]
    for name in ("trips", "zones", '"trips-2026.11"', "'trips-2026.11'"):
        assert queried(con, name) == COUNT_AND_SUM
    assert con.execute("select count(*) from trips join zones using (n)").fetchall() == [(500,)]


def test_the_default_place(con, place, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(place))
    assert "trips" in respool.duckdb.attach(con)
    assert queried(con, "trips") == COUNT_AND_SUM


def test_a_log_has_the_name_of_its_directory(con, log_dir):
    path = log_dir / "trips.respool"
    with respool.cache(Source(), schema=SCHEMA, path=path) as cache:
        cache.ingest_all()
    assert respool.duckdb.attach(con, path) == ["trips.respool"]
    for name in ("'trips.respool'", '"trips.respool"'):
        assert queried(con, name) == COUNT_AND_SUM


def test_what_was_filled_anew_is_seen_when_attached_again(con, place):
    respool.duckdb.attach(con, place)
    fill(place, "trips", Source(3).reader(), key="new")
    assert queried(con, "trips") == COUNT_AND_SUM
    respool.duckdb.attach(con, place)
    assert queried(con, "trips") == [(300, sum(range(300)))]


def test_what_is_being_filled_here_is_read_by_the_query(con, place):
    source = Source(7)
    cache = respool.named("growing", source.reader, directory=place)
    assert "growing" in respool.duckdb.attach(con, place)
    assert source.pulls == 0
    assert queried(con, "growing") == [(700, sum(range(700)))]
    assert cache.complete


def test_what_is_not_whole_is_left_out(con, place):
    respool.named("half", Source().reader, directory=place).close()
    assert respool.duckdb.attach(con, place) == ["Zones", "trips", "trips-2026.11"]


FILLS = """
import sys
import processes
import respool
from sources import SCHEMA, Source

cache = respool.named("growing", lambda: Source(7), schema=SCHEMA, directory=sys.argv[1])
next(cache.reader())
print("begun", flush=True)
sys.stdin.readline()
cache.ingest_all()
"""


def test_a_query_waits_for_who_fills(con, place):
    child = processes.start(FILLS, place, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        assert "growing" in respool.duckdb.attach(con, place, timeout=30)
        threading.Timer(0.2, lambda: (child.stdin.write("\n"), child.stdin.flush())).start()
        assert queried(con, "growing") == [(700, sum(range(700)))]


def test_what_duckdb_can_not_scan_is_left_out_with_a_warning(con, place, log_dir):
    wide = pa.table({"d": pa.array([Decimal(1)], pa.decimal256(50, 2))})
    fill(place, "wide", wide)
    with pytest.warns(UserWarning, match="'wide' is left out.*decimal128"):
        names = respool.duckdb.attach(con, place)
    assert names == ["Zones", "trips", "trips-2026.11"]
    path = log_dir / "wide"
    with respool.cache(wide, path=path) as cache:
        cache.ingest_all()
    with pytest.raises(TypeError, match="decimal128"):
        respool.duckdb.attach(con, path)


def test_names_that_are_the_same_to_duckdb(con, place):
    fill(place, "TRIPS", Source(1).reader())
    with pytest.warns(UserWarning, match="'trips' is left out.*'TRIPS'"):
        names = respool.duckdb.attach(con, place)
    assert names == ["TRIPS", "Zones", "trips-2026.11"]
    assert queried(con, "trips") == [(100, sum(range(100)))]


def test_a_place_that_is_none(con, log_dir):
    missing = log_dir / "missing"
    with pytest.raises(FileNotFoundError) as error:
        respool.duckdb.attach(con, missing)
    assert error.value.filename == str(missing)
    assert respool.duckdb.attach(con, log_dir) == []
    (log_dir / "link").symlink_to(log_dir)
    with pytest.raises(PermissionError, match="symbolic link"):
        respool.duckdb.attach(con, log_dir / "link")


@pytest.mark.parametrize("timeout", [-1, float("nan"), "1 s", True])
def test_a_timeout_that_is_none_is_refused(con, place, timeout):
    with pytest.raises((TypeError, ValueError), match="timeout"):
        respool.duckdb.attach(con, place, timeout=timeout)


@pytest.mark.parametrize("timeout", [1, dt.timedelta(seconds=1), float("inf")])
def test_a_timeout_is_that_of_named(con, place, timeout):
    assert len(respool.duckdb.attach(con, place, timeout=timeout)) == 3


def test_an_error_of_the_connection_is_no_warning(place):
    with duckdb.connect() as con:
        pass
    with pytest.raises(duckdb.Error):
        respool.duckdb.attach(con, place)


def test_logs_one_level_down(con, place, log_dir):
    for name in ("raw", "half", "broken"):
        with respool.cache(Source(3), schema=SCHEMA, path=log_dir / name) as cache:
            if name != "half":
                cache.ingest_all()
    (log_dir / "broken" / "_manifest").write_bytes(b"nothing")
    (log_dir / "notes").mkdir()
    with pytest.warns(UserWarning, match="'broken' is left out"):
        assert respool.duckdb.attach(con, log_dir) == ["raw"]
    assert queried(con, "raw") == [(300, sum(range(300)))]
    with respool.cache(Source(3), schema=SCHEMA, path=place / "raw") as cache:
        cache.ingest_all()
    assert respool.duckdb.attach(con, place) == ["Zones", "trips", "trips-2026.11", "raw"]


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("table", lambda con: con.execute("create table Trips as select 1 as n")),
        ("table", lambda con: con.execute("create temp table trips as select 1 as n")),
        ("view", lambda con: con.execute("create view trips as select 1 as n")),
        ("view", lambda con: con.register("trips", pa.table({"n": [1]}))),
    ],
)
def test_what_somebody_else_has_is_not_hidden(con, place, kind, make):
    make(con)
    with pytest.raises(duckdb.CatalogException, match=f"{kind} of the name 'trips'"):
        respool.duckdb.attach(con, place)
    assert queried(con, "trips") == [(1, 1)]
    with pytest.raises(duckdb.CatalogException):
        con.sql("from zones")


def test_what_somebody_else_has_is_hidden_on_demand(con, place):
    con.execute("create table trips as select 1 as n")
    assert "trips" in respool.duckdb.attach(con, place, replace=True)
    for _ in range(2):
        assert queried(con, "trips") == COUNT_AND_SUM
        assert "trips" in respool.duckdb.attach(con, place)
    con.unregister("trips")
    assert queried(con, "trips") == [(1, 1)]
    with pytest.raises(duckdb.CatalogException, match="'trips'"):
        respool.duckdb.attach(con, place)


def test_a_table_elsewhere_is_not_hidden(con, place):
    con.execute("create schema elsewhere; create table elsewhere.trips as select 1 as n")
    assert "trips" in respool.duckdb.attach(con, place)
    assert queried(con, "elsewhere.trips") == [(1, 1)]


def test_what_register_made_is_replaced(con, place):
    cache = respool.cache(pa.table({"n": [1]}))
    respool.duckdb.register(con, "Trips", cache)
    respool.duckdb.attach(con, place)
    assert queried(con, "trips") == COUNT_AND_SUM


def test_what_is_gone_is_unregistered_when_attached_again(con, place, log_dir):
    other = log_dir / "other"
    fill(other, "kept", Source(1).reader())
    respool.duckdb.attach(con, other)
    respool.duckdb.attach(con, place)
    respool.rm("Zones", place)
    respool.rm("trips", place)
    con.unregister("trips")
    con.execute("create table trips as select 1 as n")
    assert respool.duckdb.attach(con, place) == ["trips-2026.11"]
    with pytest.raises(duckdb.CatalogException):
        con.sql("from zones")
    assert queried(con, "trips") == [(1, 1)]
    assert queried(con, "kept") == [(100, sum(range(100)))]


def test_a_log_that_this_process_fills_is_read_by_the_cache_that_fills_it(con, log_dir):
    cache = respool.cache(Source(3), schema=SCHEMA, path=log_dir / "growing")
    assert "growing" in respool.duckdb.attach(con, log_dir)
    assert queried(con, "growing") == [(300, sum(range(300)))]
    assert cache.complete
    cache.close()
    failed = respool.cache(Source(3, fail_at=1), schema=SCHEMA, path=log_dir / "going on")
    with pytest.raises(SourceBrokeError):
        failed.ingest_all()
    failed.close()
    cache = respool.resume(log_dir / "going on", Source(3))
    assert respool.duckdb.attach(con, log_dir / "going on") == ["going on"]
    assert queried(con, '"going on"') == [(300, sum(range(300)))]
    assert cache.complete


def newer(log):
    manifest = log / "_manifest"
    content = bytearray(manifest.read_bytes())
    content[8] = 9
    manifest.write_bytes(content)


HARM = {
    "damaged": lambda log: (log / "_manifest").write_bytes(b"nothing"),
    "newer": newer,
    "missing": lambda log: (log / "00000000.arrow").unlink(),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_cache_that_can_not_be_read_is_left_out_with_a_warning(con, place, log_dir, harm):
    HARM[harm](place / "trips" / "00000001")
    with pytest.warns(UserWarning, match="'trips' is left out"):
        assert respool.duckdb.attach(con, place) == ["Zones", "trips-2026.11"]
    path = log_dir / "raw"
    with respool.cache(Source(3), schema=SCHEMA, path=path) as cache:
        cache.ingest_all()
    HARM[harm](path)
    with pytest.raises((OSError, ValueError)):
        respool.duckdb.attach(con, path)


def test_where_a_fill_ended_early_the_last_whole_one_is_there(con, place):
    respool.named("trips", Source(9).reader, key="new", directory=place).close()
    assert "trips" in respool.duckdb.attach(con, place)
    assert queried(con, "trips") == COUNT_AND_SUM


def test_a_path_that_goes_up_has_the_name_of_where_it_leads(con, log_dir, monkeypatch):
    with respool.cache(Source(3), schema=SCHEMA, path=log_dir / "raw") as cache:
        cache.ingest_all()
    (log_dir / "raw" / "below").mkdir()
    for directory in ("raw", "raw/.", "raw/below/.."):
        assert respool.duckdb.attach(con, log_dir / directory) == ["raw"]
    monkeypatch.chdir(log_dir / "raw" / "below")
    assert respool.duckdb.attach(con, "..") == ["raw"]


def test_what_is_no_connection_is_told_so(log_dir):
    cache = respool.cache(pa.table({"n": [1]}))
    for use in (
        lambda con: respool.duckdb.attach(con, log_dir),
        lambda con: respool.duckdb.register(con, "t", cache),
        lambda con: respool.duckdb.materialize(con, "t", cache),
        lambda con: respool.duckdb.from_query(con, "select 1"),
    ):
        for con in (None, "x.db"):
            with pytest.raises(
                TypeError, match=r"con is a connection, as duckdb\.connect\(\) gives"
            ):
                use(con)
    for use in (lambda con: respool.duckdb.relation(cache, con=con), cache.to_duckdb):
        with pytest.raises(TypeError, match=r"con is a connection, as duckdb\.connect\(\) gives"):
            use("x.db")  # None is the default connection
