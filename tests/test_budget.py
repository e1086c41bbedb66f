"""One budget for many caches: what they hold together stays within it."""

import gc
import sys
import threading
import weakref

import pyarrow as pa
import pytest

import processes
import respool
from respool.exceptions import DiskCapacityError, MemoryCapacityError
from sources import SCHEMA, Source, rows_of

BATCH = 3000
"""Bytes, about, that memory counts for a batch of sources.py."""


def values(cache):
    return pa.table(cache)["n"].to_pylist()


@pytest.fixture
def budget(log_dir):
    with respool.Budget(memory=4 * BATCH, disk="64 MiB", directory=log_dir) as budget:
        yield budget


def test_many_caches_stay_within_one_bound_and_lose_nothing(budget):
    caches = [respool.cache(Source(8), schema=SCHEMA, budget=budget) for _ in range(4)]
    for cache in caches:
        cache.ingest_all()
        assert budget.metrics()["memory_bytes"] <= 4 * BATCH
    told = budget.metrics()
    assert told["caches"] == 4
    assert 0 < told["memory_bytes"] <= told["memory_capacity"] == 4 * BATCH
    assert 0 < told["log_bytes"] <= told["log_capacity"] == 64 << 20
    assert all(values(cache) == rows_of(8) for cache in caches for _ in range(2))
    own = [cache.metrics() for cache in caches]
    assert sum(metrics["memory_bytes"] for metrics in own) == budget.metrics()["memory_bytes"]
    assert all(metrics["memory_bytes"] < 4 * BATCH for metrics in own)


def test_without_a_budget_the_same_caches_hold_more(log_dir):
    caches = [
        respool.cache(Source(8), schema=SCHEMA, memory=4 * BATCH, directory=log_dir)
        for _ in range(4)
    ]
    for cache in caches:
        cache.ingest_all()
    assert sum(cache.metrics()["memory_bytes"] for cache in caches) > 4 * BATCH


def test_what_a_closed_cache_held_is_there_for_others():
    budget = respool.Budget(memory=6 * BATCH, disk=None)
    first = respool.cache(Source(4), schema=SCHEMA, budget=budget)
    second = respool.cache(Source(4), schema=SCHEMA, budget=budget)
    first.ingest_all()
    with pytest.raises(MemoryCapacityError):
        second.ingest_all()
    first.close()
    assert second.ingest_all() == 4
    assert values(second) == rows_of(4)
    assert budget.metrics()["caches"] == 1


def test_slices_of_one_table_count_once():
    table = pa.table({"x": pa.array(range(100_000))})
    budget = respool.Budget(memory="1 MiB", disk=None)
    caches = [respool.cache(table, budget=budget) for _ in range(5)]
    assert [cache.ingest_all() for cache in caches] == [1] * 5
    assert 800_000 <= budget.metrics()["memory_bytes"] < 900_000


def test_the_disk_is_shared_too(log_dir):
    budget = respool.Budget(memory=1, disk="30 KiB", directory=log_dir)
    first = respool.cache(Source(8), schema=SCHEMA, budget=budget)
    second = respool.cache(Source(8), schema=SCHEMA, budget=budget)
    first.ingest_all()
    with pytest.raises(DiskCapacityError):
        second.ingest_all()
    budget.resize(disk="1 MiB")
    assert second.ingest_all() == 8
    assert (values(first), values(second)) == (rows_of(8), rows_of(8))


def test_a_budget_is_made_larger_and_smaller(budget):
    caches = [respool.cache(Source(8), schema=SCHEMA, budget=budget) for _ in range(2)]
    for cache in caches:
        cache.ingest_all()
    budget.resize(memory=BATCH)
    assert budget.metrics()["memory_bytes"] <= BATCH
    assert [values(cache) for cache in caches] == [rows_of(8)] * 2
    budget.resize(memory=None, disk=None)
    told = budget.metrics()
    assert (told["memory_capacity"], told["log_capacity"]) == (None, None)


def test_a_cache_of_a_budget_is_not_resized_by_itself(budget):
    cache = respool.cache(Source(2), schema=SCHEMA, budget=budget)
    for size in ("memory", "disk"):
        with pytest.raises(ValueError, match=r"budget\.resize"):
            cache.resize(**{size: "1 GiB"})
    assert budget.metrics()["memory_capacity"] == 4 * BATCH


def test_sizes_of_its_own_are_refused(budget, log_dir):
    makers = [
        lambda **o: respool.cache(Source(1), schema=SCHEMA, **o),
        lambda **o: respool.cache(Source(1), schema=SCHEMA, path=log_dir / "x", **o),
        lambda **o: respool.resume(log_dir / "x", Source(1), **o),
    ]
    for make in makers:
        for size in ({"memory": "1 MiB"}, {"memory": None}, {"disk": "1 MiB"}):
            with pytest.raises(ValueError, match="budget"):
                make(budget=budget, **size)
    for make in (respool.open, lambda *a, **o: respool.named("x", directory=log_dir / "y", **o)):
        with pytest.raises(ValueError, match="budget"):
            make(log_dir / "x", budget=budget, memory="1 MiB")
    with pytest.raises(TypeError, match="Budget"):
        respool.cache(Source(1), schema=SCHEMA, budget=4 << 20)


def test_a_cache_may_do_without_a_log(budget):
    cache = respool.cache(Source(8), schema=SCHEMA, budget=budget, disk=None)
    with pytest.raises(MemoryCapacityError):
        cache.ingest_all()
    assert budget.metrics()["log_bytes"] == 0


def test_logs_that_are_kept_are_within_it_too(budget, log_dir):
    path = log_dir / "kept"
    with respool.cache(Source(3, fail_at=2), schema=SCHEMA, path=path, budget=budget) as cache:
        next(iter(cache))
        assert budget.metrics()["log_bytes"] > 0
        # What reads a failed source lets its log go.
        with pytest.raises(Exception, match="no batch 2"):
            cache.ingest_all()
    with respool.resume(path, Source(3), budget=budget) as cache:
        assert cache.ingest_all() == 3
    assert budget.metrics()["log_bytes"] == 0
    with respool.open(path, budget=budget) as cache:
        assert values(cache) == rows_of(3)
        assert budget.metrics()["caches"] == 1
        assert cache.metrics()["memory_capacity"] == 4 * BATCH


def test_named_caches_are_within_it(budget, log_dir):
    def fill():
        return pa.RecordBatchReader.from_batches(SCHEMA, Source(6))

    root = log_dir / "names"
    for quota in (None, "1 GiB"):
        with respool.named("x", fill, key=str(quota), quota=quota, directory=root, budget=budget):
            assert budget.metrics()["caches"] == 1
            assert (budget.metrics()["log_bytes"] > 0) == (quota is None)
    cache = respool.named("x", fill, key="None", directory=root, budget=budget)
    assert values(cache) == rows_of(6)
    assert budget.metrics()["memory_bytes"] <= 4 * BATCH


def test_closing_it_closes_its_caches(log_dir):
    with respool.Budget(memory=None, directory=log_dir) as budget:
        caches = [respool.cache(Source(2), schema=SCHEMA, budget=budget) for _ in range(3)]
        outside = respool.cache(Source(2), schema=SCHEMA)
        caches[0].close()
    assert [cache.closed for cache in caches] == [True] * 3
    assert not outside.closed
    assert budget.metrics()["caches"] == 0
    # It can be used again: what it holds is all there is to it.
    assert values(respool.cache(Source(2), schema=SCHEMA, budget=budget)) == rows_of(2)


def test_it_keeps_no_cache_and_caches_keep_its_bounds():
    budget = respool.Budget(memory=BATCH, disk=None)
    cache = respool.cache(Source(2), schema=SCHEMA, budget=budget)
    known = weakref.ref(budget)
    del budget
    gc.collect()
    assert known() is None
    with pytest.raises(MemoryCapacityError):
        cache.ingest_all()
    budget = respool.Budget(memory=BATCH, disk=None)
    respool.cache(Source(1), schema=SCHEMA, budget=budget).ingest_all()
    gc.collect()
    assert (budget.metrics()["caches"], budget.metrics()["memory_bytes"]) == (0, 0)


def test_many_threads_fill_within_it(budget):
    caches = [respool.cache(Source(40), schema=SCHEMA, budget=budget) for _ in range(4)]
    most, told, done = [], [], threading.Event()

    def watch():
        while not done.wait(0.0005):
            most.append(budget.metrics()["memory_bytes"])

    watching = threading.Thread(target=watch)
    watching.start()
    threads = [threading.Thread(target=lambda c=c: told.append(values(c))) for c in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watching.join()
    assert told == [rows_of(40)] * 4
    assert most
    assert max(most) <= 4 * BATCH


FORKED = """
import os, sys, threading
import pyarrow as pa, respool
from sources import SCHEMA, Source, expected

pa.table(expected(1))  # imports pandas, under a lock of pyarrow's that a child would wait for
budget = respool.Budget(memory=12000, disk="64 MiB", directory=sys.argv[1])
cache = respool.cache(Source(8), schema=SCHEMA, budget=budget)
cache.ingest_all()
before = budget.metrics()
stop = threading.Event()
busy = [threading.Thread(target=lambda: [budget.metrics() for _ in iter(stop.is_set, True)]) for _ in range(2)]
for thread in busy:
    thread.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        assert budget.metrics()["memory_bytes"] == budget.metrics()["caches"] == 0
        assert budget.metrics()["memory_capacity"] == 12000
        own = respool.cache(Source(8), schema=SCHEMA, budget=budget)
        assert pa.table(own).equals(expected(8))
        assert 0 < budget.metrics()["memory_bytes"] <= 12000
        assert budget.metrics()["caches"] == 1
        assert "1 cache>" in repr(budget)
        budget.close()
        assert own.closed
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in busy:
    thread.join()
assert budget.metrics() == before
assert pa.table(cache).equals(expected(8))
print("its own")
"""


def test_a_forked_child_has_one_of_its_own(log_dir):
    assert processes.run(FORKED, log_dir).strip() == "its own"


def test_it_says_what_it_is(budget):
    respool.cache(Source(3), schema=SCHEMA, budget=budget).ingest_all()
    gc.collect()
    assert repr(budget) == (
        "<respool.Budget 0 B of 11.7 KiB in memory, 0 B of 64.0 MiB in logs, 0 caches>"
    )
    with pytest.raises(TypeError, match="memory and disk"):
        budget.resize(directory="x")
    with pytest.raises(ValueError, match="size"):
        respool.Budget(memory="much")


def test_caches_are_listed_while_others_are_made(budget):
    interval = sys.getswitchinterval()
    made = [respool.cache(pa.table({"x": [1]}), budget=budget) for _ in range(400)]
    is_over = threading.Event()

    def make():
        while not is_over.is_set():
            made.append(respool.cache(pa.table({"x": [1]}), budget=budget))
            del made[600:]

    thread = threading.Thread(target=make)
    sys.setswitchinterval(1e-5)
    try:
        thread.start()
        for _ in range(3000):
            assert budget.metrics()["caches"] >= 400
    finally:
        is_over.set()
        thread.join()
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("wrong", [{"disk": "much"}, {"dsk": 1}, {"disk": object()}])
def test_a_resize_that_can_not_be_read_changes_nothing(wrong):
    budget = respool.Budget(memory="1 MiB", disk=None)
    with pytest.raises((TypeError, ValueError)):
        budget.resize(memory="2 MiB", **wrong)
    assert budget.metrics()["memory_capacity"] == 1 << 20


def test_a_budget_without_logs_is_given_none_later():
    budget = respool.Budget(memory="1 MiB", disk=None)
    assert repr(budget) == "<respool.Budget 0 B of 1.0 MiB in memory, no logs, 0 caches>"
    with pytest.raises(ValueError, match="made with disk=None"):
        budget.resize(memory="2 MiB", disk="1 MiB")
    assert budget.metrics()["memory_capacity"] == 1 << 20
    budget.resize(disk=None)
