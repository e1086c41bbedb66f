"""Attempts at a log that is kept which come to nothing: it is what it was before, and says so."""

import datetime as dt
import errno
import shutil
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pytest

import respool
from respool.exceptions import IncompleteStreamError
from sources import SCHEMA, Source, batch


def kept(path: Path, count: int = 5, **options: object) -> respool.StreamCache:
    return respool.cache(Source(count), schema=SCHEMA, path=path, **options)


@pytest.fixture
def path(log_dir: Path) -> Path:
    return log_dir / "log"


@pytest.fixture
def failed(path):
    """A log whose source failed after two batches."""

    def source():
        yield from Source(2)
        raise OSError("the wire broke")

    with (
        respool.cache(source(), schema=SCHEMA, path=path) as cache,
        pytest.raises(OSError, match="wire"),
    ):
        cache.ingest_all()
    return path


def cause(path: Path) -> str:
    with respool.open(path) as log, pytest.raises(IncompleteStreamError) as caught:
        list(log)
    return str(caught.value)


def other_values():
    yield batch(7)


def of_another_schema():
    yield pa.record_batch({"x": [1]})


def drop(cache: respool.StreamCache) -> None:
    del cache


@pytest.mark.parametrize("end", [respool.StreamCache.close, drop])
@pytest.mark.parametrize("source", [None, other_values, of_another_schema])
def test_an_attempt_that_adds_nothing_leaves_the_first_cause(failed, source, end):
    assert "the wire broke" in cause(failed)
    cache = respool.resume(failed, Source(2) if source is None else source())
    if source is not None:
        with pytest.raises(ValueError, match=r"cannot go on|batch"):
            cache.ingest_all()
    end(cache)
    del cache
    assert "the wire broke" in cause(failed)


def test_what_was_gone_on_with_tells_its_own_cause(failed):
    def source():
        yield from Source(3)
        raise OSError("broken again")

    with respool.resume(failed, source()) as cache, pytest.raises(OSError, match="again"):
        cache.ingest_all()
    assert "broken again" in cause(failed)
    assert "the wire" not in cause(failed)


def test_a_source_that_has_no_more_makes_it_whole(failed):
    with respool.resume(failed, Source(2)) as cache:
        assert cache.ingest_all() == 2
    with respool.open(failed) as log:
        assert log.complete


def test_what_was_removed_is_not_said_to_be_durable(path):
    cache = kept(path)
    next(iter(cache))
    cache.flush()
    shutil.rmtree(path)
    for acknowledge in (cache.flush, cache.close):
        with pytest.raises(FileNotFoundError, match="directory was removed") as caught:
            acknowledge()
        assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(path))


@pytest.mark.parametrize("value", [{1: "a"}, (1, 2), float("nan"), dt.date(2026, 1, 1), b"x", {1}])
def test_metadata_that_would_come_back_as_something_else_is_refused(path, value):
    with pytest.raises(TypeError, match=r"""metadata\["it"\] can't be kept"""):
        kept(path, metadata={"it": value})
    assert not path.exists()


def test_metadata_is_any_mapping(path):
    there = {"a": [1, None, True, 1.5, {"b": "c"}]}
    with kept(path, metadata=MappingProxyType(there)) as cache:
        assert cache.metadata == there
    # A wrapper gives none so.
    assert respool.cache(Source(1), schema=SCHEMA, metadata={}).ingest_all() == 1


@pytest.mark.parametrize("timeout", [None, 5, 0.5, dt.timedelta(seconds=5), float("inf"), 10**400])
def test_a_timeout_has_the_forms_of_named_caches(path, timeout):
    kept(path).close()
    with respool.open(path, timeout=timeout) as log:
        assert log.path == str(path) or log.path == path
    for wrong in (-1, True, "5"):
        with pytest.raises((TypeError, ValueError), match="timeout"):
            respool.open(path, timeout=wrong)


def test_who_writes_here_already_is_told_so(path):
    cache = kept(path)
    next(iter(cache))
    with pytest.raises(BlockingIOError, match="this process writes to this log already") as caught:
        respool.resume(path, Source(5))
    assert caught.value.filename == str(path)


def test_a_path_is_not_said_twice(path):
    kept(path).ingest_all()
    segment = path / "00000000.arrow"
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(bytes(data))
    with respool.open(path) as log, pytest.raises(OSError, match="damaged") as caught:
        list(log)
    assert str(caught.value).count(str(path)) == 1


def test_an_exception_without_a_text_leaves_no_colon(path):
    def source():
        yield batch(0)
        raise LookupError

    with respool.cache(source(), schema=SCHEMA, path=path) as cache, pytest.raises(LookupError):
        cache.ingest_all()
    assert "LookupError" in cause(path)
    assert "LookupError:" not in cause(path)


def test_a_full_quota_says_what_helps(path):
    with pytest.raises(respool.exceptions.DiskCapacityError, match="cannot begin the log"):
        kept(path, disk=1000)
    assert not path.exists()
    with (
        kept(path, count=500, disk=100_000) as cache,
        pytest.raises(respool.exceptions.DiskCapacityError, match="nothing is lost"),
    ):
        cache.ingest_all()


def test_a_file_that_is_longer_than_it_says_is_not_read(path):
    kept(path).ingest_all()
    with (path / "_manifest").open("r+b") as manifest:
        manifest.truncate(1 << 40)
    with pytest.raises(respool.exceptions.CorruptLogError, match="length"):
        respool.open(path)


def test_a_stream_in_c_keeps_who_fills_a_name(log_dir):
    def fill():
        return pa.Table.from_batches([batch(i) for i in range(5)]).to_reader(10)

    ask = {"directory": log_dir, "timeout": 1}
    reader = pa.RecordBatchReader.from_stream(respool.named("trips", fill, **ask))
    reader.read_next_batch()
    assert respool.named("trips", fill, **ask).ingested_count == 1
