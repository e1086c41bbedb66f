"""The consumers of the hang matrix: each gives the sum of column ``n``, or None if it reads no whole."""

import itertools
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc


def sum_of(batch: pa.RecordBatch) -> int:
    return pc.sum(batch.column("n")).as_py() or 0


def by_pyarrow(cache: object) -> int:
    return sum(sum_of(batch) for batch in pa.RecordBatchReader.from_stream(cache))


def by_iteration(cache: object) -> int:
    return sum(sum_of(batch) for batch in cache)


def by_duckdb(cache: object) -> int:
    import duckdb

    with duckdb.connect() as con:
        con.register("t", cache)
        return int(con.execute("select sum(n) from t").fetchone()[0] or 0)


def by_registered(cache: object) -> int:
    import duckdb

    import respool.duckdb

    with duckdb.connect() as con:
        respool.duckdb.register(con, "t", cache)
        return int(con.execute("select sum(n) from t where n >= 0").fetchone()[0] or 0)


def by_self_join(cache: object) -> int:
    import duckdb

    import respool.duckdb

    with duckdb.connect() as con:
        respool.duckdb.register(con, "t", cache)
        query = "select sum(a.n) from t a join t b on a.n = b.n"
        return int(con.execute(query).fetchone()[0] or 0)


def by_polars(cache: object) -> int:
    return cache.lazy().select("n").sum().collect().item()


def by_polars_streaming(cache: object) -> int:
    return cache.lazy().select("n").sum().collect(engine="streaming").item()


def by_collect_batches(cache: object) -> int:
    return sum(frame["n"].sum() for frame in cache.lazy().collect_batches())


def by_arro3(cache: object) -> int:
    from arro3.core import Table

    return pc.sum(pa.table(Table.from_arrow(cache))["n"]).as_py() or 0


def by_nanoarrow(cache: object) -> int:
    import nanoarrow as na

    return sum(sum_of(pa.record_batch(batch)) for batch in na.ArrayStream(cache).iter_chunks())


def by_number(cache: object) -> int:
    total = 0
    for i in itertools.count():
        try:
            total += sum_of(cache.batch(i))
        except IndexError:
            break
    return total


def by_asking(cache: object) -> None:
    """Ask how it goes, again and again, while another thread reads."""
    for _ in range(100):
        repr(cache)
        cache.metrics()
        if cache.complete or cache.num_rows < 0 or cache.nbytes < 0:
            break
        time.sleep(0.0005)


def by_dropping(cache: object) -> None:
    """Begin to read in several ways and let go."""
    from arro3.core import RecordBatchReader

    for _ in range(4):
        reader = cache.reader()
        next(reader)
        stream = pa.RecordBatchReader.from_stream(cache.select(["n"]))
        stream.read_next_batch()
        one = next(iter(RecordBatchReader.from_arrow(cache.slice(50))))
        del reader, stream, one


def by_closing(cache: object) -> None:
    time.sleep(0.005)
    cache.close()


CONSUMERS: dict[str, Callable[[object], int | None]] = {
    "pyarrow": by_pyarrow,
    "iteration": by_iteration,
    "duckdb": by_duckdb,
    "duckdb registered": by_registered,
    "duckdb self-join": by_self_join,
    "polars": by_polars,
    "polars streaming": by_polars_streaming,
    "collect_batches": by_collect_batches,
    "arro3": by_arro3,
    "nanoarrow": by_nanoarrow,
    "batch": by_number,
    "metrics": by_asking,
    "dropped": by_dropping,
    "close": by_closing,
}
