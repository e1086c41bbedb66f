"""What an ingest says of itself while it runs."""

import sys

import pytest

import respool
from sources import SCHEMA, Source, SourceBrokeError


def test_a_callable_is_told_batches_and_rows():
    told = []
    cache = respool.cache(Source(5), schema=SCHEMA)
    assert cache.ingest_all(progress=lambda batches, rows: told.append((batches, rows))) == 5
    assert told[0] == (1, 100)
    assert told[-1] == (5, 500)
    assert told == sorted(told)


@pytest.fixture
def without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


@pytest.mark.usefixtures("without_tqdm")
def test_a_line_is_written_on_standard_error(capsys):
    cache = respool.cache(Source(5), schema=SCHEMA)
    assert cache.ingest_all(progress=True) == 5
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.endswith("\n")
    assert "5 batches, 500 rows" in shown.err


@pytest.mark.usefixtures("without_tqdm")
def test_a_line_ends_where_the_ingest_fails(capsys):
    cache = respool.cache(Source(5, pause=0.06, fail_at=3), schema=SCHEMA)
    with pytest.raises(SourceBrokeError):
        cache.ingest_all(progress=True)
    shown = capsys.readouterr().err
    assert shown.endswith("\n")
    assert "3 batches" in shown


def test_a_bar_of_tqdm_shows_rows_batches_and_bytes(capsys):
    cache = respool.cache(Source(5), schema=SCHEMA)
    assert cache.ingest_all(progress=True) == 5
    shown = capsys.readouterr()
    assert shown.out == ""
    last = shown.err.rstrip().rpartition("\r")[2]
    assert last.startswith("respool: 500 rows")
    assert "5 batches, " in last


def test_an_export_knows_how_many_rows_there_will_be(capsys, tmp_path):
    cache = respool.cache(Source(5), schema=SCHEMA)
    cache.ingest_all()
    cache.to_parquet(tmp_path / "x.parquet", progress=True)
    last = capsys.readouterr().err.rstrip().rpartition("\r")[2]
    assert "100%" in last
    assert "500/500" in last
    cache.filter([("n", "<", 10**9)]).to_parquet(tmp_path / "y.parquet", progress=True)
    assert "%" not in capsys.readouterr().err


def test_silence_is_the_default(capsys):
    cache = respool.cache(Source(5), schema=SCHEMA)
    cache.ingest_all()
    assert capsys.readouterr().err == ""


def test_what_is_neither_is_refused():
    cache = respool.cache(Source(5), schema=SCHEMA)
    with pytest.raises(TypeError, match="progress"):
        cache.ingest_all(progress="often")
    assert cache.ingested_count == 0


def test_an_exception_of_the_callable_stops_the_ingest_and_loses_nothing():
    cache = respool.cache(Source(5), schema=SCHEMA)

    def refuse(batches, rows):
        raise LookupError

    with pytest.raises(LookupError):
        cache.ingest_all(progress=refuse)
    assert cache.ingest_all() == 5
