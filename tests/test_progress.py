"""What an ingest says of itself while it runs."""

import pytest

import respool
from sources import SCHEMA, Source


def test_a_callable_is_told_batches_and_rows():
    told = []
    cache = respool.cache(Source(5), schema=SCHEMA)
    assert cache.ingest_all(progress=lambda batches, rows: told.append((batches, rows))) == 5
    assert told[0] == (1, 100)
    assert told[-1] == (5, 500)
    assert told == sorted(told)


def test_a_line_is_written_on_standard_error(capsys):
    cache = respool.cache(Source(5), schema=SCHEMA)
    assert cache.ingest_all(progress=True) == 5
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.endswith("\n")
    assert "5 batches, 500 rows" in shown.err


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
