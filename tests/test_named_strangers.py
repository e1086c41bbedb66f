"""What respool did not put into the directories of names stays where it is, and stops nothing."""

import os

import duckdb
import pyarrow as pa
import pytest

import processes
import respool
import respool.duckdb
from folders import inside
from respool._named import layout
from sources import SCHEMA, Source, expected


def fill():
    return Source().reader()


@pytest.fixture
def place(log_dir):
    """A directory with two complete caches."""
    directory = log_dir / "caches"
    for name in ("trips", "zones"):
        respool.named(name, fill, directory=directory, ingest=True).close()
    return directory


def kept(path):
    with respool.cache(Source(3), schema=SCHEMA, path=path) as cache:
        cache.ingest_all()


REMOVALS = {
    "rm": lambda place: respool.rm("trips", place),
    "prune": lambda place: respool.prune(max_bytes=0, directory=place),
    "quota": lambda place: respool.named(
        "other", fill, directory=place, quota="32 KB", ingest=True
    ).close(),
}


@pytest.mark.parametrize("how", REMOVALS)
def test_what_is_not_a_log_of_the_name_stays_where_it_is(place, how):
    home = place / "trips"
    (home / "notes.txt").write_text("mine")
    (home / "99999999").mkdir()
    (home / "99999999" / "notes.txt").write_text("mine")
    (home / "88888888").mkdir()
    (home / "88888888" / "_notes").write_text("mine")
    kept(home / "mine")
    os.utime(home / "lock", (0, 0))
    REMOVALS[how](place)
    assert inside(home) == ["88888888", "99999999", "lock", "mine", "notes.txt"]
    assert (home / "88888888" / "_notes").read_text() == "mine"
    assert respool.open(home / "mine").num_rows == 300
    assert (home / "99999999" / "notes.txt").read_text() == "mine"
    assert "trips" not in [one.name for one in respool.ls(place)]
    assert not [path for path in inside(place) if path.startswith(".")]


@pytest.mark.parametrize("how", ["rm", "prune"])
def test_what_lies_in_a_log_stays_where_it_is(place, how):
    log = place / "trips" / "00000001"
    (log / "notes.txt").write_text("mine")
    cache = respool.named("trips", fill, directory=place)
    if how == "rm":
        with pytest.raises(OSError, match=r"notes\.txt"):
            REMOVALS[how](place)
    else:
        REMOVALS[how](place)
    assert pa.table(respool.named("trips", fill, directory=place)).equals(expected(5))
    cache.close()
    respool.named("trips", fill, directory=place).close()
    REMOVALS[how](place)
    assert inside(place / "trips") == ["00000001", "lock"]
    assert inside(log) == ["notes.txt"]
    assert "trips" not in [one.name for one in respool.ls(place)]


@pytest.mark.parametrize("how", REMOVALS)
def test_a_name_that_was_left_with_strangers_is_filled_and_removed_again(place, how):
    (place / "trips" / ".DS_Store").touch()
    os.utime(place / "trips" / "lock", (0, 0))
    REMOVALS[how](place)
    assert "trips" not in [one.name for one in respool.ls(place)]
    with pytest.raises(FileNotFoundError, match="no cache is named 'trips'"):
        respool.rm("trips", place)
    assert "trips" not in respool.prune(max_bytes=0, directory=place)
    respool.named("trips", fill, directory=place, ingest=True).close()
    respool.rm("trips", place)
    respool.named("trips", fill, directory=place, ingest=True).close()
    (place / "trips" / ".DS_Store").unlink()
    respool.rm("trips", place)
    assert not (place / "trips").exists()


def test_a_name_holds_no_names(place):
    home = place / "trips"
    before = inside(home)
    for use in (
        lambda: respool.named("inner", fill, directory=home),
        lambda: respool.ls(home),
        lambda: respool.rm("inner", home),
        lambda: respool.prune(max_bytes=0, directory=home),
    ):
        with pytest.raises(FileExistsError, match="of the name"):
            use()
    assert inside(home) == before


@pytest.mark.parametrize("name", ["_manifest", "_index", "lock", "_lock", "00000001", "_encoded"])
def test_a_name_that_is_that_of_a_file_elsewhere_is_a_name(place, name):
    for each in (name, "later"):
        respool.named(each, fill, directory=place, ingest=True).close()
    assert [one.name for one in respool.ls(place)] == sorted([name, "later", "trips", "zones"])
    respool.cache(pa.table({"n": [1]})).to_ipc(place / "out.arrow")
    with duckdb.connect() as con:
        assert set(respool.duckdb.attach(con, place)) == {name, "later", "trips", "zones"}
    assert len(respool.prune(max_bytes=0, directory=place)) == 4


@pytest.mark.parametrize("how", ["link", "directory"])
def test_a_name_that_can_not_be_locked_stops_no_other(place, how):
    path = place / "trips" / "lock"
    path.unlink()
    if how == "link":
        path.symlink_to("/etc/hostname")
    else:
        path.mkdir()
    os.utime(path, (0, 0), follow_symlinks=False)
    respool.named("other", fill, directory=place, quota="31 KB", ingest=True).close()
    assert [one.name for one in respool.ls(place)] == ["other", "zones"]
    with pytest.raises(FileExistsError, match=r"did not put there \(lock\)"):
        respool.rm("trips", place)
    assert respool.prune(max_bytes=0, directory=place) == ["zones", "other"]


def test_logs_whose_lock_was_deleted_are_nobodys(place):
    (place / "trips" / "lock").unlink()
    for use in (
        lambda: respool.named("trips", fill, directory=place),
        lambda: respool.rm("trips", place),
    ):
        with pytest.raises(FileExistsError, match=r"00000001.*'lock' beside them was deleted"):
            use()
    assert respool.prune(max_bytes=0, directory=place) == ["zones"]
    assert inside(place / "trips") == ["00000001"]


@pytest.mark.parametrize("lock", [None, b"", b"4711\n", layout.MARK + b"4711\n"])
@pytest.mark.parametrize("numbers", [["20260131"], ["1000000000"], ["00000001", "00000002"]])
def test_logs_that_nobody_named_are_not_those_of_a_name(place, numbers, lock):
    days = place / "days"
    days.mkdir(0o700)
    for number in numbers:
        kept(days / number)
    if lock is not None:
        (days / "lock").write_bytes(lock)
    before = inside(days)
    assert "days" not in [one.name for one in respool.ls(place)]
    assert respool.prune(max_bytes=0, directory=place) == ["trips", "zones"]
    for use in (
        lambda: respool.named("days", fill, directory=place),
        lambda: respool.rm("days", place),
    ):
        with pytest.raises(FileExistsError, match=numbers[0] if lock is None else "lock"):
            use()
    assert inside(days) == before
    assert respool.open(days / numbers[0]).num_rows == 300


@pytest.mark.parametrize("data", [[], ["data.db"]])
def test_a_lock_of_another_program_stays(place, data):
    other = place / "browser"
    other.mkdir(0o700)
    for name in ["lock", *data]:
        (other / name).write_text("4711\n")
    with pytest.raises(FileExistsError, match="lock"):
        respool.rm("browser", place)
    respool.prune(older_than=0, max_bytes=0, directory=place)
    respool.named("mine", fill, directory=place, quota="40 KB").close()
    with pytest.raises(FileExistsError, match="lock"):
        respool.named("browser", fill, directory=place)
    assert inside(other) == [*data, "lock"]
    assert (other / "lock").read_text() == "4711\n"


def test_a_lock_that_can_not_be_read_is_not_ours(place):
    other = place / "browser"
    other.mkdir(0o700)
    (other / "lock").write_bytes(layout.MARK)
    (other / "lock").chmod(0)
    (place / "lock").touch(0)
    code = f"""
import respool
try:
    respool.rm("browser", {str(place)!r})
except FileExistsError as error:
    print(error.strerror)
"""
    assert "did not put there (lock)" in processes.run(code, preexec_fn=processes.as_anybody)


@pytest.mark.parametrize("written", [0, 10])
def test_who_was_killed_while_it_made_a_name_left_room_for_one(place, written):
    begun = place / "begun"
    begun.mkdir(0o700)
    (begun / "lock").write_bytes(layout.MARK[:written])
    with pytest.raises(FileNotFoundError):
        respool.rm("begun", place)
    assert respool.named("begun", fill, directory=place, ingest=True).num_rows == 500
    assert (begun / "lock").read_bytes() == layout.MARK


@pytest.mark.parametrize(
    "left", [[], ["_lock"], ["_lock", "_index"], ["_index"], ["_00000000.part"]]
)
def test_what_is_left_of_a_log_is_no_stranger(place, left):
    """Whoever began a log, or removed it, may be killed at any moment."""
    for name in ("trips", "zones"):
        rest = place / name / "00000007"
        rest.mkdir(0o700)
        for file in left:
            (rest / file).touch(0o600)
    respool.rm("trips", place)
    assert respool.named("trips", fill, directory=place, ingest=True).num_rows == 500
    assert respool.named("zones", fill, key="new", directory=place, ingest=True).num_rows == 500
    assert inside(place / "trips") == ["00000001", "lock"]
    assert inside(place / "zones") == ["00000002", "lock"]


@pytest.mark.parametrize("digits", [8, 18, 19, 255])
def test_a_directory_of_any_number_of_digits_stops_no_fill(place, digits):
    (place / "trips" / ("9" * digits)).mkdir(0o700)
    for key in ("1", "2"):
        respool.named("trips", fill, key=key, directory=place, ingest=True).close()
        assert respool.named("trips", pytest.fail, key=key, directory=place).num_rows == 500


@pytest.mark.parametrize("name", [".removed-by-me", ".removed-0123456789abcdef"])
def test_what_is_named_as_what_was_removed_keeps_its_files(place, name):
    (place / name).mkdir(0o700)
    (place / name / "lock").touch()
    respool.prune(directory=place)
    assert inside(place / name) == ["lock"]
