"""`respool.duckdb.attach`: the caches of a directory by their names."""

import threading
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

import respool
import respool.duckdb
from sources import SCHEMA, Source

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


def test_a_query_waits_for_who_fills(con, place):
    source = Source(7, stall_at=2, stall=30)
    cache = respool.named("growing", source.reader, directory=place)
    next(cache.reader())
    path = next(one.path for one in respool.ls(place) if one.name == "growing")
    follower = respool.open(path, timeout=30)
    respool.duckdb.register(con, "growing", follower)
    filling = threading.Thread(target=cache.ingest_all)
    filling.start()
    assert source.stalling.wait(10)
    threading.Timer(0.2, source.released.set).start()
    assert queried(con, "growing") == [(700, sum(range(700)))]
    filling.join()


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
