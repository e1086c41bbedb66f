"""A child whose n-th write to the log fails, for every n, and that then calls anything.

For each n a new cache is filled until the fault, something else is called, and with the fault gone the cache
is read once more. Prints as JSON how many writes failed and what was wrong.
"""

import ctypes
import errno
import faulthandler
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

import respool
from processes import in_threads

SCHEMA = pa.schema(
    {
        "n": pa.int64(),
        "s": pa.string(),
        "d": pa.dictionary(pa.int32(), pa.string()),
        "b": pa.binary(),
    }
)
SIZES = [300, 10, 500, 5, 5, 200, 1, 400, 30, 0, 250, 100]
TRUTH = list(range(sum(SIZES)))
LARGE = {810: b"one that takes more than one write " * 50_000}  # by its row
MODES = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "short": 0, "interrupted": errno.EINTR}
TOLD = {errno.EIO, errno.ENOSPC}  # the others are nobody's business

CACHES: dict[str, dict[str, object]] = {
    "on insertion": {"memory_capacity": 1},
    "on eviction": {"memory_capacity": 9000, "write_policy": "on_eviction"},
    "much on eviction": {"memory_capacity": 40_000, "write_policy": "on_eviction"},
    "lz4": {"memory_capacity": 1, "compression": "lz4"},
    "zstd on eviction": {
        "memory_capacity": 9000,
        "write_policy": "on_eviction",
        "compression": "zstd",
    },
    "joined": {"memory_capacity": 9000, "coalesce_rows": 350},
    "joined and cut": {"memory_capacity": 9000, "batch_rows": (120, 180)},
    "read ahead": {"memory_capacity": 9000, "prefetch": "3 batches"},
}


class Source:
    """Batches of very different sizes with a dictionary that grows; counts its pulls."""

    def __init__(self) -> None:
        self.pulls = 0
        self._batches = self._generate()

    def __iter__(self) -> "Source":
        return self

    def __next__(self) -> pa.RecordBatch:
        self.pulls += 1
        return next(self._batches)

    @staticmethod
    def _generate() -> Iterator[pa.RecordBatch]:
        for end, rows in zip(itertools.accumulate(SIZES), SIZES, strict=True):
            numbers = range(end - rows, end)
            words = pa.array([f"word {n // 100}" for n in numbers], pa.string())
            texts = pa.array([f"text {n}" for n in numbers], pa.string())
            keys = words.cast(SCHEMA.field("d").type)
            large = pa.array([LARGE.get(n, b"") for n in numbers], pa.binary())
            yield pa.record_batch([numbers, texts, keys, large], schema=SCHEMA)


def numbers_of(batches: object) -> Iterator[int]:
    for batch in batches:
        numbers = batch.column("n").to_pylist()
        if "s" in batch.schema.names:
            assert batch["s"].to_pylist() == [f"text {n}" for n in numbers], "texts are wrong"
            assert batch["d"].to_pylist() == [f"word {n // 100}" for n in numbers], (
                "words are wrong"
            )
            large = pc.filter(batch["b"], pc.not_equal(batch["b"], b"")).to_pylist()
            assert large == [LARGE[n] for n in numbers if n in LARGE], "large values are wrong"
        yield from numbers


def is_told(raised: Exception, error: str | None) -> None:
    """Raise what does not name the fault."""
    if error is None or error not in str(raised):
        raise raised


def check(batches: object, truth: list[int], error: str | None) -> None:
    """What comes must be the truth from its first row on, whole or up to an error that says so."""
    seen: list[int] = []
    try:
        seen.extend(numbers_of(batches))
    except Exception as raised:
        is_told(raised, error)
        truth = truth[: len(seen)]
    assert seen == truth, f"{len(seen)} of {len(truth)} rows"


def by_polars(cache: respool.StreamCache, error: str | None) -> None:
    try:
        numbers = cache.lazy().select("n").collect()["n"].to_list()
    except Exception as raised:
        is_told(raised, error)
    else:
        assert numbers == TRUTH


def by_duckdb(cache: respool.StreamCache, error: str | None) -> None:
    import duckdb

    import respool.duckdb

    with duckdb.connect(config={"threads": 1}) as con:
        respool.duckdb.register(con, "t", cache, optimize=True)
        try:
            found = con.execute("select count(*), sum(n) from t where n >= 0").fetchone()
        except Exception as raised:
            is_told(raised, error)
        else:
            assert found == (len(TRUTH), sum(TRUTH))


def by_two(cache: respool.StreamCache, error: str | None) -> None:
    for raised in in_threads(*[lambda: check(cache, TRUTH, error)] * 2):
        if raised is not None:
            raise raised


def by_number(cache: respool.StreamCache, error: str | None) -> None:
    for i in (cache.ingested_count, 0, cache.ingested_count - 1):
        try:
            batch = cache.batch(max(0, i))
        except IndexError:
            assert cache.complete
        except OSError as raised:
            is_told(raised, error)
        else:
            list(numbers_of([batch]))


def by_ingesting(cache: respool.StreamCache, error: str | None) -> None:
    try:
        cache.ingest_all()
    except OSError as raised:
        is_told(raised, error)
        assert not cache.complete


def by_shrinking(cache: respool.StreamCache, error: str | None) -> None:
    try:
        cache.resize(memory=1)
    except OSError as raised:
        is_told(raised, error)
    check(cache, TRUTH, error)


def by_growing(cache: respool.StreamCache, error: str | None) -> None:
    cache.resize(memory="1 MiB")
    check(cache, TRUTH, error)


def by_asking(cache: respool.StreamCache, error: str | None) -> None:
    assert repr(cache)
    assert cache.metrics()
    check(cache.prefix(), TRUTH[: cache.num_rows], None)


NEXT: dict[str, Callable[[respool.StreamCache, str | None], None]] = {
    "read": lambda cache, error: check(cache, TRUTH, error),
    "pyarrow": lambda cache, error: check(pa.RecordBatchReader.from_stream(cache), TRUTH, error),
    "ingest_all": by_ingesting,
    "batch": by_number,
    "slice": lambda cache, error: check(cache.slice(305, 700), TRUTH[305:1005], error),
    "select": lambda cache, error: check(cache.select(["n"]), TRUTH, error),
    "ask and prefix": by_asking,
    "less memory": by_shrinking,
    "more memory": by_growing,
    "two readers": by_two,
    "polars": by_polars,
    "duckdb": by_duckdb,
    "nothing": lambda cache, error: None,
}


def run(
    writes: ctypes.CDLL, make: Callable, number: int, lasting: bool, n: int, then: str
) -> tuple[bool, bool]:
    """One cache; whether there was an n-th write to fail, and whether the first reader was told."""
    source = Source()
    cache = make(source)
    error = os.strerror(number) if number in TOLD else None
    writes.arm(n, number, lasting)
    reader = cache.reader()
    first: list[int] = []
    try:
        first.extend(numbers_of(reader))
    except OSError as raised:
        is_told(raised, error)
        assert not cache.complete
        told = True
    else:
        told = False
    assert first == TRUTH[: len(first)]
    NEXT[then](cache, error)
    failed = writes.disarm() >= n
    if not cache.complete:
        first.extend(numbers_of(reader))  # goes on where it was
        assert first == TRUTH, f"the reader that met the fault: {len(first)} of {len(TRUTH)} rows"
    for _ in range(2):
        check(cache, TRUTH, None)
    assert cache.complete
    assert source.pulls == len(SIZES) + 1
    cache.close()
    return failed, told


def main() -> None:
    library, directory, kind, mode, lasting, how_many = sys.argv[1:]
    nexts = list(NEXT)
    import duckdb  # noqa: F401 - begins no thread while writes fail
    import polars as pl  # noqa: F401

    writes = ctypes.CDLL(library)
    reason = writes.install(directory.encode())
    if reason:
        print(json.dumps({"skip": os.strerror(reason)}))
        return

    def make(source: Source) -> respool.StreamCache:
        sizes = {"disk_path": directory, "disk_capacity": "64 MiB", **CACHES[kind]}
        return respool.StreamCache(source, schema=SCHEMA, **sizes)

    faults, runs, told = [], 0, 0
    for n in itertools.count(1):
        failed = False
        for then in nexts if how_many == "all" else [nexts[n % len(nexts)]]:
            faulthandler.dump_traceback_later(30, exit=True)
            try:
                its = run(writes, make, MODES[mode], lasting == "lasting", n, then)
                failed |= its[0]
                told += its[1]
            except BaseException as error:
                writes.disarm()
                failed = True
                faults.append(f"write {n}, then {then}: {type(error).__name__}: {error}"[:300])
            faulthandler.cancel_dump_traceback_later()
            runs += 1
        if not failed or n > 500:
            break
    print(json.dumps({"runs": runs, "writes": n - 1, "told": told, "faults": faults}))


if __name__ == "__main__":
    main()
