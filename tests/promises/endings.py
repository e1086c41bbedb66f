"""The ways in which a cache can end; each is called again and again, and may leave nothing."""

import contextlib
from collections.abc import Callable

import pyarrow as pa

import respool
from sources import SCHEMA, Source, batch

SIZES: dict[str, object] = {"memory": 5000, "disk": "64 MiB"}
AHEAD = {"prefetch": "2 batches", "batch_rows": (50, 150)}


def over(source: object) -> respool.StreamCache:
    """A cache that spills."""
    return respool.cache(source, schema=SCHEMA, **SIZES)


def complete() -> None:
    pa.table(over(Source()))


def complete_in_memory() -> None:
    pa.table(respool.cache(Source(), schema=SCHEMA, disk=None))


def never_read() -> None:
    over(Source())


def half_read() -> None:
    reader = over(Source()).reader()
    next(reader)
    next(reader)


def failed_in_python() -> None:
    with contextlib.suppress(Exception):
        list(over(Source(fail_at=3)))


def failed_in_c() -> None:
    cache = respool.cache(Source(fail_at=3).reader(), **SIZES)
    with contextlib.suppress(Exception):
        pa.table(cache)


def failed_to_be_stored() -> None:
    cache = respool.cache(Source(), schema=SCHEMA, memory=1, disk=1)
    with contextlib.suppress(MemoryError, OSError):
        list(cache)


def closed() -> None:
    cache = over(Source())
    cache.ingest_all()
    cache.close()


def closed_with_readers() -> None:
    cache = over(Source())
    reader, stream = cache.reader(), pa.RecordBatchReader.from_stream(cache)
    next(reader)
    stream.read_next_batch()
    cache.close()


def dropped_with_readers() -> None:
    cache = over(Source())
    readers = [cache.reader(), cache.select(["n"]).reader(), cache.slice(50).reader()]
    del cache
    for reader in readers:
        next(reader)


def dropped_with_streams() -> None:
    cache = over(Source())
    stream = pa.RecordBatchReader.from_stream(cache)
    capsule = cache.__arrow_c_stream__()
    del cache
    stream.read_next_batch()
    del capsule


def dropped_with_batches() -> None:
    cache = over(Source())
    batches = list(cache)
    del cache
    assert batches[-1]["n"][0].as_py() == 400


def read_ahead() -> None:
    cache = respool.cache(Source(), schema=SCHEMA, **SIZES, **AHEAD)
    next(cache.reader())
    pa.table(cache)


def read_ahead_and_dropped() -> None:
    reader = respool.cache(Source(), schema=SCHEMA, **SIZES, **AHEAD).reader()
    next(reader)


def read_ahead_and_closed() -> None:
    cache = respool.cache(Source().reader(), **SIZES, **AHEAD)
    next(cache.reader())
    cache.close()


def read_ahead_and_failed() -> None:
    cache = respool.cache(Source(fail_at=2), schema=SCHEMA, **SIZES, **AHEAD)
    with contextlib.suppress(Exception):
        list(cache)


def read_ahead_in_a_cycle() -> None:
    holder = []

    def source():
        assert holder
        for i in range(9):
            yield batch(i)

    holder.append(respool.cache(source(), schema=SCHEMA, **SIZES, **AHEAD))
    next(holder[0].reader())


def generator_of_its_own_cache() -> None:
    holder = []

    def source():
        assert holder
        yield batch(0)
        yield batch(1)

    holder.append(over(source()))
    next(holder[0].reader())


def generator_of_its_own_cache_to_the_end() -> None:
    holder = []

    def source():
        assert holder
        yield batch(0)

    holder.append(over(source()))
    holder[0].ingest_all()


def exception_of_its_own_cache() -> None:
    cache = over(Source(fail_at=1))
    try:
        list(cache)
    except Exception as error:
        kept = error  # its traceback holds this frame, which holds the cache, which holds it
        assert kept.__traceback__ is not None


def exception_with_a_reader() -> None:
    reader = over(Source(fail_at=1)).select(["n"]).reader()
    with contextlib.suppress(Exception):
        list(reader)


def view_in_a_cycle() -> None:
    class Holder:
        pass

    holder = Holder()

    def source():
        holder.pulled = True
        yield batch(0)
        yield batch(1)

    holder.view = over(source()).slice(10).select(["n"])
    holder.reader = holder.view.reader()
    next(holder.reader)
    # A stream in C stands outside: no collector sees through it, so it must not be part of the cycle.
    holder.view.__arrow_c_stream__()


def iterator_that_holds_a_reader() -> None:
    class Endless:
        def __iter__(self) -> "Endless":
            return self

        def __next__(self) -> pa.RecordBatch:
            return batch(0)

    source = Endless()
    source.reader = over(source).reader()
    next(source.reader)


def another_cache() -> None:
    inner = over(Source())
    pa.table(over(b for b in inner))


def registered_and_dropped() -> None:
    import duckdb

    import respool.duckdb

    con = duckdb.connect(config={"threads": 1})
    respool.duckdb.register(con, "t", over(Source()))
    con.execute("select count(*) from t where n > 100").fetchall()
    con.register("u", over(Source()))
    con.execute("select count(*) from u").fetchall()


def optimized() -> None:
    import duckdb

    import respool.duckdb

    with duckdb.connect(config={"threads": 1}) as con:
        cache = respool.cache(Source(), schema=SCHEMA, memory="1 MiB", disk="64 MiB")
        respool.duckdb.register(con, "t", cache, optimize=True)
        for _ in range(2):
            con.execute("select count(*), max(s) from t where n > 100").fetchall()


def lazy_frame() -> None:
    frame = over(Source()).lazy()
    frame.select("n").collect()
    frame.filter(n=3).collect()


def lazy_frame_in_memory() -> None:
    frame = respool.cache(Source(), schema=SCHEMA, disk=None).lazy()
    frame.select("n").collect()
    frame.select("s").collect(engine="streaming")


def lazy_frame_half_read() -> None:
    batches = over(Source()).lazy().collect_batches()
    next(iter(batches))


def from_lazy_frame() -> None:
    import polars as pl

    import respool.polars

    pa.table(respool.polars.from_lazyframe(pl.LazyFrame({"n": [1, 2]}), **SIZES))


def through_arro3() -> None:
    from arro3.core import RecordBatchReader

    next(iter(RecordBatchReader.from_arrow(over(Source()))))


def through_nanoarrow() -> None:
    import nanoarrow as na

    stream = na.ArrayStream(over(Source()))
    next(iter(stream.iter_chunks()))
    stream.close()


ENDINGS: dict[str, Callable[[], None]] = {
    ending.__name__: ending
    for ending in (
        complete,
        complete_in_memory,
        never_read,
        half_read,
        failed_in_python,
        failed_in_c,
        failed_to_be_stored,
        closed,
        closed_with_readers,
        dropped_with_readers,
        dropped_with_streams,
        dropped_with_batches,
        read_ahead,
        read_ahead_and_dropped,
        read_ahead_and_closed,
        read_ahead_and_failed,
        read_ahead_in_a_cycle,
        generator_of_its_own_cache,
        generator_of_its_own_cache_to_the_end,
        exception_of_its_own_cache,
        exception_with_a_reader,
        view_in_a_cycle,
        iterator_that_holds_a_reader,
        another_cache,
        registered_and_dropped,
        optimized,
        lazy_frame,
        lazy_frame_in_memory,
        lazy_frame_half_read,
        from_lazy_frame,
        through_arro3,
        through_nanoarrow,
    )
}
