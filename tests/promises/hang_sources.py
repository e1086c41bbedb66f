"""The sources of the hang matrix: each needs the GIL, an engine's threads, or another cache."""

import contextlib
from collections.abc import Callable, Iterator

import pyarrow as pa

import respool
from sources import SCHEMA, Source

BATCHES = 12
PAUSE = 0.003
TRUTH = sum(range(BATCHES * 100))
AHEAD = {"prefetch": "3 batches", "batch_rows": (150, 400)}


def slow() -> Source:
    return Source(BATCHES, pause=PAUSE)


def frames_of(batches: Callable[[], Iterator[pa.RecordBatch]]) -> object:
    """A LazyFrame over a Python IO source."""
    import polars as pl
    from polars.io.plugins import register_io_source

    def frames(columns, predicate, n_rows, batch_size):
        for batch in batches():
            yield pl.DataFrame(batch)

    return register_io_source(frames, schema={"n": pl.Int64, "s": pl.String})


def from_duckdb() -> object:
    import duckdb

    query = f"select range as n, 'row ' || range as s from range({BATCHES * 100})"
    return duckdb.connect().cursor().sql(query).to_arrow_reader(100)


def from_duckdb_over_python() -> object:
    import duckdb

    reader = slow().reader()
    return duckdb.connect().cursor().sql("from reader").to_arrow_reader(100)


class Staged:
    """Another cache over a slow generator, and the ways to read it in a generator of one's own."""

    def __init__(self, **sizes: object) -> None:
        self.inner = respool.cache(slow(), schema=SCHEMA, **sizes)

    def by_iteration(self) -> Iterator[pa.RecordBatch]:
        yield from self.inner

    def by_pyarrow(self) -> Iterator[pa.RecordBatch]:
        yield from pa.RecordBatchReader.from_stream(self.inner)

    def by_arro3(self) -> Iterator[pa.RecordBatch]:
        from arro3.core import RecordBatchReader

        for batch in RecordBatchReader.from_arrow(self.inner):
            yield pa.record_batch(batch)

    def by_duckdb(self) -> Iterator[pa.RecordBatch]:
        import duckdb

        raw = self.inner
        with contextlib.closing(duckdb.connect()) as con:
            yield from con.sql("from raw").to_arrow_reader(100)

    def by_polars(self) -> Iterator[pa.RecordBatch]:
        for frame in self.inner.lazy().collect_batches():
            yield from frame.to_arrow().cast(SCHEMA).to_batches()


def _iterable(source: object, sizes: dict[str, object]) -> respool.StreamCache:
    return respool.cache(source, schema=SCHEMA, **sizes)


# Each makes a cache within `sizes`, the keywords that say how much memory it has and where its log is.
SOURCES: dict[str, Callable[[dict[str, object]], respool.StreamCache]] = {
    "generator": lambda sizes: _iterable(slow(), sizes),
    "pyarrow reader": lambda sizes: respool.cache(slow().reader(), **sizes),
    "duckdb cursor": lambda sizes: respool.cache(from_duckdb(), **sizes),
    "duckdb over python": lambda sizes: respool.cache(from_duckdb_over_python(), **sizes),
    "polars over python": lambda sizes: respool.cache(frames_of(slow), **sizes),
    "cache": lambda sizes: respool.cache(Staged(**sizes).inner, **sizes),
    "cache by iteration": lambda sizes: _iterable(Staged(**sizes).by_iteration(), sizes),
    "cache by pyarrow": lambda sizes: _iterable(Staged(**sizes).by_pyarrow(), sizes),
    "cache by arro3": lambda sizes: _iterable(Staged(**sizes).by_arro3(), sizes),
    "cache by duckdb": lambda sizes: _iterable(Staged(**sizes).by_duckdb(), sizes),
    "cache by polars": lambda sizes: _iterable(Staged(**sizes).by_polars(), sizes),
    "generator, read ahead": lambda sizes: _iterable(slow(), {**sizes, **AHEAD}),
    "duckdb over python, read ahead": lambda sizes: respool.cache(
        from_duckdb_over_python(), **sizes, **AHEAD
    ),
    "cache by pyarrow, both read ahead": lambda sizes: _iterable(
        Staged(**sizes, **AHEAD).by_pyarrow(), {**sizes, **AHEAD}
    ),
}
