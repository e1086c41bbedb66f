"""Batches of so many rows: joined, cut, and nobody waits for it."""

import itertools
import threading
import time

import pyarrow as pa
import pytest

import respool

SCHEMA = pa.schema({"n": pa.int64(), "s": pa.string()})


def rows(first: int, count: int) -> pa.RecordBatch:
    numbers = range(first, first + count)
    return pa.record_batch([numbers, [f"text {n}" for n in numbers]], schema=SCHEMA)


def batches(sizes: list[int]):
    for end, count in zip(itertools.accumulate(sizes), sizes, strict=True):
        yield rows(end - count, count)


@pytest.mark.parametrize("kind", ["memory", "log", "small memory", "kept"])
@pytest.mark.parametrize(
    ("sizes", "wanted", "given"),
    [
        ([10] * 10, (25, 50), [30, 30, 30, 10]),
        ([100, 7, 100], (None, 40), [33, 33, 34, 7, 33, 33, 34]),
        ([10, 60, 5], (25, 50), [25, 45, 5]),
        ([7] * 5, [10, 10], [10, 10, 10, 5]),
        ([3, 4, 50], (10, None), [10, 47]),
        ([0, 5, 0], (None, None), [0, 5, 0]),
    ],
)
def test_shapes(sizes, wanted, given, kind, log_dir):
    options = {
        "memory": {"disk": None},
        "log": {"memory": 0, "directory": log_dir},
        "small memory": {"memory": 3000, "directory": log_dir},
        "kept": {"path": log_dir / "kept"},
    }[kind]
    cache = respool.cache(batches(sizes), schema=SCHEMA, batch_rows=wanted, **options)
    assert cache.ingest_all() == len(given)
    for _ in range(2):
        assert [batch.num_rows for batch in cache] == given
        assert pa.table(cache).equals(pa.Table.from_batches([rows(0, sum(sizes))]))


def test_slices_share_the_buffers_of_the_batch_that_they_are_of():
    source = rows(0, 100_000)
    plain = respool.cache(source, disk=None)
    plain.ingest_all()
    cache = respool.cache(source, disk=None, batch_rows=(1, 1000))
    cache.ingest_all()
    texts = {batch["s"].buffers()[2].address for batch in cache}
    assert texts == {source["s"].buffers()[2].address}
    bytes_of = [it.metrics()["memory_bytes"] for it in (plain, cache)]
    assert bytes_of[0] <= bytes_of[1] < bytes_of[0] + 100 * 2 * 1024


@pytest.mark.parametrize("bad", [(0, 0), (5, 4), (-1, 4)])
def test_numbers_that_make_no_sense(bad):
    with pytest.raises(ValueError, match="row"):
        respool.cache(batches([1]), schema=SCHEMA, batch_rows=bad)


@pytest.mark.parametrize("bad", [5, "5", "ab", (5,), (1, 2, 3), (1.5, 2), (True, 2)])
def test_what_is_no_pair_of_numbers(bad):
    with pytest.raises(TypeError):
        respool.StreamCache(batches([1]), schema=SCHEMA, batch_rows=bad)


def test_one_of_two_ways_to_say_it():
    with pytest.raises(ValueError, match="coalesce_rows=n is batch_rows"):
        respool.cache(batches([1]), schema=SCHEMA, batch_rows=(5, None), coalesce_rows=5)


class Stalling:
    """Gives some small batches at once, and the others when it is told to."""

    def __init__(self, at_once: int) -> None:
        self.at_once, self.told, self.stalls = at_once, threading.Event(), threading.Event()

    def __iter__(self):
        for i in range(20):
            if i == self.at_once:
                self.stalls.set()
                assert self.told.wait(20)
            yield rows(i * 10, 10)


def test_the_first_rows_come_as_early_as_without():
    source = Stalling(1)
    cache = respool.cache(source, schema=SCHEMA, batch_rows=(1000, None))
    reader = cache.reader()
    assert next(reader) == rows(0, 10)
    assert not source.stalls.is_set()
    source.told.set()
    assert sum(batch.num_rows for batch in reader) == 190


def test_a_source_that_stalls_behind_a_thread_holds_nothing_back():
    source = Stalling(7)
    cache = respool.cache(source, schema=SCHEMA, batch_rows=(1000, None), prefetch="1 batch")
    reader, seen = cache.reader(), 0
    while seen < 70:
        seen += next(reader).num_rows
    assert source.stalls.is_set()
    assert not source.told.is_set()
    source.told.set()
    assert sum(batch.num_rows for batch in reader) == 130


def test_a_source_that_takes_its_time_is_joined_where_nobody_waits():
    def slow():
        for i in range(6):
            time.sleep(0.007)
            yield rows(i * 10, 10)

    read = respool.cache(slow(), schema=SCHEMA, batch_rows=(1000, None))
    assert [batch.num_rows for batch in read] == [10] * 6
    ingested = respool.cache(slow(), schema=SCHEMA, batch_rows=(1000, None))
    ingested.ingest_all()
    assert [batch.num_rows for batch in ingested] == [60]
