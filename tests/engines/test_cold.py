"""Of a log that is not in memory the columns that are wanted are read from the disk, and hardly more."""

import contextlib
import functools
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import cold
import processes
import respool
import respool.duckdb
import respool.polars
from cold import MIB
from folders import file_system
from respool._duckdb.version import IS_OLD

ROWS, BATCHES, COLUMNS = 50_000, 20, 16
COLUMN = ROWS * BATCHES * 8

new_duckdb = pytest.mark.skipif(IS_OLD, reason="DuckDB 1 has a plain stream: no projection")


def batches() -> Iterator[pa.RecordBatch]:
    """Columns of 8 MB, batches of 6.4 MB; ``c0`` rises, the rest does not compress."""
    for number in range(BATCHES):
        noise = random.Random(number)  # noqa: S311 - noise, and the same each time
        first = pa.array(range(number * ROWS, (number + 1) * ROWS))
        others = [noise_of(noise) for _ in range(COLUMNS - 1)]
        yield pa.record_batch([first, *others], names=[f"c{n}" for n in range(COLUMNS)])


def noise_of(noise: random.Random) -> pa.Array:
    """Numbers of 40 bits: no sum of them overflows."""
    raw = pa.py_buffer(noise.randbytes(ROWS * 8))
    return pc.bit_wise_and(pa.Array.from_buffers(pa.int64(), ROWS, [None, raw]), (1 << 40) - 1)


def total(column: pa.Array) -> int:
    return pc.sum(column).as_py()


@functools.cache
def sums() -> list[int]:
    return [sum(total(b.column(n)) for b in batches()) for n in range(COLUMNS)]


def source() -> pa.RecordBatchReader:
    first = next(batches())
    return pa.RecordBatchReader.from_batches(first.schema, batches())


@pytest.fixture(scope="module", params=["temporary", "kept", "opened", "lz4", "opened zstd"])
def made(request, tmp_path_factory) -> Iterator[tuple[respool.StreamCache, Path]]:
    """A cache that has everything in its log, and nothing in memory; the directory that the log lies in."""
    base = tmp_path_factory.getbasetemp()
    if file_system(base) == "tmpfs":
        pytest.skip("nothing is read from a disk here")
    with tempfile.TemporaryDirectory(dir=base) as name:
        directory = Path(name)
        cold.check_counted(directory)
        kind, path = request.param, directory / "log"
        compression = next((name for name in ("lz4", "zstd") if name in kind), None)
        if kind in ("temporary", "lz4"):
            cache = respool.StreamCache(source(), 1, directory, "1 GiB", compression=compression)
            cache.ingest_all()
        else:
            cache = respool.cache(source(), path=path, memory=1, compression=compression)
            cache.ingest_all()
            if kind.startswith("opened"):
                cache.close()
                cache = respool.open(path, memory=1)
        with contextlib.closing(cache):
            yield cache, directory


@pytest.fixture
def cache(made) -> respool.StreamCache:
    return made[0]


@pytest.fixture
def place(made) -> Path:
    return made[1]


def least(columns: int) -> int:
    return columns * COLUMN


def check_read(place, columns: int, query: Callable[[], object], times: int = 3) -> None:
    """Run a query several times, each time on cold pages: the first verifies what was opened.

    A system that is short of memory may take pages away before they are used: then it is asked again.
    """
    for _ in range(times):
        for attempt in range(3):
            cold.forget(place)
            before = cold.read_bytes()
            answer = query()
            read = cold.read_bytes() - before
            del answer
            if read <= 1.1 * least(columns) + 8 * MIB:
                break
            assert attempt < 2, f"{read} bytes"


def plain(cache, names: list[str]) -> list[int]:
    reader = pa.RecordBatchReader.from_stream(cache.select(names))
    totals = [0] * len(names)
    for batch in reader:
        for at, column in enumerate(batch.columns):
            totals[at] += total(column)
    return totals


@pytest.mark.parametrize("names", [["c7"], ["c2", "c9"], ["c15", "c14", "c0"]])
def test_a_stream_reads_its_columns(cache, place, names):
    expected = [sums()[int(name[1:])] for name in names]

    def query() -> None:
        assert plain(cache, names) == expected

    check_read(place, len(names), query)


@new_duckdb
def test_duckdb_reads_its_columns(cache, place):
    with duckdb.connect() as con:
        respool.duckdb.register(con, "t", cache)

        def query() -> None:
            found = con.execute("select sum(c7), sum(c3) from t").fetchone()
            assert found == (sums()[7], sums()[3])

        check_read(place, 2, query)


def test_polars_reads_its_columns_each_time_a_plan_is_made(cache, place):
    def query() -> None:
        frame = cache.lazy().select(pl.col("c7").sum(), pl.col("c3").sum())
        assert frame.collect().row(0) == (sums()[7], sums()[3])

    check_read(place, 2, query)


def test_polars_asks_again_for_a_plan_whose_pages_were_missing(cache, place):
    scanned = cache.lazy()

    def query() -> None:
        assert scanned.select(pl.col("c7").sum()).collect().item() == sums()[7]

    check_read(place, 1, query)
    # Now it is all there, and the plan is kept.
    query()
    query()


@new_duckdb
def test_a_range_reads_the_batches_that_hold_it(cache, place):
    first = ROWS * 7 + 100
    with duckdb.connect() as con:
        respool.duckdb.register(con, "t", cache)
        sql = f"select count(*), sum(c9) from t where c0 between {first} and {first + 99}"
        expected = con.execute(sql).fetchone()
        assert expected is not None
        assert expected[0] == 100
        cold.forget(place)
        before = cold.read_bytes()
        assert con.execute(sql).fetchone() == expected
        read = cold.read_bytes() - before
    # One batch of two columns.
    assert read <= 1.1 * 2 * ROWS * 8 + MIB, f"{read} bytes"


def test_one_batch_reads_what_is_shown_of_it(cache, place):
    view = cache.select(["c5", "c12"])
    for number in (3, 4, 17, 3):
        cold.forget(place)
        before = cold.read_bytes()
        batch = view.batch(number)
        assert batch.num_rows == ROWS
        total(batch.column(0))
        total(batch.column(1))
        read = cold.read_bytes() - before
        assert read <= 1.1 * 2 * ROWS * 8 + MIB, f"{read} bytes"


def test_zone_maps_are_computed_from_their_column(cache, place):
    def query() -> None:
        view = cache.filter([("c0", ">=", ROWS * (BATCHES - 1))])
        assert view.select(["c0"]).num_rows == ROWS

    check_read(place, 1, query, times=1)


def test_views_of_views_read_what_is_left_of_them(cache, place):
    view = cache.select(["c9", "c2", "c0"]).slice(ROWS * 2 + 5, ROWS * 3)
    view = view.filter([("c0", ">=", ROWS * 4)]).select(["c2"])
    expected = pa.table(view).column(0).to_pylist()
    cold.forget(place)
    before = cold.read_bytes()
    assert pa.table(view).column(0).to_pylist() == expected
    read = cold.read_bytes() - before
    # Two columns of two batches.
    assert read <= 1.1 * 2 * 2 * ROWS * 8 + 8 * MIB, f"{read} bytes"
    assert len(expected) == ROWS + 5


def test_a_cold_scan_whose_cache_is_closed(log_dir):
    cache = respool.StreamCache(source(), 1, log_dir, "1 GiB")
    cache.ingest_all()
    reader = pa.RecordBatchReader.from_stream(cache.select(["c7"]))
    cold.forget(log_dir)
    batch = reader.read_next_batch()
    cache.close()
    # Batches that are out stay; the scan ends with an error, and not at the end of nothing.
    with pytest.raises(ValueError, match="closed"):
        reader.read_next_batch()
    assert total(batch.column(0)) == total(next(batches()).column(7))


def test_cold_scans_beside_each_other(cache, place):
    cold.forget(place)
    found: dict[int, list[int]] = {}

    def scan(number: int) -> None:
        found[number] = plain(cache, [f"c{number}", "c0"])

    threads = [threading.Thread(target=scan, args=(number,)) for number in (1, 5, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {number: [sums()[number], sums()[0]] for number in (1, 5, 9)}


CHILD = """
import os, sys
import pyarrow as pa, respool
cache = respool.open(sys.argv[1])
reader = pa.RecordBatchReader.from_stream(cache.select(["c7"]))
reader.read_next_batch()
pid = os.fork()
if pid == 0:
    total = sum(b.num_rows for b in pa.RecordBatchReader.from_stream(cache.select(["c3"])))
    os._exit(0 if total == int(sys.argv[2]) else 1)
_, status = os.waitpid(pid, 0)
rest = sum(batch.num_rows for batch in reader)
print(os.waitstatus_to_exitcode(status), rest)
"""


def test_a_fork_in_the_middle_of_a_cold_scan(log_dir):
    path = log_dir / "log"
    with respool.cache(source(), path=path, memory=1) as whole:
        whole.ingest_all()
    cold.forget(log_dir)
    printed = processes.run(CHILD, path, ROWS * BATCHES)
    assert printed.split() == ["0", str(ROWS * (BATCHES - 1))]


def test_cold_pages_of_a_log_that_was_removed(log_dir):
    path = log_dir / "log"
    with respool.cache(source(), path=path, memory=1) as whole:
        whole.ingest_all()
    opened = respool.open(path, memory=1)
    reader = pa.RecordBatchReader.from_stream(opened.select(["c7"]))
    first = total(reader.read_next_batch().column(0))
    # A file that was not opened yet would be missed.
    opened.batch(BATCHES - 1)
    cold.forget(log_dir)
    for file in path.iterdir():
        file.unlink()
    rest = sum(total(batch.column(0)) for batch in reader)
    assert first + rest == sums()[7]
