"""Views as files: everything that they show, whole or not at all."""

import errno
import gc
import os
import signal
import socket
import stat
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import processes
import respool
from respool._whole import whole
from sources import SCHEMA, Source, SourceBrokeError, expected

FORMATS = ["arrow", "arrows", "parquet"]


def write(view, path, **options):
    return (view.to_parquet if path.suffix == ".parquet" else view.to_ipc)(path, **options)


def read(path):
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with pa.OSFile(str(path)) as file:
        return (pa.ipc.open_stream if path.suffix == ".arrows" else pa.ipc.open_file)(
            file
        ).read_all()


@pytest.fixture(params=FORMATS)
def path(request, tmp_path):
    return tmp_path / f"out.{request.param}"


def test_everything_is_written(make, path):
    assert write(make(Source()), path) == 500
    assert read(path).equals(expected(5))


def test_what_a_view_shows_is_written(make, path):
    view = make(Source()).filter([("n", ">=", 90), ("n", "<", 320)]).select("s", "n").slice(5, 200)
    assert write(view, path) == 200
    assert read(path).equals(expected(5).select(["s", "n"]).slice(95, 200))


def test_no_rows_have_a_schema(make, path):
    assert write(make(Source(0)), path) == 0
    assert read(path).schema.equals(SCHEMA)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed(tmp_path, compression):
    table = pa.table({"n": [7] * 100_000})
    cache = respool.cache(table)
    plain, small = tmp_path / "plain.arrow", tmp_path / "small.arrow"
    assert cache.to_ipc(plain) == cache.to_ipc(small, compression=compression) == 100_000
    assert small.stat().st_size < plain.stat().st_size / 10
    assert read(small).equals(table)


def test_an_unknown_codec_is_refused_before_anything_is_read(tmp_path):
    source = Source()
    with pytest.raises(ValueError, match="compression"):
        respool.cache(source, schema=SCHEMA).to_ipc(tmp_path / "out.arrow", compression="gzip")
    assert source.pulls == 0
    assert list(tmp_path.iterdir()) == []


def test_small_batches_make_large_row_groups(tmp_path):
    path = tmp_path / "out.parquet"
    cache = respool.cache(Source(50), schema=SCHEMA)
    cache.to_parquet(path)
    assert pq.ParquetFile(path).num_row_groups == 1
    cache.to_parquet(path, row_group_size=1000, compression="zstd")
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [1000] * 5
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.read().equals(expected(50))


def test_a_large_batch_makes_row_groups_of_the_size_wanted(tmp_path):
    path = tmp_path / "out.parquet"
    respool.cache(pa.table({"n": range(2500)})).to_parquet(path, row_group_size=1000)
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [
        1000,
        1000,
        500,
    ]


def test_a_failing_source_leaves_the_old_file(make_from_iterable, path):
    path.write_bytes(b"old")
    cache = make_from_iterable(Source(fail_at=3))
    for _ in range(2):
        with pytest.raises(SourceBrokeError):
            write(cache, path)
        assert path.read_bytes() == b"old"
        assert list(path.parent.iterdir()) == [path]
    assert write(cache.prefix(), path) == 300
    assert read(path).equals(expected(3))


def test_what_the_format_can_not_hold_leaves_nothing(tmp_path):
    path = tmp_path / "out.parquet"
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    with pytest.raises(pa.ArrowNotImplementedError):
        respool.cache(pa.table({"u": union})).to_parquet(path)
    assert list(tmp_path.iterdir()) == []


def test_other_dictionaries_are_refused_with_a_way_out(tmp_path):
    batches = [
        pa.record_batch({"c": pa.array(words).dictionary_encode()}) for words in (["a"], ["b", "c"])
    ]
    cache = respool.cache(batches, schema=batches[0].schema)
    with pytest.raises(ValueError, match=r"batch 1 .*arrows"):
        cache.to_ipc(tmp_path / "out.arrow")
    assert list(tmp_path.iterdir()) == []
    for path in (tmp_path / "out.arrows", tmp_path / "out.parquet"):
        assert write(cache, path) == 3
        assert read(path)["c"].to_pylist() == ["a", "b", "c"]


def test_a_link_leads_to_what_is_replaced(path):
    target = path.with_name("target")
    target.write_bytes(b"old")
    path.symlink_to(target)
    write(respool.cache(Source(), schema=SCHEMA), path)
    assert path.is_symlink()
    assert path.stat().st_size == target.stat().st_size > 100


def bytes_out_of(path, received):
    """Read a FIFO to its end, on a thread that ends with the program."""

    def receive():
        received.append(path.read_bytes())

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    return thread


def test_a_fifo_is_written_to_and_not_replaced(path):
    os.mkfifo(path)
    link = path.with_name(f"link{path.suffix}")
    link.symlink_to(path)
    for target in (path, link):
        received = []
        thread = bytes_out_of(path, received)
        assert write(respool.cache(Source(), schema=SCHEMA), target) == 500
        thread.join(10)
        copy = path.with_name(f"copy{path.suffix}")
        copy.write_bytes(received.pop())
        assert read(copy).equals(expected(5))
        copy.unlink()
        assert stat.S_ISFIFO(path.stat().st_mode)
        assert sorted(path.parent.iterdir()) == sorted([path, link])


def test_what_a_fifo_got_of_a_source_that_fails_is_no_whole(path):
    def source():
        yield from [pa.record_batch({"n": range(8192)})] * 3
        raise OSError("the wire broke")

    os.mkfifo(path)
    received = []
    thread = bytes_out_of(path, received)
    with pytest.raises(OSError, match="the wire broke"):
        write(respool.cache(source(), schema=pa.schema({"n": pa.int64()})), path)
    gc.collect()
    thread.join(10)
    copy = path.with_name(f"copy{path.suffix}")
    copy.write_bytes(received.pop())
    assert path.suffix == ".parquet" or copy.stat().st_size > 3 * 65536
    with pytest.raises((ValueError, OSError)):
        read(copy)


def test_a_descriptor_is_written_to(tmp_path):
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as file:  # noqa: PTH123 - a descriptor is no path
        with open(write_end, "wb"):  # noqa: PTH123
            assert (
                respool.cache(Source(2), schema=SCHEMA).to_ipc(f"/proc/self/fd/{write_end}") == 200
            )
        assert pa.ipc.open_file(pa.py_buffer(file.read())).read_all().equals(expected(2))


def test_who_reads_a_fifo_may_leave(path):
    os.mkfifo(path)
    thread = threading.Thread(target=lambda: path.open("rb").close(), daemon=True)
    thread.start()
    with pytest.raises(BrokenPipeError):
        write(respool.cache(pa.table({"n": range(1_000_000)})), path)
    thread.join(10)
    assert list(path.parent.iterdir()) == [path]


def test_a_socket_is_neither_replaced_nor_written_to(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    source = Source()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)
        with pytest.raises(OSError, match="this is a socket") as caught:
            write(respool.cache(source, schema=SCHEMA), path)
    assert caught.value.filename == str(path)
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert source.pulls == 0


def test_a_kept_log_takes_no_files_of_others(log_dir, path):
    log = log_dir / "log"
    respool.cache(Source(), schema=SCHEMA, path=log).ingest_all()
    held = {file: file.read_bytes() for file in log.iterdir()}
    path.symlink_to(log / "00000000.arrow")
    view = respool.open(log).slice(3)
    for target in (log / "00000000.arrow", log / f"mine{path.suffix}", path):
        with pytest.raises(ValueError, match="is in the directory of a kept log"):
            (view.to_parquet if path.suffix == ".parquet" else view.to_ipc)(target)
    assert {file: file.read_bytes() for file in log.iterdir()} == held


@pytest.mark.parametrize(
    ("rows", "kind", "text"),
    [
        ("x", TypeError, "a number is wanted, not str"),
        (1.5, TypeError, "a number is wanted, not float"),
        (0, ValueError, "row_group_size is at least 1"),
        (-1, ValueError, "not negative"),
    ],
)
def test_row_groups_of_no_size(tmp_path, rows, kind, text):
    with pytest.raises(kind, match=text):
        respool.cache(Source(), schema=SCHEMA).to_parquet(tmp_path / "x", row_group_size=rows)
    assert list(tmp_path.iterdir()) == []


def test_row_groups_as_large_as_one_likes(tmp_path):
    path = tmp_path / "out.parquet"
    assert respool.cache(Source(), schema=SCHEMA).to_parquet(path, row_group_size=2**70) == 500
    assert pq.ParquetFile(path).num_row_groups == 1


def test_a_new_file_has_the_usual_rights(path):
    before = os.umask(0o027)
    try:
        write(respool.cache(Source(), schema=SCHEMA), path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_that_is_replaced_keeps_its_rights(path):
    path.touch()
    before = os.umask(0o022)
    try:
        for rights in (0o600, 0o664):
            path.chmod(rights)
            write(respool.cache(Source(), schema=SCHEMA), path)
            assert stat.S_IMODE(path.stat().st_mode) == rights
    finally:
        os.umask(before)


def test_a_file_of_somebody_else_that_is_replaced_is_no_more_open_than_before(path, monkeypatch):
    path.touch()
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    before = os.umask(0o022)
    try:
        for rights, left in ((0o600, 0o600), (0o666, 0o644)):
            path.chmod(rights)
            write(respool.cache(Source(), schema=SCHEMA), path)
            assert stat.S_IMODE(path.stat().st_mode) == left
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to any group")
def test_a_file_that_is_replaced_keeps_its_group_or_what_that_may(path, monkeypatch):
    path.touch()
    path.chmod(0o640)
    os.chown(path, -1, 12345)
    write(respool.cache(Source(), schema=SCHEMA), path)
    assert (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (12345, 0o640)

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refused)
    write(respool.cache(Source(), schema=SCHEMA), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_where_names_can_not_be_synced_nothing_is_replaced(path, monkeypatch):
    path.write_bytes(b"before")
    opened = os.open

    def refused(name, flags, *rest, **options):
        if flags & os.O_DIRECTORY:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
        return opened(name, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(PermissionError, match="cannot write") as error:
        write(respool.cache(Source(), schema=SCHEMA), path)
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"before"
    assert list(path.parent.iterdir()) == [path]


def test_where_nothing_can_be_written_nothing_is_read(tmp_path):
    source = Source()
    cache = respool.cache(source, schema=SCHEMA)
    missing = tmp_path / "missing" / "out.parquet"
    with pytest.raises(FileNotFoundError) as error:
        cache.to_parquet(missing)
    assert error.value.filename == str(missing)
    with pytest.raises(IsADirectoryError):
        cache.to_ipc(tmp_path)
    assert source.pulls == 0


def test_a_callable_is_told_batches_and_rows(path):
    told = []
    cache = respool.cache(Source(), schema=SCHEMA)
    write(cache, path, progress=lambda batches, rows: told.append((batches, rows)))
    assert told == [(i, 100 * i) for i in range(1, 6)]


def test_an_exception_of_the_callable_leaves_nothing(path):
    def refuse(batches, rows):
        raise LookupError

    with pytest.raises(LookupError):
        write(respool.cache(Source(), schema=SCHEMA), path, progress=refuse)
    assert list(path.parent.iterdir()) == []


def test_a_line_is_written_on_standard_error(path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    write(respool.cache(Source(), schema=SCHEMA), path, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.endswith("\n")
    assert "5 batches, 500 rows, " in shown.err


def test_silence_is_the_default_and_other_wishes_are_refused(path, capsys):
    cache = respool.cache(Source(), schema=SCHEMA)
    write(cache, path)
    assert capsys.readouterr().err == ""
    with pytest.raises(TypeError, match="progress"):
        write(cache, path, progress="often")


INTERRUPTED = """
import sys
from pathlib import Path
import respool
from sources import SCHEMA, Source

path = Path(sys.argv[1])
view = respool.cache(Source(1000, pause=0.01), schema=SCHEMA)
told = lambda batches, rows: print("ready", flush=True) if batches == 3 else None
try:
    (view.to_parquet if path.suffix == ".parquet" else view.to_ipc)(path, progress=told)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_leaves_nothing(path):
    child = processes.start(INTERRUPTED, path)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        assert len(list(path.parent.iterdir())) == 1
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, out.strip()) == (0, "interrupted"), err
    assert list(path.parent.iterdir()) == []


A_GIB = """
import ctypes, sys, threading
from pathlib import Path
import pyarrow as pa, respool

MIB = 1 << 20
SCHEMA = pa.schema({"n": pa.int64()})
# The C library would keep freed batches of this size for itself: that is not what is measured.
ctypes.CDLL(None).mallopt(-3, MIB)  # M_MMAP_THRESHOLD

def stream():
    for i in range(128):
        buffer = pa.py_buffer(i.to_bytes(8, "little") * MIB)
        yield pa.RecordBatch.from_arrays(
            [pa.Array.from_buffers(pa.int64(), MIB, [None, buffer])], schema=SCHEMA
        )

def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon:"))

path = Path(sys.argv[1])
view = respool.cache(stream(), schema=SCHEMA, memory="64 MiB", directory=path.parent)
before = peak = anonymous()
stop = threading.Event()

def watch():
    global peak
    while not stop.wait(0.005):
        peak = max(peak, anonymous())

watcher = threading.Thread(target=watch)
watcher.start()
rows = view.to_parquet(path) if path.suffix == ".parquet" else view.to_ipc(path)
stop.set()
watcher.join()
assert rows == 128 * MIB
print((peak - before) // MIB)
"""


@pytest.mark.parametrize("suffix", ["arrow", "parquet"])
def test_memory_stays_bounded(log_dir, suffix):
    cap, batch, rest = 64, 8, 60
    assert int(processes.run(A_GIB, log_dir / f"out.{suffix}")) <= cap + 6 * batch + rest


FULL = """
import errno, resource, signal, sys
from pathlib import Path
import pyarrow as pa
import respool

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
cache = respool.cache(pa.table({"n": range(500_000)}))
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
try:
    (cache.to_parquet if path.suffix == ".parquet" else cache.to_ipc)(path)
except OSError as error:
    assert (error.errno, error.filename) == (errno.EFBIG, str(path)), error
    print(error)
print([*path.parent.iterdir()])
"""


def test_a_full_disk_is_told_with_the_file_and_what_was_done(path):
    assert processes.run(FULL, path).splitlines() == [
        f"[Errno 27] cannot write: File too large: '{path}'",
        "[]",
    ]


FULL_AND_ENDED = """
import resource, signal, sys
from pathlib import Path
import respool
from sources import SCHEMA, Source

def ended(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
cache = respool.cache(Source(), schema=SCHEMA, disk=None)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
try:
    (cache.to_parquet if path.suffix == ".parquet" else cache.to_ipc)(path, progress=ended)
except KeyboardInterrupt:
    print([*path.parent.iterdir()])
"""


def test_what_ends_an_export_is_not_hidden_by_a_full_disk(path):
    assert processes.run(FULL_AND_ENDED, path) == "[]\n"


def test_a_place_that_is_not_there_is_told_so(path):
    path = path.parent / "missing" / path.name
    with pytest.raises(FileNotFoundError, match="cannot write") as error:
        write(respool.cache(Source(), schema=SCHEMA), path)
    assert error.value.filename == str(path)


def test_an_error_of_the_source_is_none_of_the_file(make_from_iterable, path):
    with pytest.raises(OSError, match=r"^no space") as error:
        write(make_from_iterable(Source(fail_at=3, error=OSError("no space"))), path)
    assert error.value.filename is None


def test_an_option_that_pyarrow_does_not_have(tmp_path):
    with pytest.raises(TypeError, match=r"to_parquet\(\) .*'nonsense'.*ParquetWriter"):
        respool.cache(pa.table({"n": [1]})).to_parquet(tmp_path / "out.parquet", nonsense=1)
    with pytest.raises(TypeError, match=r"gives schema to pyarrow itself.*cast"):
        respool.cache(pa.table({"n": [1]})).to_parquet(tmp_path / "out.parquet", schema=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("late", "left"), [("touch", []), ("replace", [b"whole"])])
def test_ctrl_c_leaves_no_empty_file_where_there_are_no_links(tmp_path, monkeypatch, late, left):
    def no_links(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    does = getattr(Path, late)

    def then(*arguments, **options):
        does(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(Path, late, then)
    with pytest.raises(KeyboardInterrupt), whole(str(tmp_path / "x"), is_new=True) as file:
        file.write(b"whole")
    assert [one.read_bytes() for one in tmp_path.iterdir()] == left
