"""The ways in which a cache is read to its end; each returns the values of column ``n``."""

from collections.abc import Callable

import pyarrow as pa


def by_pyarrow(cache: object) -> list[int]:
    return pa.RecordBatchReader.from_stream(cache).read_all()["n"].to_pylist()


def by_table(cache: object) -> list[int]:
    return pa.table(cache)["n"].to_pylist()


def by_duckdb(cache: object) -> list[int]:
    import duckdb

    with duckdb.connect() as con:
        con.register("t", cache)
        return [n for (n,) in con.execute("select n from t").fetchall()]


def by_polars(cache: object) -> list[int]:
    import polars as pl

    return pl.DataFrame(cache)["n"].to_list()


def by_collect_batches(cache: object) -> list[int]:
    """Polars' streaming engine pulling from a Python source that reads the cache."""
    import polars as pl
    from polars.io.plugins import register_io_source

    def frames(columns, predicate, n_rows, batch_size):
        for batch in cache:
            yield pl.DataFrame(batch)

    lazy = register_io_source(frames, schema={"n": pl.Int64, "s": pl.String})
    return [n for frame in lazy.collect_batches() for n in frame["n"].to_list()]


def by_arro3(cache: object) -> list[int]:
    """arro3 pulls a stream while it holds the GIL: the consumer that hangs careless producers."""
    from arro3.core import Table

    return pa.table(Table.from_arrow(cache))["n"].to_pylist()


def by_iteration(cache: object) -> list[int]:
    return [n for batch in cache for n in batch.column("n").to_pylist()]


ENGINES: dict[str, Callable[[object], list[int]]] = {
    "pyarrow": by_pyarrow,
    "duckdb": by_duckdb,
    "polars": by_polars,
    "iteration": by_iteration,
}
ALL: dict[str, Callable[[object], list[int]]] = {
    **ENGINES,
    "collect_batches": by_collect_batches,
    "arro3": by_arro3,
}
