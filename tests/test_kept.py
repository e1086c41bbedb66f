"""Logs that outlive the process: kept, opened again, gone on with."""

import errno
import stat
import tempfile
import time
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import processes
import respool
from folders import file_system
from respool.exceptions import IncompleteStreamError
from sources import SCHEMA, Source, expected

OPENS = """
import sys
import pyarrow as pa, respool
from sources import expected

cache = respool.open(sys.argv[1])
assert cache.complete and cache.metadata == {"made by": ["a", 1]}, cache
assert cache.metrics()["log_reads"] == 0
for _ in range(2):
    assert pa.table(cache).equals(expected(int(sys.argv[2])))
print(cache.path)
"""

FILLS = """
import sys, time
import respool
from sources import SCHEMA, Source

cache = respool.cache(Source(1000), schema=SCHEMA, path=sys.argv[1])
reader = cache.reader()
for _ in range(int(sys.argv[2])):
    next(reader)
cache.flush()
print("flushed", flush=True)
for _ in range(int(sys.argv[3])):
    next(reader)
print("ready", flush=True)
time.sleep(60)
"""


def kept(path: Path, count: int = 5, **options: object) -> respool.StreamCache:
    return respool.cache(Source(count), schema=SCHEMA, path=path, **options)


def failing(count: int):
    yield from Source(count)
    raise RuntimeError("the wire broke")


@pytest.fixture
def path(log_dir: Path) -> Path:
    return log_dir / "log"


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_another_process_opens_what_was_kept(path, compression):
    with kept(path, compression=compression, metadata={"made by": ["a", 1]}) as cache:
        assert cache.path == path
        assert pa.table(cache).equals(expected(5))
    assert processes.run(OPENS, path, 5).strip() == str(path)


def test_a_complete_log_needs_no_close(path):
    cache = kept(path)
    cache.ingest_all()
    assert processes.run(OPENS.replace('{"made by": ["a", 1]}', "{}"), path, 5)
    del cache


def test_files_and_directory_are_private(path):
    kept(path).ingest_all()
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o600}


def test_a_directory_that_holds_something_is_refused_with_the_way_out(path):
    kept(path).ingest_all()
    with pytest.raises(FileExistsError, match=r"respool\.open\(path\).*respool\.resume") as caught:
        kept(path)
    assert caught.value.filename == str(path)
    assert str(caught.value).count(str(path)) == 1
    assert "entity" not in str(caught.value)
    assert respool.open(path).complete


def test_a_directory_that_can_not_be_made_is_named_once(path):
    with pytest.raises(FileNotFoundError) as caught:
        kept(path / "log")
    text = f"[Errno 2] cannot create the directory: No such file or directory: '{path / 'log'}'"
    assert str(caught.value) == text


def test_there_has_to_be_a_log(path):
    ways = [
        lambda: respool.open(path),
        lambda: respool.resume(path, Source(3), schema=SCHEMA),
        lambda: respool.resume(path, Source(3)),
    ]
    for is_there in (False, True):
        if is_there:
            path.mkdir(mode=0o700)
        for way in ways:
            with pytest.raises(FileNotFoundError) as caught:
                way()
            said = (caught.value.errno, caught.value.filename)
            assert said == (errno.ENOENT, str(path))
            text = "[Errno 2] there is no respool log"
            assert str(caught.value) == f"{text}: '{path}'"


def test_a_directory_of_named_caches_says_how_they_are_opened(log_dir):
    respool.named("trips", lambda: Source(1).reader(), directory=log_dir / "names").ingest_all()
    for path in (log_dir / "names", next((log_dir / "names").iterdir())):
        with pytest.raises(FileNotFoundError, match=r"opened with respool\.named.* no respool log"):
            respool.open(path)


def test_the_address_of_a_server_is_no_path():
    for address in ("grpc://127.0.0.1:1", Path("grpc+tls://db:1")):
        with pytest.raises(FileNotFoundError, match=r"opened with respool\.flight\.open"):
            respool.open(address)
    with pytest.raises(FileNotFoundError, match=r"respool\.ls lists names"):
        respool.open("grpc_logs")


def test_a_memory_file_system_has_to_be_allowed():
    memory = Path("/dev/shm")  # noqa: S108
    if not memory.is_dir() or file_system(memory) != "tmpfs":
        pytest.skip("no tmpfs on /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as name:
        ways = [
            lambda i, **more: kept(Path(name, f"log{i}"), **more),
            lambda i, **more: respool.cache(Source(2), schema=SCHEMA, directory=name, **more),
            lambda i, **more: respool.named(
                f"n{i}", Source(2).reader, directory=Path(name, "names"), **more
            ),
        ]
        for i, way in enumerate(ways):
            with pytest.raises(ValueError, match="or pass allow_tmpfs=True"):
                way(i)
            with way(i, allow_tmpfs=True) as cache:
                assert cache.ingest_all() >= 2


def test_a_link_is_not_followed(path):
    kept(path).ingest_all()
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(PermissionError, match="link"):
        respool.open(link)


def test_a_log_of_a_newer_version_is_refused_by_name(path):
    kept(path).ingest_all()
    manifest = path / "_manifest"
    data = bytearray(manifest.read_bytes())
    data[8] = 2
    manifest.write_bytes(data)
    with pytest.raises(ValueError, match=r"_manifest can't be read by this program.*2"):
        respool.open(path)


def test_only_what_is_kept_takes_a_path_metadata_and_flush(path, log_dir):
    with pytest.raises(ValueError, match="give it a path"):
        respool.cache(Source(1), schema=SCHEMA, metadata={"a": 1})
    with pytest.raises(ValueError, match="give one of them"):
        kept(path, directory=log_dir)
    with pytest.raises(TypeError, match="names that are text, not 1"):
        kept(path, metadata={1: 2})
    with pytest.raises(TypeError, match="a dict with names that are text, not list"):
        kept(path, metadata=[1])
    with pytest.raises(TypeError, match="JSON"):
        kept(path, metadata={"a": object()})
    cache = respool.cache(Source(1), schema=SCHEMA)
    assert cache.path is None
    assert cache.metadata == {}
    with pytest.raises(ValueError, match="give it a path"):
        cache.flush()
    assert not path.exists()


def test_a_failed_log_says_how_much_there_is_and_why(path):
    cache = respool.cache(failing(3), schema=SCHEMA, path=path)
    with pytest.raises(RuntimeError, match="the wire broke"):
        list(cache)
    cache.close()
    again = respool.open(path)
    assert not again.complete
    assert again.num_batches == 3
    with pytest.raises(IncompleteStreamError, match="RuntimeError: the wire broke") as caught:
        list(again)
    assert (caught.value.batches, caught.value.rows) == (3, expected(3).num_rows)
    # A C stream carries an errno and a text.
    with pytest.raises(OSError, match=r"IncompleteStreamError: .* after 3 batches"):
        pa.table(again)
    assert pa.table(again.prefix()).equals(expected(3))


@pytest.mark.parametrize("skip", ["check", "trust", 3])
def test_a_failed_log_is_gone_on_with(path, skip):
    respool.cache(failing(3), schema=SCHEMA, path=path).prefix()
    with pytest.raises(RuntimeError):
        respool.cache(failing(3), schema=SCHEMA, path=path.with_name("other")).ingest_all()
    path = path.with_name("other")
    source = Source(6)
    with respool.resume(path, source, skip=skip) as cache:
        assert cache.num_batches == 3
        assert source.pulls == 0
        assert pa.table(cache).equals(expected(6))
        assert source.pulls == 7
    assert pa.table(respool.open(path)).equals(expected(6))
    with pytest.raises(ValueError, match="it is complete; open it"):
        respool.resume(path, Source(6))


def test_another_stream_is_refused_and_the_log_is_as_it_was(path):
    with pytest.raises(RuntimeError):
        respool.cache(failing(3), schema=SCHEMA, path=path).ingest_all()
    with (
        respool.resume(path, list(Source(6))[1:]) as cache,
        pytest.raises(ValueError, match='row 0, column "n"'),
    ):
        pa.table(cache)
    with (
        respool.resume(path, Source(2)) as cache,
        pytest.raises(ValueError, match="the source ended after"),
    ):
        pa.table(cache)
    with pytest.raises(ValueError, match="cannot go on with the log"):
        respool.resume(path, pa.table({"x": [1]}))
    with pytest.raises(ValueError, match="skip is"):
        respool.resume(path, Source(6), skip="all")
    with respool.resume(path, Source(6)) as cache:
        assert pa.table(cache).equals(expected(6))


@pytest.mark.parametrize("more", [0, 7])
def test_what_was_flushed_is_there_after_a_kill(path, more):
    child = processes.start(FILLS, path, 5, more)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
    again = respool.open(path)
    assert again.num_batches == 5 + more
    with pytest.raises(IncompleteStreamError, match="its writer ended without"):
        list(again)
    assert pa.table(again.prefix()).equals(expected(5 + more))
    with respool.resume(path, Source(30)) as cache:
        assert pa.table(cache).equals(expected(30))


def test_a_second_writer_is_refused_at_once_and_told_who_is_there(path):
    child = processes.start(FILLS, path, 1, 0)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        for write in (lambda: kept(path), lambda: respool.resume(path, Source(9))):
            begun = time.monotonic()
            with pytest.raises(OSError, match="another writer has this log") as caught:
                write()
            assert time.monotonic() - begun < 0.5
            assert isinstance(caught.value, BlockingIOError | FileExistsError)
            assert str(child.pid) in str(caught.value) or isinstance(caught.value, FileExistsError)


def test_zone_maps_are_kept(path):
    with kept(path, 9) as cache:
        cache.ingest_all()
        rows = cache.filter([("n", "<", 5)]).to_arrow().num_rows
    again = respool.open(path)
    view = again.filter([("n", "<", 5)])
    reader = view.reader()
    assert again.metrics()["log_reads"] == 0
    assert reader.read_all().num_rows == rows
    assert again.metrics()["log_reads"] == 1


def test_a_directory_that_can_only_be_read_is_enough(path):
    kept(path).ingest_all()
    for file in path.iterdir():
        file.chmod(0o400)
    path.chmod(0o500)
    try:
        again = respool.open(path)
        assert again.filter([("n", "<", 5)]).to_arrow().num_rows == 5
        again.close()
    finally:
        path.chmod(0o700)


def test_an_opened_log_is_zero_copy(path):
    kept(path).ingest_all()
    again = respool.open(path)
    before = pa.total_allocated_bytes()
    table = pa.table(again)
    assert pa.total_allocated_bytes() == before
    assert table.equals(expected(5))
    assert again.metrics()["memory_bytes"] == 0


def test_batches_outlive_the_cache_and_the_log(path):
    kept(path).ingest_all()
    with respool.open(path) as again:
        table = pa.table(again)
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
    assert table.equals(expected(5))


def test_a_log_that_is_written_can_be_resized_and_one_that_is_read_can_not(path):
    cache = kept(path, 50, disk="64 KiB")
    with pytest.raises(respool.exceptions.DiskCapacityError):
        cache.ingest_all()
    cache.resize(disk="1 MiB")
    assert cache.ingest_all() == 50
    cache.close()
    with pytest.raises(ValueError, match="writes no log"):
        respool.open(path).resize(disk="1 MiB")


def test_small_batches_are_joined_where_a_log_is_gone_on_with(path):
    with kept(path, 4, coalesce_rows=150) as cache:
        next(iter(cache))
    with respool.resume(path, Source(9), coalesce_rows=150) as cache:
        assert pa.table(cache).equals(expected(9))
        assert [batch.num_rows for batch in cache] == [200, 200, 200, 200, 100]


def test_the_process_that_fills_a_log_is_told_to_read_its_own_cache(path):
    cache = kept(path)
    next(iter(cache))
    with pytest.raises(RuntimeError, match="being filled by this process"):
        respool.open(path)
    cache.close()
    left = respool.open(path)
    assert "abandoned" in repr(left)
    with pytest.raises(ValueError, match="only reads its log"):
        left.flush()
    with respool.resume(path, Source(5)) as again:
        again.ingest_all()
        whole = respool.open(path)
        assert whole.complete
        whole.flush()  # durable since it ended: nothing is left to do


def test_an_iterable_is_asked_once_and_its_interrupts_are_its_own(path):
    with pytest.raises(RuntimeError):
        respool.cache(failing(3), schema=SCHEMA, path=path).ingest_all()

    class Asked:
        times = 0

        def __iter__(self):
            self.times += 1
            if self.times == 1:
                raise KeyboardInterrupt
            return iter(Source(6))

    asked = Asked()
    with pytest.raises(KeyboardInterrupt):
        respool.resume(path, asked)
    with respool.resume(path, asked) as cache:
        assert pa.table(cache).equals(expected(6))
    assert asked.times == 2


def test_two_threads_that_close_are_told_the_same(path):
    cache = kept(path, 30)
    next(iter(cache))
    assert processes.in_threads(*[cache.close] * 4) == [None] * 4
    # Nobody holds the log any more when any of them has come back.
    respool.resume(path, Source(30)).close()


def test_a_log_that_is_not_whole_is_an_error_to_every_engine(log_dir):
    with respool.cache(Source(), schema=SCHEMA, path=log_dir / "half") as cache:
        next(cache.reader())
    half = respool.open(log_dir / "half")

    def query():
        here = half
        return duckdb.sql("from here").fetchall()

    for error, read in (
        (IncompleteStreamError, lambda: list(half)),
        (IncompleteStreamError, lambda: half.lazy().collect()),
        (OSError, lambda: pa.table(half)),
        (duckdb.InvalidInputException, query),
        (pl.exceptions.ComputeError, lambda: pl.DataFrame(half)),
    ):
        with pytest.raises(error, match="is not whole"):
            read()


def test_what_is_missing_of_a_log_is_told(path, log_dir, monkeypatch):
    with respool.cache(Source(1), schema=SCHEMA, path=path) as cache:
        cache.ingest_all()
    (path / "_manifest").unlink()
    with pytest.raises(FileNotFoundError, match="there is no _manifest, without which"):
        respool.open(path)
    monkeypatch.chdir(log_dir)
    with pytest.raises(FileNotFoundError, match=r"a name is opened with respool\.named"):
        respool.open("orders")
