"""Every error says what was being done, where, and what to do next.

The errors come from the binding itself, one of each variant: its list is a ``match`` without a wildcard, so a new
variant does not compile before it is in there, and ``test_every_variant_is_in_the_list`` counts them in the sources.
"""

import errno
import re
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest

import respool
from respool import _native, exceptions
from sources import SCHEMA, Source, SourceBrokeError

CRATES = Path(__file__).parent.parent / "crates"
ENUMS = {"Error": "respool/src/error.rs", "LogError": "respool-log/src/error.rs"}

# For each variant: its class, what was being done, where, and what to do.
TEACHES = {
    "Error::Closed": (ValueError, "the cache is closed", "", "make a new one"),
    # What the source said is the source's.
    "Error::Source": (ValueError, "line 3 is cut", "", ""),
    "Error::MemoryFull": (
        exceptions.MemoryCapacityError,
        "cannot keep the next batch in memory",
        "800 of 1000 bytes",
        "give it more memory",
    ),
    "Error::StepTooLarge": (
        MemoryError,
        "cannot gather a step",
        "500 rows: that takes 4000 bytes",
        "take a smaller batch_size",
    ),
    "Error::Log": (ValueError, "memory file system", "/data/log", "choose a directory on a disk"),
    "Error::Arrow": (ValueError, "cannot filter a batch", "300 does not fit", "cast it"),
    "Error::InvalidArgument": (ValueError, 'no column "x"', "", 'the columns are ["y"]'),
    "Error::Reentrant": (RuntimeError, "reading the cache it feeds", "", "read another cache"),
    "Error::Forked": (RuntimeError, "belongs to the parent process", "", "make a new one"),
    "Error::Stalled": (TimeoutError, "nothing was written", "after batch 7", "read on"),
    "Error::Released": (ValueError, "batch 3 is gone", "max_readers=2", "raise max_readers"),
    "Error::Interrupted": (RuntimeError, "while waiting", "called it off", "the next read goes on"),
    "LogError::Io": (PermissionError, "cannot write", "Operation not permitted", "ls -ld"),
    "LogError::OutOfSpace": (
        exceptions.DiskCapacityError,
        "the log is full",
        "300 more bytes asked",
        "resize(disk=...)",
    ),
    "LogError::Tmpfs": (ValueError, "memory file system", "/data/log", "choose a directory"),
    "LogError::Corrupt": (
        exceptions.CorruptLogError,
        "the log is damaged",
        "at byte 4096",
        "fill it again",
    ),
    "LogError::Schema": (ValueError, "cannot keep this stream in a log", "type X", "cast"),
    "LogError::Finished": (ValueError, "takes no more batches", "", "open a new log"),
    "LogError::OutOfRange": (ValueError, "cannot read the log", "record 9", "below that number"),
    "LogError::Locked": (BlockingIOError, "has this log", "process 1", "read it with respool.open"),
    "LogError::Refused": (PermissionError, "is not opened", "somebody else", "chmod"),
    "LogError::Newer": (ValueError, "can't be read", "00000000.arrow", "upgrade"),
    "LogError::Unsynced": (OSError, "sync failed", "not safely on disk", "write it again"),
    "LogError::Arrow": (ValueError, "write a batch to the log", "is cut", "leave the column out"),
}

# What the system says no with, beside that of the table above.
SYSTEM = {
    errno.ENOENT: (FileNotFoundError, "moved or removed"),
    errno.EACCES: (PermissionError, "ls -ld"),
    errno.EMFILE: (OSError, "ulimit -n"),
    errno.ENOSPC: (OSError, "the next read goes on"),
    errno.EIO: (OSError, "dmesg"),
}

# Where the place is the file that Python shows beside the text.
AT_FILES = {"Io", "OutOfSpace", "Corrupt", "Locked", "Refused", "Unsynced", "Stalled"}


@pytest.fixture(scope="module")
def errors():
    listed = _native._every_error()
    count = len(listed) - len(SYSTEM)
    return dict(listed[:count]), [error for _, error in listed[count:]]


def variants(enum: str) -> set[str]:
    text = re.sub(r"//.*", "", (CRATES / ENUMS[enum]).read_text())
    body = re.search(r"pub enum Error \{\n(.*?)\n\}", text, re.DOTALL).group(1)
    return {f"{enum}::{name}" for name in re.findall(r"^    ([A-Z]\w+)", body, re.MULTILINE)}


def test_every_variant_is_in_the_list(errors):
    listed, _ = errors
    known = variants("Error") | variants("LogError")
    assert len(known) >= 20
    assert known == set(listed) == set(TEACHES)


@pytest.mark.parametrize("name", TEACHES)
def test_each_says_what_where_and_what_next(name, errors):
    kind, *parts = TEACHES[name]
    error = errors[0][name]
    assert isinstance(error, kind), repr(error)
    text = str(error)
    for part in parts:
        assert part in text, text
    # A name of ours for an enum, a number of the system or what Rust prints is nothing to tell a person.
    assert not re.search(r"os error|LogError|\w+ \{|Some\(", text), text
    assert text.strip() == text
    assert not text.endswith((".", ";"))
    if name.partition("::")[2] in AT_FILES:
        assert error.filename.startswith("/data/log")
        assert error.errno > 0


@pytest.mark.parametrize("number", SYSTEM)
def test_what_the_system_refuses_is_told_with_a_way_out(number, errors):
    kind, way_out = SYSTEM[number]
    (error,) = (error for error in errors[1] if error.errno == number)
    assert isinstance(error, kind)
    assert "cannot write" in str(error)
    assert "/data/log/00000000.arrow" in str(error)
    assert way_out in str(error)


def test_enums_beside_these_are_told_through_one_of_them():
    """A new enum of errors has to be looked at here too."""
    derived = subprocess.run(
        ["grep", "-rlE", "thiserror::Error", "--include=*.rs", *CRATES.glob("*/src")],
        check=True,
        capture_output=True,
        text=True,
    )
    files = {Path(line).relative_to(CRATES).as_posix() for line in derived.stdout.split()}
    assert files == {*ENUMS.values(), "respool/src/source.rs", "respool/src/store/again.rs"}


def differs():
    cache = respool.cache([pa.record_batch({"x": ["a"]})], schema=pa.schema({"x": pa.int64()}))
    cache.ingest_all()


def resumed(log_dir):
    path = log_dir / "log"
    with (
        respool.cache(Source(3, fail_at=2), schema=SCHEMA, path=path) as cache,
        pytest.raises(SourceBrokeError),
    ):
        cache.ingest_all()
    with respool.resume(path, (b for b in [Source(1, rows=7).__next__()] * 90)) as cache:
        cache.ingest_all()


def left(log_dir):
    path = log_dir / "left"
    with respool.cache(Source(3), schema=SCHEMA, path=path) as cache:
        next(iter(cache))
    pa.table(respool.open(path))


MET = {
    "a batch of another type": (lambda _: differs(), ["differs", '"x"', "cast it before"]),
    "a source that gives other rows": (resumed, ["cannot go on with the log", "row 7", "begins"]),
    "a log that was left": (left, ["is not whole", "after 1 batch (", "prefix()", "resume"]),
    "no log": (lambda d: respool.open(d / "none"), ["no respool log", "/none"]),
    "a full directory": (
        lambda d: respool.cache(Source(1), schema=SCHEMA, path=d),
        ["new or empty directory", "respool.open(path)"],
    ),
    "no source": (lambda _: respool.cache(3), ["cannot cache int", "__arrow_c_stream__"]),
    "a path for a source": (
        lambda d: respool.cache(d / "x.parquet"),
        ["respool.open(path)", "pyarrow.dataset", "scan_parquet"],
    ),
    "a directory that is not there": (
        lambda d: respool.cache(Source(1), schema=SCHEMA, disk="1 MiB", directory=d / "none"),
        ["/none", "make it first"],
    ),
    "batches without a schema": (lambda _: respool.cache([]), ["cannot cache list", "schema="]),
    "a size": (
        lambda _: respool.cache(pa.table({}), memory="lots"),
        ['"lots"', "as a size", '"64 MiB"'],
    ),
    "a column": (
        lambda _: respool.cache(pa.table({"x": [1]})).select("y"),
        ['no column "y"', 'the columns are ["x"]'],
    ),
    "a pickle": (
        lambda _: respool.cache(pa.table({"x": [1]})).__reduce__(),
        ["cannot pickle", "path=..."],
    ),
    "a cast": (
        lambda _: pa.table(respool.cache(pa.table({"x": [300]})).cast(pa.schema({"x": pa.int8()}))),
        ["x", "300"],
    ),
    "a flush": (lambda _: respool.cache(pa.table({})).flush(), ["cannot flush", "give it a path"]),
}


@pytest.mark.parametrize("name", MET)
def test_errors_that_people_meet_say_what_to_do(name, log_dir):
    meet, parts = MET[name]
    (log_dir / "file").touch()
    with pytest.raises((ValueError, TypeError, OSError, EOFError)) as met:
        meet(log_dir)
    for part in parts:
        assert part in str(met.value), str(met.value)
