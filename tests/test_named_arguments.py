"""What named caches are asked for: what makes no sense is refused before anything is done."""

import datetime as dt
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import processes
import respool
from folders import file_system, inside
from respool.exceptions import DiskCapacityError
from sources import SCHEMA, Source, SourceBrokeError, expected

SHM = Path("/dev/shm")  # noqa: S108 - it is asked for because it is memory


def fill():
    return Source().reader()


@pytest.fixture
def place(log_dir):
    return log_dir / "caches"


@pytest.mark.parametrize("is_hit", [False, True])
@pytest.mark.parametrize(
    "bad",
    [
        {"compression": "gzip"},
        {"metadata": {"a": object()}},
        {"metadata": ["a"]},
        {"memory": "x"},
        {"memory": -1},
        {"coalesce_rows": -1},
        {"coalesce_rows": 0},
        {"prefetch": 4},
        {"batch_rows": (2, 1)},
        {"schema": "last"},
        {"schema": 1},
        {"quota": "much"},
        {"quota": 1.5},
        {"timeout": "1 s"},
        {"ttl": -1},
        {"key": 1},
        {"allow_tmpfs": "no"},
        {"ingest": "no"},
        {"ingest": True, "progress": "bar"},
    ],
)
def test_a_bad_argument_is_refused_before_fill_is_called(place, bad, is_hit):
    if is_hit:
        respool.named("trips", fill, directory=place, ingest=True).close()
    with pytest.raises((TypeError, ValueError)):
        respool.named("trips", lambda: pytest.fail("called"), directory=place, **bad)
    assert place.exists() == is_hit


@pytest.mark.skipif(
    not SHM.is_dir() or file_system(SHM) != "tmpfs", reason="no directory that is memory"
)
def test_a_place_in_memory_is_refused_before_fill_is_called():
    place = SHM / f"respool-test-{os.getpid()}" / "caches"
    with pytest.raises(ValueError, match="tmpfs"):
        respool.named("trips", lambda: pytest.fail("called"), directory=place)
    assert not place.parent.exists()


SPANS = [
    ("ttl", lambda span, place: respool.named("trips", fill, directory=place, ttl=span)),
    ("timeout", lambda span, place: respool.named("trips", fill, directory=place, timeout=span)),
    ("older_than", lambda span, place: respool.prune(older_than=span, directory=place)),
]


@pytest.mark.parametrize(("name", "use"), SPANS)
@pytest.mark.parametrize("span", ["1", True, np.bool_(True), np.timedelta64(1, "s"), 1j, [1]])
def test_a_span_is_a_number_or_a_timedelta(place, name, use, span):
    with pytest.raises(TypeError, match=name):
        use(span, place)


@pytest.mark.parametrize(("name", "use"), SPANS)
@pytest.mark.parametrize(
    "span", [-1, -0.5, float("nan"), dt.timedelta(-1), np.int8(-1), -(10**400)]
)
def test_a_span_is_not_negative(place, name, use, span):
    with pytest.raises(ValueError, match=name) as error:
        use(span, place)
    assert len(str(error.value)) < 100


@pytest.mark.parametrize(("name", "use"), SPANS)
@pytest.mark.parametrize(
    "span",
    [9, np.int64(9), np.float32(9), dt.timedelta(9), float("inf"), 10**400, dt.timedelta.max],
)
def test_a_span_may_be_of_any_kind_and_without_an_end(place, name, use, span):
    respool.named("trips", fill, directory=place, ingest=True).close()
    use(span, place)
    assert [one.rows for one in respool.ls(place)] == [500]


def test_a_life_without_an_end_has_none(place):
    respool.named("trips", fill, directory=place, ttl=float("inf"), ingest=True).close()
    (one,) = respool.ls(place)
    assert one.expires is None


@pytest.mark.parametrize(
    "value", [np.int64(1), np.float64(1), np.bool_(True), np.str_("a"), np.datetime64("2026-01-01")]
)
def test_of_a_numpy_scalar_a_key_asks_for_its_item(place, value):
    for key in (value, (value,)):
        with pytest.raises(TypeError, match=r"value\.item\(\)"):
            respool.named("trips", fill, key=key, directory=place)
    respool.named("trips", fill, key=(value.item(),), directory=place)


def test_without_fill_what_is_there_is_opened(place):
    with pytest.raises(FileNotFoundError, match="no cache is named 'trips'"):
        respool.named("trips", directory=place)
    assert not place.exists()
    respool.named("other", fill, directory=place)
    with pytest.raises(FileNotFoundError, match="no cache is named 'trips'"):
        respool.named("trips", directory=place)
    assert inside(place) == ["other"]
    respool.named("trips", fill, key="Monday", directory=place, ingest=True).close()
    for key in (None, "Monday"):
        with respool.named("trips", key=key, directory=place) as cache:
            assert pa.table(cache).equals(expected(5))
    respool.named("plain", fill, directory=place, ingest=True).close()
    with pytest.raises(FileNotFoundError, match="without a key"):
        respool.named("plain", key="Tuesday", directory=place)
    with pytest.raises(FileNotFoundError, match="filled for another key: 'Monday'"):
        respool.named("trips", key="Tuesday", directory=place)


def test_without_fill_what_is_not_whole_or_too_old_is_not_opened(place, monkeypatch):
    respool.named("half", fill, directory=place).close()
    with pytest.raises(FileNotFoundError, match="not whole"):
        respool.named("half", directory=place)
    respool.named("old", fill, ttl=60, directory=place, ingest=True).close()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    with pytest.raises(FileNotFoundError, match=r"too old: it is of 20.* good for 60 s"):
        respool.named("old", directory=place)


def test_without_fill_what_is_being_filled_is_followed(place):
    cache = respool.named("trips", fill, directory=place)
    next(cache.reader())
    assert respool.named("trips", directory=place).ingested_count == 1
    code = f"""
import respool
cache = respool.named("trips", directory={str(place)!r}, timeout=20)
print(cache.complete, next(cache.reader()).num_rows)
"""
    assert processes.run(code).split() == ["False", "100"]


def test_ingest_reads_to_the_end_before_it_returns(place):
    source = Source()
    cache = respool.named("trips", source.reader, directory=place, ingest=True)
    assert cache.complete
    assert source.pulls == 6
    cache.close()
    assert respool.named("trips", pytest.fail, directory=place, ingest=True).head(2).num_rows == 2


def test_ingest_raises_what_the_source_does(place):
    with pytest.raises(SourceBrokeError):
        respool.named(
            "trips", lambda: Source(fail_at=2), schema=SCHEMA, directory=place, ingest=True
        )
    assert [one.state for one in respool.ls(place)] == ["failed"]
    assert respool.named("trips", fill, directory=place, ingest=True).num_rows == 500


def test_an_ingest_that_ends_early_leaves_the_name(place):
    """Who has the exception has the frames that it came through, and what is in them."""
    wide = pa.table({"n": range(100_000)})

    def ingest():
        respool.named("trips", lambda: wide, directory=place, quota=100_000, ingest=True)

    with pytest.raises(DiskCapacityError) as kept:
        ingest()
    assert [one.state for one in respool.ls(place)] == ["abandoned"]
    with respool.named("trips", lambda: wide, directory=place) as mine:
        mine.resize(disk=100_000)
        with pytest.raises(DiskCapacityError) as kept:
            ingest()
        mine.resize(disk="10 MB")
        mine.ingest_all()
        assert mine.num_rows == 100_000
    assert kept.value is not None


def test_a_full_quota_says_what_to_do(place):
    wide = pa.table({"n": range(100_000)})
    with pytest.raises(DiskCapacityError, match=r"quota=.*respool\.prune"):
        respool.named("trips", lambda: wide, directory=place, quota=100_000, ingest=True)


def uses(directory):
    return [
        lambda: respool.named("trips", fill, directory=directory),
        lambda: respool.ls(directory),
        lambda: respool.rm("trips", directory),
        lambda: respool.prune(max_bytes=0, directory=directory),
    ]


def test_a_tilde_is_home(log_dir, monkeypatch):
    monkeypatch.setenv("HOME", str(log_dir))
    monkeypatch.chdir(log_dir)
    respool.named("trips", fill, directory="~/caches", ingest=True)
    monkeypatch.setenv("RESPOOL_CACHE_DIR", "~/caches")
    assert [one.path for one in respool.ls()] == [log_dir / "caches" / "trips" / "00000001"]
    assert list(log_dir.iterdir()) == [log_dir / "caches"]


@pytest.mark.parametrize("directory", ["", b"", "~nobody-of-that-name/caches", "a\0b"])
def test_what_is_no_directory_is_refused(directory):
    for use in uses(directory):
        with pytest.raises(ValueError, match="directory"):
            use()


@pytest.mark.parametrize("directory", [1, True, ["caches"]])
def test_what_is_no_path_is_refused_by_the_name_of_the_argument(directory):
    for use in uses(directory):
        with pytest.raises(TypeError, match=f"^directory is .* not {type(directory).__name__}$"):
            use()


def test_the_variable_is_no_relative_path(log_dir, monkeypatch):
    monkeypatch.chdir(log_dir)
    monkeypatch.setenv("RESPOOL_CACHE_DIR", "caches")
    for use in uses(None):
        with pytest.raises(ValueError, match="RESPOOL_CACHE_DIR"):
            use()
    assert list(log_dir.iterdir()) == []
