"""What counts against the quota of named caches, what goes for it, and what it costs nobody."""

import os
import shutil
import sys

import pyarrow as pa
import pytest

import processes
import respool
import respool._named.home
from folders import inside
from respool._named import removal
from respool.exceptions import DiskCapacityError

ROWS = 20_000
SIZE = 8 * ROWS  # bytes of a batch
FOUR = ["a", "b", "c", "d"]


@pytest.fixture
def place(log_dir):
    return log_dir / "caches"


def source(batches):
    schema = pa.schema({"n": pa.int64()})

    def batch(i):
        return pa.record_batch({"n": range(i * ROWS, (i + 1) * ROWS)}, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, map(batch, range(batches)))


def fill(place, name, batches=1, source_of=None, **options):
    fill = source_of or (lambda: source(batches))
    with respool.named(name, fill, directory=place, **options) as cache:
        cache.ingest_all()


def names(place):
    return [one.name for one in respool.ls(place)]


@pytest.fixture
def three(place):
    """Three caches of one batch, a the least recently used."""
    for name in "abc":
        fill(place, name)
    for at, name in enumerate("abc"):
        os.utime(place / name / "lock", (at, at))
    return place


@pytest.mark.parametrize("where", [".", "other", "a"])
def test_what_no_removal_frees_does_not_count(three, where):
    """A log with a path of its own, and files of others."""
    (three / where).mkdir(0o700, exist_ok=True)
    with respool.cache(source(4), path=three / where / "mine") as cache:
        cache.ingest_all()
    (three / where / "data.db").write_bytes(bytes(4 * SIZE))
    assert respool.prune(max_bytes=4 * SIZE, directory=three) == []
    fill(three, "d", quota=5 * SIZE)
    assert names(three) == FOUR


FILLS = """
import sys
import pyarrow as pa, respool

for name in ("a", "b"):
    respool.named(
        name, lambda: pa.table({"n": [1]}), directory=sys.argv[1], quota="1 MB", ingest=True
    ).close()
print(respool.prune(max_bytes=0, directory=sys.argv[1]))
"""


@pytest.mark.parametrize("below", ["lost+found", "a/lost+found"])
def test_what_can_not_be_looked_at_is_in_the_way_of_nothing(place, below):
    fill(place, "a")
    (place / below).mkdir(0)
    try:
        assert processes.run(FILLS, place, preexec_fn=processes.as_anybody) == "['a', 'b']\n"
    finally:
        (place / below).chmod(0o700)


OTHERS = """
import sys
import pyarrow as pa, respool

options = {"directory": sys.argv[1], "ingest": True}
respool.named("b", lambda: pa.table({"n": [1]}), quota="1 MB", **options).close()
print([(one.name, one.state) for one in respool.ls(sys.argv[1])])
print(respool.prune(directory=sys.argv[1]), respool.prune(max_bytes=0, directory=sys.argv[1]))
"""


def test_a_log_that_can_not_be_looked_at_is_in_the_way_of_no_other_name(place):
    fill(place, "a")
    (place / "a" / "00000002").mkdir(0)
    try:
        listed, removed = processes.run(OTHERS, place, preexec_fn=processes.as_anybody).splitlines()
    finally:
        (place / "a" / "00000002").chmod(0o700)
    assert listed == "[('a', 'unreadable'), ('b', 'complete')]"
    assert removed == "[] ['b']"
    assert respool.named("a", directory=place).num_rows == ROWS


def test_without_a_quota_nothing_is_counted(three, monkeypatch):
    monkeypatch.setattr(removal, "taken", pytest.fail)
    monkeypatch.setattr(respool._named.home.Home, "size", pytest.fail)
    fill(three, "a", key="other")
    assert respool.prune(directory=three) == []


def test_a_fill_that_can_not_begin_costs_nobody_anything(three):
    with pytest.raises(DiskCapacityError, match="together may take 50 bytes; nothing was removed"):
        fill(three, "d", quota=50)
    for bad, error in ((lambda: 1, TypeError), (lambda: 1 / 0, ZeroDivisionError)):
        with pytest.raises(error):
            respool.named("d", bad, directory=three, quota=SIZE)
    assert names(three) == ["a", "b", "c"]


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells who uses a log")
def test_where_what_is_used_leaves_no_room_nothing_is_removed(three):
    with (
        respool.named("b", directory=three),
        pytest.raises(DiskCapacityError, match=rf"{SIZE} bytes, of which \d+ are .* \(b \d+\)"),
    ):
        fill(three, "d", quota=SIZE)
    assert names(three) == ["a", "b", "c"]
    fill(three, "d", quota=int(2.2 * SIZE))
    assert names(three) == ["b", "d"]


@pytest.mark.parametrize("given", [0, 1])
def test_a_source_that_has_no_room_itself_says_so(place, given):
    """Before its first batch, or later: nothing goes for it."""
    fill(place, "z", batches=2)
    full = respool.cache(source(2), memory=0, disk=SIZE * given + SIZE // 2, directory=place)
    options = {"schema": "first", "quota": int(3.5 * SIZE), "key": "new", "ingest": True}
    with pytest.raises(DiskCapacityError) as error:
        fill(place, "z", source_of=lambda: (batch for batch in full), **options)
    assert "names together" not in str(error.value)
    assert not hasattr(error.value, "__notes__")
    assert sum(1 for _ in place.glob("z/*/_manifest")) == 1 + given
    assert respool.ls(place)[0].kept is not None or not given


def test_on_a_full_disk_they_go_before_the_log_begins(three, monkeypatch):
    usage, begin, there = shutil.disk_usage, respool._native._fill, []
    full = usage(three)._replace(free=0)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: usage(three) if inside(three) != FOUR else full
    )

    def begins(*args, **options):
        there.extend(names(three))
        return begin(*args, **options)

    monkeypatch.setattr(respool._native, "_fill", begins)
    fill(three, "d", quota=4 * SIZE)
    assert there == ["b", "c"]


def test_an_error_after_a_removal_says_what_was_removed(three):
    with pytest.raises(DiskCapacityError) as error:
        fill(three, "d", batches=9, quota=4 * SIZE, ingest=True)
    assert error.value.__notes__ == ["removed to make room: a"]


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_the_last_whole_log_goes_only_when_the_new_one_has_no_room(place, batches):
    fill(place, "z", batches=2)

    def broken():
        yield from source(batches)
        raise OSError("the database is down")

    schema = pa.schema({"n": pa.int64()})
    options = {"schema": schema, "ttl": 0, "quota": int(3.5 * SIZE), "ingest": True}
    with pytest.raises(OSError, match="down") as error:
        respool.named("z", broken, directory=place, **options)
    if batches == 1:
        assert respool.named("z", directory=place).num_rows == 2 * ROWS
        assert not hasattr(error.value, "__notes__")
    else:
        assert error.value.__notes__ == ["removed to make room: what z had"]
        assert [(one.state, one.batches) for one in respool.ls(place)] == [("failed", batches)]
