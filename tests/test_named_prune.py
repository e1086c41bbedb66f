"""What named caches take, and which go first."""

import datetime as dt
import os
import time

import pyarrow as pa
import pytest

import respool
from folders import inside
from respool.exceptions import DiskCapacityError

ROWS = 20_000
SIZE = 8 * ROWS  # bytes of a batch


@pytest.fixture
def place(log_dir):
    return log_dir / "caches"


def source(batches):
    schema = pa.schema({"n": pa.int64()})

    def batch(i):
        return pa.record_batch({"n": range(i * ROWS, (i + 1) * ROWS)}, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, map(batch, range(batches)))


def fill(place, name, batches=1, **options):
    with respool.named(name, lambda: source(batches), directory=place, **options) as cache:
        cache.ingest_all()


def use(place, name):
    """A hit; and a new time on the clock that the next use will have."""
    respool.named(name, pytest.fail, directory=place).close()
    time.sleep(0.01)


def names(place):
    return [one.name for one in respool.ls(place)]


def taken(place):
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


@pytest.fixture
def four(place):
    """Four caches of one batch; b was used last, then a, d and c."""
    for name in "abcd":
        fill(place, name)
    for name in "cdab":
        use(place, name)
    assert 4 * SIZE < taken(place) < 4.4 * SIZE
    return place


def test_the_least_recently_used_go_first(four):
    assert respool.prune(max_bytes=int(2.5 * SIZE), directory=four) == ["c", "d"]
    assert names(four) == ["a", "b"]
    assert taken(four) <= 2.5 * SIZE
    assert respool.prune(max_bytes=int(2.5 * SIZE), directory=four) == []
    assert respool.prune(max_bytes="0 B", directory=four) == ["a", "b"]
    assert inside(four) == []


def test_what_somebody_has_open_stays(four):
    cache = respool.named("c", pytest.fail, directory=four)
    os.utime(four / "c" / "lock", (0, 0))
    assert respool.prune(max_bytes=0, directory=four) == ["d", "a", "b"]
    assert names(four) == ["c"]
    assert cache.num_rows == pa.table(cache).num_rows == ROWS
    cache.close()
    assert respool.prune(max_bytes=0, directory=four) == ["c"]


def test_what_is_being_filled_stays(place):
    cache = respool.named("a", lambda: source(3), directory=place)
    next(cache.reader())
    assert respool.prune(max_bytes=0, older_than=0, directory=place) == []
    assert cache.ingest_all() == 3
    assert pa.table(cache).num_rows == 3 * ROWS


@pytest.mark.parametrize("span", [3600, dt.timedelta(hours=1)])
def test_what_was_not_used_for_long_goes(four, span):
    past = time.time() - 3601
    for name in "bd":
        os.utime(four / name / "lock", (past, past))
    use(four, "d")
    assert respool.prune(older_than=span, directory=four) == ["b"]
    assert names(four) == ["a", "c", "d"]


def test_what_was_used_in_the_future_was_used_now(four):
    """A clock that was ahead has gone back."""
    ahead = time.time() + 86_400
    os.utime(four / "b" / "lock", (ahead, ahead))
    assert respool.prune(older_than=3600, directory=four) == []
    assert (four / "b" / "lock").stat().st_mtime <= time.time()
    os.utime(four / "b" / "lock", (ahead, ahead))
    assert respool.prune(older_than=0, directory=four) == ["a", "b", "c", "d"]


def test_without_bounds_nothing_goes_but_what_nobody_uses(four):
    begun = four / "a" / "00000002"
    begun.mkdir(0o700)
    for name in ("_lock", "_index", "_manifest.part"):
        (begun / name).touch(0o600)
    with pytest.raises(ZeroDivisionError):
        respool.named("empty", lambda: 1 / 0, directory=four)
    assert respool.prune(directory=four) == []
    assert names(four) == ["a", "b", "c", "d"]
    assert inside(four) == ["a", "b", "c", "d"]
    assert inside(four / "a") == ["00000001", "lock"]


def test_what_never_began_is_no_obstacle(place):
    fill(place, "a")
    begun = place / "a" / "00000002"
    begun.mkdir(0o700)
    (begun / "_index").touch(0o600)
    respool.named("a", pytest.fail, directory=place).close()
    fill(place, "a", batches=2, key="other")
    respool.named("a", pytest.fail, key="other", directory=place).close()
    assert [one.batches for one in respool.ls(place)] == [2]
    assert len(inside(place / "a")) == 2


def test_a_quota_makes_room_before_a_fill(four):
    fill(four, "e", quota=int(4.5 * SIZE))
    assert names(four) == ["a", "b", "d", "e"]
    assert taken(four) <= 4.5 * SIZE


def test_the_quota_of_the_environment(four, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_QUOTA", f"{4.5 * SIZE / 1024} KiB")
    fill(four, "e")
    assert names(four) == ["a", "b", "d", "e"]
    monkeypatch.setenv("RESPOOL_CACHE_QUOTA", "much")
    with pytest.raises(ValueError, match=r"RESPOOL_CACHE_QUOTA.*'?much"):
        fill(four, "f")
    monkeypatch.setenv("RESPOOL_CACHE_QUOTA", "")
    fill(four, "f", batches=9)


def test_a_fill_does_not_exceed_the_quota_and_finds_more_room_the_next_time(four):
    quota = 6 * SIZE
    for _ in range(2):
        with pytest.raises(DiskCapacityError):
            fill(four, "e", batches=7, quota=quota)
        assert taken(four) <= quota
    for _ in range(4):
        try:
            fill(four, "f", batches=5, quota=quota)
            break
        except DiskCapacityError:
            assert taken(four) <= quota
    assert [one.batches for one in respool.ls(four) if one.name == "f"] == [5]
    assert taken(four) <= quota


def test_what_is_filled_anew_has_the_room_of_what_was_there(place):
    quota = 6 * SIZE
    for key in ("1", "2", "3"):
        fill(place, "a", batches=5, quota=quota, key=key)
    assert taken(place) <= quota


def test_a_hit_asks_for_no_room(four):
    respool.named("a", pytest.fail, directory=four, quota=1).close()
    assert names(four) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "bounds", [{"max_bytes": "many"}, {"max_bytes": -1}, {"older_than": -1}, {"max_bytes": 1.5}]
)
def test_bounds_that_make_no_sense(four, bounds):
    (name,) = bounds
    for place in (four, four / "missing"):
        with pytest.raises((TypeError, ValueError), match=name) as error:
            respool.prune(**bounds, directory=place)
        # PyO3 notes the name that its function has for it.
        assert not hasattr(error.value, "__notes__")
    assert names(four) == ["a", "b", "c", "d"]


def test_rm(four):
    respool.rm("b", four)
    assert names(four) == ["a", "c", "d"]
    with pytest.raises(FileNotFoundError, match=r"'b'; respool\.ls tells what is in") as error:
        respool.rm("b", four)
    assert error.value.filename == str(four)
    fill(four, "b", batches=2)
    assert names(four) == ["a", "b", "c", "d"]


def test_rm_of_what_is_being_filled_frees_the_name_at_once(place):
    first = respool.named("a", lambda: source(2), directory=place)
    next(first.reader())
    respool.rm("a", place)
    second = respool.named("a", lambda: source(3), directory=place)
    assert second is not first
    assert (first.ingest_all(), second.ingest_all()) == (2, 3)
    assert pa.table(first).num_rows == 2 * ROWS
    first.close()
    second.close()
    assert respool.prune(directory=place) == []
    assert [one.batches for one in respool.ls(place)] == [3]
    assert inside(place) == ["a"]


def test_what_prune_is_told_has_a_name(four):
    with pytest.raises(TypeError, match="positional"):
        respool.prune(four)


@pytest.mark.parametrize("quota", ["much", -1, 1.5])
def test_a_quota_that_is_none_is_told_by_its_name(place, quota):
    with pytest.raises((TypeError, ValueError), match=r"^quota: ") as error:
        respool.named("a", pytest.fail, directory=place, quota=quota)
    assert not hasattr(error.value, "__notes__")


def test_what_goes_of_a_name_that_stays_counts(place):
    def half():
        yield from source(3)
        raise ZeroDivisionError

    fill(place, "a")
    fill(place, "b")
    options = {"key": "half", "schema": "first", "ingest": True}
    with respool.named("a", directory=place):
        with pytest.raises(ZeroDivisionError):
            respool.named("a", half, directory=place, **options)
        os.utime(place / "a" / "lock", (0, 0))
        assert respool.prune(max_bytes=3 * SIZE, directory=place) == []
        assert taken(place) < 3 * SIZE
    assert names(place) == ["a", "b"]
