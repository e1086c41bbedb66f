"""A lazy scan reads what it needs, waits for nobody, and passes errors on."""

import threading
import time

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import respool
import respool.polars
from sources import SCHEMA, Source, SourceBrokeError, expected

N = pl.col("n")
ENGINES = pytest.mark.parametrize("engine", ["in-memory", "streaming"])
HAS_RESOLVERS = respool.polars.CacheResolver is not None
CAN_STREAM_OUT = hasattr(pl.LazyFrame, "collect_batches")


def over(source: Source, **options: object) -> respool.StreamCache:
    return respool.StreamCache(source, schema=SCHEMA, **options)


# --- as much as is needed ---


@ENGINES
def test_the_first_rows_pull_one_batch(engine):
    source = Source(20)
    cache = over(source)
    lazy = cache.lazy()
    assert lazy.head(10).collect(engine=engine)["n"].to_list() == list(range(10))
    assert source.pulls == 1
    assert lazy.head(150).collect(engine=engine).height == 150
    assert source.pulls == 2
    assert lazy.collect(engine=engine).height == 2000
    assert source.pulls == 21


def test_planning_pulls_nothing():
    source = Source(20)
    lazy = over(source).lazy()
    for query in (lazy, lazy.filter(N > 5), lazy.head(3), lazy.join(lazy, on="n"), lazy.tail(1)):
        query.collect_schema()
        query.explain()
        query.explain(optimized=False)
        assert lazy.collect_schema() == {"n": pl.Int64, "s": pl.String}
    assert source.pulls == 0


def test_planning_over_a_closed_cache():
    cache = over(Source())
    lazy = cache.lazy()
    lazy.collect()
    cache.close()
    assert lazy.collect_schema() == {"n": pl.Int64, "s": pl.String}
    with pytest.raises(Exception, match="closed"):
        lazy.collect()


@ENGINES
def test_batches_that_zone_maps_rule_out_are_not_read(engine, log_dir):
    cache = over(
        Source(20), memory_capacity=1, disk_path=log_dir, disk_capacity=1 << 26, compression="lz4"
    )
    cache.ingest_all()
    lazy = cache.lazy()
    query = lazy.filter(N.is_between(510, 520) | (N == 1999)).select(N.sum(), pl.col("s").max())
    query.collect(engine=engine)  # computes the zone maps
    before = cache.metrics()["log_reads"]
    assert query.collect(engine=engine).row(0) == (sum(range(510, 521)) + 1999, "row 520")
    assert cache.metrics()["log_reads"] - before == 2


@ENGINES
def test_columns_that_are_not_asked_for_are_not_cast(engine):
    big = pa.array(["x", None]).cast(pa.string())
    cache = respool.StreamCache(pa.table({"n": [1, 2], "big": big}))
    view = cache.cast(pa.schema({"n": pa.int64(), "big": pa.int64()}))
    assert view.lazy().select("n").collect(engine=engine)["n"].to_list() == [1, 2]
    with pytest.raises(Exception, match="big"):
        view.lazy().collect(engine=engine)


@ENGINES
@pytest.mark.parametrize("is_read", [False, True])
def test_max_readers_counts_scans(engine, is_read):
    cache = over(Source(), max_readers=2)
    if is_read:
        cache.ingest_all()
    lazy = cache.lazy()
    lazy.explain()
    for _ in range(2):
        assert_frame_equal(lazy.collect(engine=engine), pl.DataFrame(expected(5)))
    with pytest.raises(Exception, match="max_readers=2"):
        lazy.collect(engine=engine)


# --- what an error is ---


@ENGINES
def test_an_error_of_the_source_reaches_the_user(engine):
    cache = over(Source(5, fail_at=3))
    lazy = cache.lazy()
    for _ in range(3):
        with pytest.raises(Exception, match="no batch 3") as caught:
            lazy.collect(engine=engine)
        if HAS_RESOLVERS:
            assert caught.errisinstance(SourceBrokeError)
    assert lazy.head(250).collect(engine=engine).height == 250
    assert cache.prefix().lazy().collect(engine=engine).height == 300


@ENGINES
def test_full_memory_reaches_the_user(engine):
    cache = over(Source(5), memory_capacity=5000)
    lazy = cache.lazy()
    with pytest.raises(Exception, match="memory"):
        lazy.collect(engine=engine)
    cache.resize(memory=None)
    assert lazy.collect(engine=engine).height == 500


def test_a_name_that_is_empty():
    cache = respool.StreamCache(pa.table({"": ["x", None], "n": [1, 2]}))
    for _ in range(3):
        assert cache.lazy().collect().to_dict(as_series=False) == {"": ["x", None], "n": [1, 2]}
        cache.ingest_all()


def test_a_name_that_is_not_unique():
    cache = respool.StreamCache(pa.record_batch([[1], [2]], names=["a", "a"]))
    with pytest.raises(ValueError, match="'a' is not unique"):
        cache.lazy()
    assert cache.select([1]).lazy().collect()["a"].to_list() == [2]


# --- who waits for whom ---


class SlowLazy:
    """A LazyFrame over a Python generator that sleeps while it is attached to nothing."""

    def __init__(self, batches: int = 6) -> None:
        self.batches = batches
        self.pulls = 0

    def lazy(self) -> pl.LazyFrame:
        def generate(columns, predicate, rows, size):
            for i in range(self.batches):
                self.pulls += 1
                time.sleep(0.01)
                frame = pl.DataFrame({"n": range(i * 100, (i + 1) * 100)})
                frame = frame if columns is None else frame.select(columns)
                yield frame if predicate is None else frame.filter(predicate)

        return pl.io.plugins.register_io_source(generate, schema={"n": pl.Int64})


def in_threads(*tasks):
    results = [None] * len(tasks)

    def run(i):
        try:
            results[i] = tasks[i]()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a deadlock"
    return results


@ENGINES
def test_two_threads_scan_a_frame_over_a_python_source(engine):
    cache = respool.polars.from_lazyframe(SlowLazy().lazy())
    lazy = cache.lazy()
    task = lambda: lazy.select(N.sum()).collect(engine=engine).item()  # noqa: E731
    assert in_threads(task, task, task) == [sum(range(600))] * 3


@ENGINES
def test_a_join_pulls_a_slow_source_once(engine):
    source = Source(5, pause=0.01)
    lazy = over(source).lazy()
    assert in_threads(lambda: lazy.join(lazy, on="n").collect(engine=engine).height) == [500]
    assert source.pulls == 6


@pytest.mark.skipif(not CAN_STREAM_OUT, reason="collect_batches came with 1.34")
def test_a_scan_streams_out_and_into_another_cache():
    first = respool.polars.from_lazyframe(SlowLazy().lazy())
    second = respool.StreamCache(first.lazy().filter(N >= 50).collect_batches(lazy=True))
    third = respool.polars.from_lazyframe(second.lazy().with_columns(m=N * 2))
    total = lambda: third.lazy().select(pl.col("m").sum()).collect().item()  # noqa: E731
    assert in_threads(total, total) == [2 * sum(range(50, 600))] * 2


@pytest.mark.skipif(not HAS_RESOLVERS, reason="DuckDB asks a newer Polars")
def test_duckdb_over_a_scan():
    duckdb = pytest.importorskip("duckdb")

    lazy = over(Source(5, pause=0.01)).lazy()

    def count():
        with duckdb.connect() as con:
            frame = lazy
            return con.execute("select count(*), sum(n) from frame where n >= 250").fetchone()

    def registered():
        with duckdb.connect() as con:
            con.register("t", lazy)
            return con.execute("select count(*), sum(n) from t where n >= 250").fetchone()

    wanted = (250, sum(range(250, 500)))
    assert in_threads(registered, registered) == [wanted] * 2
    assert count() == wanted


@ENGINES
def test_a_query_inside_a_query(engine):
    cache = over(Source())

    def nested(frame: pl.DataFrame) -> pl.DataFrame:
        greatest = cache.lazy().select(N.max()).collect(engine=engine).item()
        return frame.with_columns(m=pl.lit(greatest, dtype=pl.Int64))

    got = cache.lazy().map_batches(nested, schema={**SCHEMA_OF, "m": pl.Int64}).collect()
    assert got["m"].unique().to_list() == [499]


SCHEMA_OF = {"n": pl.Int64, "s": pl.String}


# --- a LazyFrame as a source ---


def test_from_lazyframe_computes_once():
    slow = SlowLazy()
    cache = respool.polars.from_lazyframe(slow.lazy().filter(N % 2 == 0), memory="1 GiB", disk=None)
    assert cache.schema.names == ["n"]
    for _ in range(3):
        assert cache.lazy().select(N.sum()).collect().item() == sum(range(0, 600, 2))
    assert slow.pulls == 6


@pytest.mark.skipif(not CAN_STREAM_OUT, reason="before 1.34 a frame is collected whole")
def test_from_lazyframe_goes_batch_by_batch():
    slow = SlowLazy(200)
    cache = respool.polars.from_lazyframe(slow.lazy())
    assert slow.pulls == 0
    assert cache.lazy().head(5).collect().height == 5
    assert 0 < slow.pulls < 200
    assert cache.lazy().collect().height == 20_000
    assert slow.pulls == 200
    assert cache.num_batches > 1


def test_from_lazyframe_passes_errors_on():
    def broken(frame):
        raise ValueError("no such thing")

    # Where a frame is collected whole, that is when the cache is made.
    with pytest.raises(Exception, match="no such thing"):
        respool.polars.from_lazyframe(pl.LazyFrame({"n": [1]}).map_batches(broken)).ingest_all()


def test_from_lazyframe_takes_nothing_else():
    with pytest.raises(TypeError, match="DataFrame"):
        respool.polars.from_lazyframe(pl.DataFrame({"n": [1]}))


def test_frames_round_trip_with_every_type_of_polars():
    frame = pl.DataFrame(
        {
            "i": [1, None],
            "s": ["a", None],
            "c": pl.Series(["x", "y"], dtype=pl.Categorical),
            "e": pl.Series(["x", "y"], dtype=pl.Enum(["y", "x"])),
            "d": pl.Series(["1.5", None]).cast(pl.Decimal(10, 2)),
            "l": [[1, 2], None],
            "t": pl.Series([1, None]).cast(pl.Time),
            "u": pl.Series([1, None]).cast(pl.Duration("us")),
            "z": pl.Series([1, None]).cast(pl.Datetime("ns", "Europe/Berlin")),
            "b": [b"x", None],
            "st": [{"a": 1}, None],
            # With a buffer, which Arrow's nulls don't have.
            "n": [None, None],
            "ln": [[None], []],
            "sn": [{"a": None, "l": [None]}, None],
        }
    )
    if not hasattr(pl, "Categories"):
        frame = frame.drop("c", "e")
    # Polars 1.30 exports slices of structs with children that are too short.
    sliced = frame[1:] if HAS_RESOLVERS else frame.drop("st", "sn")[1:]
    for cache, wanted in (
        (respool.polars.from_lazyframe(frame.lazy()), frame),
        (respool.StreamCache(sliced), sliced),
    ):
        for _ in range(2):
            assert_frame_equal(cache.lazy().collect(), wanted)


def test_the_expected_frame():
    assert_frame_equal(over(Source()).lazy().collect(), pl.DataFrame(expected(5)))


def test_what_is_no_cache_is_a_type_error():
    cache = respool.StreamCache(pa.table({"n": [1]}))
    for given in (pa.table({"n": [1]}), cache.reader(), None):
        with pytest.raises(TypeError, match=r"^scan takes a cache .*respool\.cache\("):
            respool.polars.scan(given)
