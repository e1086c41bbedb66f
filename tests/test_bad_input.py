"""Bad input: a clear error before anything is read, and nothing lost."""

import os

import pyarrow as pa
import pytest

import respool
from cstream import CStream
from sources import SCHEMA, Source, batch, expected


@pytest.mark.parametrize("size", ["much", "12 XB", "", "-1", "101%", -1, "1 MiB MiB"])
def test_a_size_that_cannot_be_meant(size, log_dir):
    source = Source()
    with pytest.raises((ValueError, OverflowError)):
        respool.StreamCache(source.reader(), memory_capacity=size)
    with pytest.raises((ValueError, OverflowError)):
        respool.StreamCache(source.reader(), 1, log_dir, size)
    with pytest.raises((ValueError, OverflowError)):
        respool.cache(source, schema=SCHEMA, memory=size)
    assert source.pulls == 0


@pytest.mark.parametrize("size", [1.5, [], object()])
def test_a_size_of_the_wrong_type(size):
    with pytest.raises(TypeError):
        respool.StreamCache(Source().reader(), memory_capacity=size)


@pytest.mark.parametrize("size", [65_536, "65536", "64 KiB", "64KiB", "0.0625 MiB"])
def test_sizes_are_bytes_or_text(size):
    cache = respool.StreamCache(Source().reader(), memory_capacity=size)
    assert cache.ingest_all() == 5


def test_half_a_disk(log_dir):
    for half in ({"disk_path": log_dir}, {"disk_capacity": 1 << 20}):
        with pytest.raises(ValueError, match="disk_path and disk_capacity"):
            respool.StreamCache(Source().reader(), **half)


def test_a_directory_that_is_missing_or_a_file(log_dir):
    with pytest.raises(FileNotFoundError) as caught:
        respool.StreamCache(Source().reader(), 1, log_dir / "missing", "1 MiB")
    assert caught.value.filename == str(log_dir / "missing")
    (log_dir / "file").touch()
    with pytest.raises(NotADirectoryError):
        respool.StreamCache(Source().reader(), 1, log_dir / "file", "1 MiB")


def test_a_directory_that_is_read_only(log_dir):
    if os.geteuid() == 0:
        where = "/proc/sys"  # nobody may make a file there
    else:
        where = log_dir / "locked"
        where.mkdir(mode=0o500)
    with pytest.raises(OSError, match=r"."):
        respool.StreamCache(Source().reader(), 1, where, "1 MiB").ingest_all()


def test_an_unknown_policy(log_dir):
    with pytest.raises(ValueError, match="on_insertion"):
        respool.StreamCache(Source().reader(), 1, log_dir, "1 MiB", "whenever")


def test_an_unknown_compression(log_dir):
    with pytest.raises(ValueError, match="zstd"):
        respool.cache(Source(), schema=SCHEMA, directory=log_dir, compression="zip")


@pytest.mark.parametrize("thing", [None, 3, "a path", object(), {"n": [1]}])
def test_an_object_that_is_no_stream(thing):
    with pytest.raises((TypeError, ValueError), match="__arrow_c_stream__"):
        respool.StreamCache(thing)


def test_an_iterable_without_its_schema():
    source = Source()
    with pytest.raises((TypeError, ValueError), match="schema"):
        respool.cache(source)
    assert source.pulls == 0


WRONG = {
    "another name": pa.record_batch({"m": [1], "s": ["x"]}),
    "another type": pa.record_batch({"n": [1.5], "s": ["x"]}),
    "a column less": pa.record_batch({"n": [1]}),
    "no batch at all": "row",
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_batch_that_is_not_what_the_schema_says(kind, make_from_iterable):
    cache = make_from_iterable(iter([batch(0), WRONG[kind], batch(2)]))
    for _ in range(2):
        with pytest.raises((ValueError, TypeError), match=r"schema|batch"):
            list(cache)
    assert not cache.complete
    assert pa.table(cache.prefix()).equals(expected(1))


def test_an_array_that_is_not_what_the_schema_says():
    def make(i: int) -> pa.RecordBatch:
        return batch(0) if i == 0 else pa.record_batch({"n": pa.nulls(2), "s": ["x", "y"]})

    cache = respool.StreamCache(CStream(3, make=make))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="is not what its schema says"):
            list(cache)
    assert pa.table(cache.prefix()).equals(expected(1))


def test_a_reader_that_was_used_up_elsewhere():
    reader = respool.StreamCache(Source().reader()).reader()
    pa.table(reader)
    with pytest.raises(ValueError, match="consumed"):
        respool.StreamCache(reader)


def test_resizing_to_nonsense(log_dir):
    cache = respool.StreamCache(Source().reader(), "1 MiB", log_dir, "1 MiB")
    with pytest.raises((ValueError, OverflowError)):
        cache.resize(memory=-1)
    with pytest.raises((ValueError, OverflowError)):
        cache.resize(disk="nothing")
    assert pa.table(cache).equals(expected(5))


def test_a_disk_cannot_be_resized_where_there_is_none():
    cache = respool.StreamCache(Source().reader(), "1 MiB")
    with pytest.raises(ValueError, match="disk"):
        cache.resize(disk="1 MiB")


def test_what_is_for_a_log_needs_one(log_dir):
    table = pa.table({"n": [1]})
    for options in ({"directory": log_dir}, {"compression": "lz4"}):
        with pytest.raises(ValueError, match="disk=None asks for none"):
            respool.cache(table, disk=None, **options)
    with pytest.raises(ValueError, match="give disk_path"):
        respool.StreamCache(table, compression="lz4")


def test_sources_that_are_nearly_right():
    with pytest.raises(TypeError, match="call it"):
        respool.cache(lambda: iter([]))
    for column in (pa.array([1]), pa.chunked_array([[1]])):
        with pytest.raises(ValueError, match="one column, not a batch"):
            respool.cache(column)

    class Broken:
        def __iter__(self):
            raise RuntimeError("not today")

    with pytest.raises(RuntimeError, match="not today"):
        respool.cache(Broken(), schema=pa.schema({"n": pa.int64()}))


def test_closed_things_say_so():
    cache = respool.StreamCache(pa.table({"n": [1]}))
    reader = cache.reader()
    reader.close()
    cache.close()
    for use in (
        cache.__enter__,
        reader.__enter__,
        lambda: cache.num_rows,
        lambda: cache.num_batches,
        lambda: cache.nbytes,
        lambda: cache.filter([("n", ">", 0)]).num_rows,
    ):
        with pytest.raises(ValueError, match="closed"):
            use()
    assert "closed" in repr(cache)


def test_a_cache_contains_columns():
    cache = respool.StreamCache(pa.table({"n": [1]}))
    assert "n" in cache
    assert "m" not in cache
    assert cache.ingested_count == 0
    with pytest.raises(TypeError):
        1 in cache  # noqa: B015
