"""Where named caches are: names are ids, directories are ours, links lead nowhere."""

import os
import stat
from pathlib import Path

import pytest

import processes
import respool
from sources import Source

IS_ROOT = os.geteuid() == 0


def fill():
    return Source().reader()


def contents(directory):
    """Name, inode and bytes of everything."""
    return {
        path: (path.lstat().st_ino, path.is_file() and path.read_bytes())
        for path in directory.rglob("*")
    }


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc/x",
        "a/b",
        "a\\b",
        "a\0b",
        ".hidden",
        "-rf",
        "a b",
        "a\n",
        "ä",
        "trips+1",
        "a" * 129,
        "a" * 300,
    ],
)
def test_what_is_no_name_is_refused(log_dir, name):
    place = log_dir / "caches"
    for call in (
        lambda: respool.named(name, fill, directory=place),
        lambda: respool.rm(name, place),
    ):
        with pytest.raises(ValueError, match="letters"):
            call()
    assert list(log_dir.iterdir()) == []


@pytest.mark.parametrize("name", [None, b"trips", 1, Path("trips")])
def test_a_name_is_text(log_dir, name):
    with pytest.raises(TypeError, match="name"):
        respool.named(name, fill, directory=log_dir)


def test_names_differ_also_where_file_systems_do_not_tell_capitals(log_dir):
    names = ["trips", "Trips", "TRIPS", "trips.2026-11", "_1", "X" * 128, "x" * 128]
    for i, name in enumerate(names):
        with respool.named(name, Source(i).reader, directory=log_dir) as cache:
            cache.ingest_all()
    assert {one.name: one.batches for one in respool.ls(log_dir)} == {
        name: i for i, name in enumerate(names)
    }
    directories = [path.name for path in log_dir.iterdir()]
    assert len({directory.lower() for directory in directories}) == len(names)
    assert all(len(directory) <= 255 for directory in directories)
    respool.rm("Trips", log_dir)
    assert "Trips" not in [one.name for one in respool.ls(log_dir)]
    assert "trips" in [one.name for one in respool.ls(log_dir)]


def test_everything_is_private(log_dir):
    before = os.umask(0)
    try:
        with respool.named("trips", fill, directory=log_dir / "new" / "caches") as cache:
            cache.ingest_all()
    finally:
        os.umask(before)
    place = log_dir / "new" / "caches"
    found = [place, *place.rglob("*")]
    assert len(found) > 4
    for path in found:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def uses(directory):
    return [
        lambda: respool.named("trips", fill, directory=directory),
        lambda: respool.ls(directory),
        lambda: respool.rm("trips", directory),
        lambda: respool.prune(max_bytes=0, directory=directory),
    ]


@pytest.fixture
def place(log_dir):
    """A directory with a complete cache named trips."""
    directory = log_dir / "caches"
    with respool.named("trips", fill, directory=directory) as cache:
        cache.ingest_all()
    return directory


def test_a_link_to_a_directory_of_caches_is_not_followed(place):
    link = place.with_name("link")
    link.symlink_to(place)
    before = contents(place)
    for use in uses(link):
        with pytest.raises(PermissionError, match="symbolic link"):
            use()
    assert contents(place) == before


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o1777])
def test_where_others_may_write_nothing_is_read_or_removed(place, mode):
    before = contents(place)
    place.chmod(mode)
    for use in uses(place):
        with pytest.raises(PermissionError, match="chmod go-w"):
            use()
    assert contents(place) == before


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a directory away")
def test_a_directory_of_others_is_not_used(place):
    before = contents(place)
    os.chown(place, 1, 1)
    for use in uses(place):
        with pytest.raises(PermissionError, match="belongs to user 1"):
            use()
    assert contents(place) == before


@pytest.mark.parametrize("how", ["link", "mode", "owner"])
def test_a_name_that_is_not_ours_alone_is_passed_over(place, how):
    home, before = place / "trips", contents(place / "trips")
    if how == "link":
        target = place.parent / "elsewhere"
        home.rename(target)
        home.symlink_to(target)
        before = contents(target)
    elif how == "mode":
        home.chmod(0o777)
    elif IS_ROOT:
        os.chown(home, 1, 1)
    else:
        pytest.skip("only root can give a directory away")
    for use in (
        lambda: respool.named("trips", fill, directory=place),
        lambda: respool.rm("trips", place),
    ):
        with pytest.raises(PermissionError):
            use()
    assert respool.ls(place) == []
    assert respool.prune(max_bytes=0, directory=place) == []
    assert contents(target if how == "link" else home) == before


def test_a_link_in_place_of_a_log_is_not_followed(place):
    log = place / "trips" / "00000001"
    target = place.parent / "elsewhere"
    log.rename(target)
    log.symlink_to(target)
    before = contents(target)
    calls = []
    with respool.named("trips", lambda: calls.append(1) or fill(), directory=place) as cache:
        cache.ingest_all()
    assert calls == [1]
    assert respool.prune(max_bytes=0, directory=place) == ["trips"]
    assert contents(target) == before


def test_files_that_are_not_ours_are_never_removed(place):
    (place / "trips" / "notes.txt").write_text("mine")
    (place / "other").mkdir()
    (place / "other" / "notes.txt").write_text("mine")
    (place / "notes.txt").write_text("mine")
    assert respool.prune(max_bytes=0, directory=place) == ["trips"]
    assert sorted(path.name for path in place.rglob("*.txt")) == ["notes.txt"] * 3


WHERE = """
import sys
import respool
from sources import Source

respool.named("trips", Source().reader).ingest_all()
print(respool.ls()[0].path)
"""


@pytest.mark.parametrize(
    ("variable", "below"),
    [("RESPOOL_CACHE_DIR", "."), ("XDG_CACHE_HOME", "respool"), ("HOME", ".cache/respool")],
)
def test_the_default_place(log_dir, monkeypatch, variable, below):
    for name in ("RESPOOL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(log_dir))
    assert processes.run(WHERE).strip() == str(log_dir / below / "trips" / "00000001")


def test_a_relative_directory_is_one_of_where_it_was_named(log_dir, monkeypatch):
    monkeypatch.chdir(log_dir)
    cache = respool.named("trips", fill, directory="caches")
    monkeypatch.chdir("/")
    cache.ingest_all()
    assert [one.name for one in respool.ls(log_dir / "caches")] == ["trips"]


def test_where_nothing_is_nothing_is_made(log_dir):
    place = log_dir / "caches"
    assert respool.ls(place) == []
    assert respool.prune(max_bytes=0, directory=place) == []
    with pytest.raises(FileNotFoundError, match="trips"):
        respool.rm("trips", place)
    assert list(log_dir.iterdir()) == []


def kept(path):
    """A log that nobody named."""
    with respool.cache(fill(), path=path) as cache:
        cache.ingest_all()
    return path


def test_a_log_that_nobody_named_is_no_home(log_dir):
    log = kept(log_dir / "trips")
    (log_dir / "trips" / "lock").touch(0o600)  # as if somebody had locked it for the name
    before = contents(log)
    for use in (
        lambda: respool.named("trips", fill, directory=log_dir),
        lambda: respool.named("trips", directory=log_dir),
        lambda: respool.rm("trips", log_dir),
    ):
        with pytest.raises(FileExistsError, match=r"respool\.open"):
            use()
    assert respool.ls(log_dir) == []
    assert respool.prune(max_bytes=0, older_than=0, directory=log_dir) == []
    assert contents(log) == before
    assert respool.open(log).num_rows == 500


def test_a_log_is_no_directory_of_caches(log_dir):
    log = kept(log_dir / "trips")
    before = contents(log)
    for use in uses(log):
        with pytest.raises(FileExistsError, match=r"respool\.open"):
            use()
    assert contents(log) == before


@pytest.mark.parametrize("below", ["notes.txt", "20260131/notes.txt"])
def test_a_directory_of_another_purpose_is_no_home(log_dir, below):
    file = log_dir / "trips" / below
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    before = contents(log_dir)
    for use in (
        lambda: respool.named("trips", fill, directory=log_dir),
        lambda: respool.rm("trips", log_dir),
    ):
        with pytest.raises(FileExistsError, match="did not put there"):
            use()
    assert respool.ls(log_dir) == []
    assert respool.prune(max_bytes=0, older_than=0, directory=log_dir) == []
    assert contents(log_dir) == before


def test_an_empty_directory_becomes_a_home(log_dir):
    (log_dir / "trips").mkdir(0o700)
    respool.named("trips", fill, directory=log_dir, ingest=True)
    assert [one.name for one in respool.ls(log_dir)] == ["trips"]


def test_a_name_with_a_log_that_others_may_write_to_stays_whole(log_dir):
    opened = [
        respool.named("trips", fill, key=key, directory=log_dir, ingest=True) for key in "123"
    ]
    logs = sorted((log_dir / "trips").glob("0*"))
    for log in logs:
        log.chmod(0o770)
        with pytest.raises(PermissionError, match="chmod go-w"):
            respool.rm("trips", log_dir)
        assert respool.prune(max_bytes=0, directory=log_dir) == []
        log.chmod(0o700)
        assert sorted((log_dir / "trips").glob("0*")) == logs
    del opened


def test_what_is_made_is_there_after_a_power_failure(log_dir, monkeypatch):
    synced, fsync = set(), os.fsync

    def noted(handle):
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    respool.named("trips", fill, directory=log_dir / "new" / "caches", ingest=True)
    home = log_dir / "new" / "caches" / "trips"
    for path in (log_dir, log_dir / "new", log_dir / "new" / "caches", home, home / "lock"):
        assert path.stat().st_ino in synced, path


def test_a_log_that_others_may_write_to_stays_where_it_is_seen(log_dir):
    """Out of sight it would take room for good, as nobody can remove it."""
    respool.named("trips", Source().reader, directory=log_dir, ingest=True).close()
    (one,) = respool.ls(log_dir)
    one.path.chmod(0o770)
    with pytest.raises(PermissionError, match="chmod go-w") as error:
        respool.rm("trips", log_dir)
    assert error.value.filename == str(one.path)
    assert respool.prune(max_bytes=0, directory=log_dir) == []
    one.path.chmod(0o700)
    respool.rm("trips", log_dir)
    assert list(log_dir.iterdir()) == []
