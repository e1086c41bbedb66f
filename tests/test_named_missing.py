"""Names whose files somebody deleted, shortened or damaged."""

import os

import pyarrow as pa
import pytest

import respool
from respool.exceptions import CorruptLogError
from sources import SCHEMA, Source, expected


@pytest.fixture
def place(log_dir):
    return log_dir / "caches"


def delete(log):
    (log / "00000000.arrow").unlink()


def shorten(log):
    path = log / "00000000.arrow"
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size - 1)


def empty(log):
    (log / "00000000.arrow").chmod(0o600)
    os.truncate(log / "00000000.arrow", 0)


def damage(log):
    (log / "_manifest").write_bytes(b"nothing")


HARM = [delete, shorten, empty, damage]


@pytest.mark.parametrize("harm", HARM)
def test_what_is_not_whole_any_more_is_filled_anew(place, harm):
    calls = []

    def fill():
        calls.append(1)
        return Source().reader()

    for _ in range(2):
        cache = respool.named("trips", fill, directory=place, ingest=True)
        assert pa.table(cache).equals(expected(5))
        cache.close()
        assert len(calls) == 1
    harm(respool.ls(place)[0].path)
    for _ in range(2):
        with respool.named("trips", fill, directory=place, ingest=True) as cache:
            assert pa.table(cache).equals(expected(5))
    assert len(calls) == 2


@pytest.mark.parametrize("harm", HARM)
def test_without_fill_it_says_how_to_fill_it_anew(place, harm):
    respool.named("trips", Source().reader, directory=place, ingest=True).close()
    log = respool.ls(place)[0].path
    harm(log)
    for _ in range(2):
        with pytest.raises(CorruptLogError, match=r"respool\.rm\('trips'") as error:
            respool.named("trips", directory=place)
        assert str(error.value.filename).startswith(str(log))
    respool.rm("trips", place)
    assert respool.named("trips", Source().reader, directory=place, ingest=True).complete


def test_a_segment_of_the_other_layout_is_looked_for_too(place):
    """Dictionaries that change make streams; the first segment is a file."""
    batches = [
        pa.record_batch({"c": pa.array(words).dictionary_encode()}) for words in (["a"], ["b", "c"])
    ]

    def fill():
        return pa.RecordBatchReader.from_batches(batches[0].schema, batches)

    respool.named("words", fill, directory=place, ingest=True).close()
    assert respool.named("words", pytest.fail, directory=place).complete
    log = respool.ls(place)[0].path
    assert (log / "00000001.arrows").exists()
    (log / "00000001.arrows").unlink()
    with respool.named("words", fill, directory=place, ingest=True) as cache:
        assert cache.num_rows == 3


def test_a_cache_without_rows_is_a_hit(place):
    respool.named("none", lambda: Source(0), schema=SCHEMA, directory=place, ingest=True).close()
    assert respool.named("none", pytest.fail, directory=place).num_rows == 0


def test_what_was_replaced_does_not_come_back(place):
    respool.named("trips", Source(2).reader, key="k", directory=place, ingest=True).close()
    with respool.named("trips", directory=place):  # keeps its log
        respool.named(
            "trips", Source(3).reader, key="k", ttl=0, directory=place, ingest=True
        ).close()
        delete(respool.ls(place)[0].path)
        with pytest.raises(CorruptLogError):
            respool.named("trips", directory=place)
        with respool.named("trips", Source(4).reader, key="k", directory=place) as cache:
            assert pa.table(cache).num_rows == 400
