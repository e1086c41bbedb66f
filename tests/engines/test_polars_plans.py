"""The plans that a lazy scan gives Polars: when they are made, what they share and hold, where Polars errs."""

import gc
import threading
import weakref
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import respool
import respool.polars
from sources import SCHEMA, Source, expected

N = pl.col("n")
ENGINES = pytest.mark.parametrize("engine", ["in-memory", "streaming"])
HAS_RESOLVERS = respool.polars.CacheResolver is not None


def over(source: Source, **options: object) -> respool.StreamCache:
    return respool.StreamCache(source, schema=SCHEMA, **options)


def overflowing(log_dir: object) -> respool.StreamCache:
    """Make a cache whose first batches have to leave memory for later ones."""
    log = {"disk_path": log_dir, "disk_capacity": 1 << 26, "write_policy": "on_eviction"}
    return over(Source(20), memory_capacity=10_000, **log)


@pytest.mark.skipif(not HAS_RESOLVERS, reason="nothing is planned before Polars 2.0")
@ENGINES
@pytest.mark.parametrize("in_log", [False, True])
def test_a_plan_is_made_once_when_all_is_read(engine, in_log, log_dir):
    log = {"memory_capacity": 1, "disk_path": log_dir, "disk_capacity": 1 << 26}
    # Views, so that a log too has frames to hand out.
    cache = respool.StreamCache(
        pa.table({"n": range(3), "s": pa.array(["x", None, "y"], pa.string_view())}),
        **(log if in_log else {}),
    )
    lazy = cache.lazy()
    planned = lazy.filter(N > 0)
    wanted = pl.DataFrame({"n": [1, 2], "s": [None, "y"]})
    for _ in range(3):  # as a stream, then as frames, then without a question
        assert_frame_equal(planned.collect(engine=engine), wanted)
    cache.close()
    assert_frame_equal(planned.collect(engine=engine), wanted)
    with pytest.raises(ValueError, match="closed"):
        lazy.select("s").collect(engine=engine)


@pytest.mark.skipif(not HAS_RESOLVERS, reason="nothing is planned before Polars 2.0")
def test_a_plan_over_a_part_is_made_anew_while_the_source_goes_on(log_dir):
    cache = overflowing(log_dir)
    cache.batch(0)
    part = cache.slice(0, 100).lazy().select("n")

    def address() -> int:
        numbers = part.collect(engine="in-memory")["n"]
        assert numbers.to_list() == list(range(100))
        return numbers.to_arrow().buffers()[1].address

    on_heap = address()
    assert address() == on_heap
    cache.ingest_all()
    # The heap was given to later batches.
    in_log = address()
    assert in_log != on_heap
    assert address() == in_log


@pytest.mark.skipif(not HAS_RESOLVERS, reason="frames are copied before Polars 2.0")
def test_frames_share_the_buffers_of_the_cache():
    values = pa.array(range(1000))
    cache = respool.StreamCache(pa.record_batch({"n": values}))
    cache.ingest_all()
    address = pa.table(cache)["n"].chunk(0).buffers()[1].address
    assert cache.lazy().collect(engine="in-memory")["n"].to_arrow().buffers()[1].address == address


@pytest.mark.skipif(not HAS_RESOLVERS, reason="text is converted on each scan before Polars 2.0")
def test_text_in_memory_is_converted_once():
    cache = over(Source(1))
    cache.ingest_all()
    lazy = cache.lazy()
    queries = [lazy, lazy.select("s"), lazy.filter(N >= 0).select("s", "n")]
    newest = pl.CompatLevel.newest()
    views = [
        query.collect(engine="in-memory")["s"].rechunk().to_arrow(compat_level=newest)
        for query in queries
    ]
    assert views[0].type == pa.string_view()
    assert views[0].buffers()[1].address == views[1].buffers()[1].address


@ENGINES
def test_a_scan_pins_no_memory_that_the_cache_gives_back(engine, log_dir):
    cache = overflowing(log_dir)
    lazy = cache.lazy()
    for _ in range(2):
        assert lazy.select(N.sum()).collect(engine=engine).item() == sum(range(2000))
        assert lazy.collect(engine=engine).height == 2000
        assert cache.metrics()["memory_bytes"] <= 10_000


def anonymous_memory() -> int:
    """Bytes of memory that no file backs."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in status if line.startswith("RssAnon"))


FLAT = {f"c{k}": pa.array([1.0] * 10) for k in range(10)}
WIDE = {
    "flat": FLAT,
    "structs": {"c": pa.StructArray.from_arrays(FLAT.values(), names=FLAT.keys())},
    "lists of text": {"c": pa.array([["some text"] * 50] * 10)},
}


@pytest.mark.skipif(not HAS_RESOLVERS, reason="nothing is planned before Polars 2.0")
@pytest.mark.parametrize("prunes", [False, True])
@pytest.mark.parametrize("kind", WIDE)
def test_plans_for_many_filters_take_little_memory(prunes, kind):
    batches = [pa.record_batch({"n": [i] * 10, **WIDE[kind]}) for i in range(1000)]
    cache = respool.StreamCache(pa.Table.from_batches(batches))
    cache.ingest_all()
    lazy = cache.lazy()

    def rows(i: int) -> int:
        condition = i < N if prunes else i < N % 1000
        found = lazy.filter(condition).select(pl.exclude("n").first(), rows=pl.len())
        return found.collect(engine="in-memory")["rows"].item()

    rows(0)
    before = anonymous_memory()
    assert [rows(i) for i in range(1, 200)] == [(999 - i) * 10 for i in range(1, 200)]
    # Frames of its own for each filter would take much more.
    assert anonymous_memory() - before < 300 << 20


@pytest.mark.skipif(not HAS_RESOLVERS, reason="nothing is planned before Polars 2.0")
def test_a_query_that_is_asked_again_holds_no_more(monkeypatch):
    monkeypatch.setattr("respool._polars.frames.HELD", 20_000)
    cache = over(Source(20))
    cache.batch(9)
    query = cache.slice(0, 1000).lazy().filter(N < 400)
    for _ in range(10):
        assert query.collect().height == 400
    assert "PYTHON SCAN" not in query.explain()


@pytest.mark.skipif(not HAS_RESOLVERS, reason="nothing is planned before Polars 2.0")
def test_frames_are_forgotten_where_the_cache_wants_its_memory(log_dir):
    cache = overflowing(log_dir)
    cache.batch(0)
    resolver = respool.polars.CacheResolver(cache.slice(0, 100))
    question = {"limit": None, "filters": [], "projection": None}
    resolver.resolve_lazyframe(**question)
    held = weakref.ref(resolver._frames)
    assert held().place == "memory"
    cache.ingest_all()
    resolver.resolve_lazyframe(**question)
    gc.collect()
    assert held() is None


@ENGINES
def test_what_is_wrong_in_a_batch_that_is_left_out_is_not_seen(engine, monkeypatch):
    if HAS_RESOLVERS:
        monkeypatch.setattr("respool._polars.frames.HELD", 0)
    table = pa.table({"n": range(10), "s": ["no number", *map(str, range(1, 10))]})
    numbers = pa.schema({"n": pa.int64(), "s": pa.int64()})
    lazy = respool.StreamCache(table.to_reader(max_chunksize=1)).cast(numbers).lazy()
    assert lazy.select("n").collect(engine=engine).height == 10
    for _ in range(3):
        assert lazy.filter(N >= 1).select("s").sum().collect(engine=engine).item() == 45
        with pytest.raises(Exception, match="no number"):
            lazy.collect(engine=engine)


@pytest.mark.skipif(not HAS_RESOLVERS, reason="no columns, no rows, before Polars 2.0")
@ENGINES
def test_rows_without_columns(engine):
    view = over(Source(2)).select([])
    for _ in range(3):
        assert view.lazy().select(pl.len()).collect(engine=engine).item() == 200


@ENGINES
def test_a_join_with_itself_reads_each_batch_twice_at_most(engine, log_dir):
    cache = over(
        Source(20), memory_capacity=1, disk_path=log_dir, disk_capacity=1 << 26, compression="lz4"
    )
    cache.ingest_all()
    lazy = cache.lazy()
    assert lazy.join(lazy, on="n").collect(engine=engine).height == 2000
    assert cache.metrics()["log_reads"] <= 40


@ENGINES
def test_plans_that_hold_too_much_are_read_when_collected(engine, monkeypatch):
    if HAS_RESOLVERS:
        monkeypatch.setattr("respool._polars.frames.HELD", 0)
    cache = over(Source(20))
    cache.ingest_all()
    lazy, frame = cache.lazy(), pl.DataFrame(expected(20)).lazy()
    for query in (
        lambda lf: lf.filter(N < 150),
        lambda lf: lf.filter(N >= 150),
        lambda lf: lf.filter(N < 0),
        lambda lf: lf.head(250),
        lambda lf: lf.filter(N > 1950).join(lf, on="n"),
    ):
        for _ in range(2):
            got, wanted = query(lazy).collect(engine=engine), query(frame).collect()
            assert_frame_equal(got, wanted, check_row_order=False)


@pytest.mark.skipif(not HAS_RESOLVERS, reason="nothing is planned before Polars 2.0")
def test_what_a_plan_that_would_hold_too_much_is(monkeypatch):
    monkeypatch.setattr("respool._polars.frames.HELD", 0)
    cache = over(Source(20))
    cache.ingest_all()
    lazy = cache.lazy()
    assert "PYTHON SCAN" in lazy.filter(N < 150).explain()
    assert "PYTHON SCAN" in lazy.head(250).explain()
    # Nearly everything: that is shared.
    assert "PYTHON SCAN" not in lazy.filter(N >= 150).explain()


@pytest.mark.skipif(not HAS_RESOLVERS, reason="Polars before 2.0 panics over any frame")
@ENGINES
def test_a_cached_plan_with_two_scans(engine):
    lazy = over(Source()).lazy()
    for _ in range(3):
        assert pl.concat([lazy, lazy]).cache().collect(engine=engine).height == 1000


@ENGINES
def test_a_filter_that_is_always_false(engine):
    def parts(lf: pl.LazyFrame) -> pl.LazyFrame:
        part = lf.tail(20).select("a", "c")
        three = pl.concat([part, part.filter(pl.lit(False)), part.head(3)])
        return pl.concat([three, three.filter(pl.col("c") > 3), three.head(3)])

    table = pa.table({name: range(30) for name in "abc"})
    lazy, frame = respool.StreamCache(table).lazy(), pl.DataFrame(table).lazy()
    for query in (
        parts,
        lambda lf: parts(lf).select(pl.all().sum()),
        lambda lf: lf.head(5).select("a", "c").filter(pl.lit(False)),
        lambda lf: lf.tail(5).filter(pl.col("a").is_in([])).select("a"),
        lambda lf: lf.with_row_index().filter(pl.lit(False)).select("a"),
    ):
        for _ in range(3):
            assert_frame_equal(query(lazy).collect(engine=engine), query(frame).collect())


@pytest.mark.skipif(not HAS_RESOLVERS, reason="nothing is planned before Polars 2.0")
def test_a_source_may_end_between_the_question_for_a_plan_and_the_answer(monkeypatch):
    asked, planned = threading.Event(), threading.Event()
    resolver = respool.polars.CacheResolver
    resolve = resolver.resolve_lazyframe

    def slow(self, **question):
        answer = resolve(self, **question)
        if question["existing_resolved_version_key"] and not asked.is_set():
            asked.set()
            planned.wait(10)
        return answer

    monkeypatch.setattr(resolver, "resolve_lazyframe", slow)
    cache = over(Source())
    query = cache.lazy().head(5)
    query.collect()

    def other():
        asked.wait(10)
        cache.ingest_all()
        query.collect()
        planned.set()

    thread = threading.Thread(target=other)
    thread.start()
    assert query.collect()["n"].to_list() == list(range(5))
    thread.join()
