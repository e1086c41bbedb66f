"""A pickled LazyFrame of a cache on a log with a path, and of any other."""

import io
import multiprocessing
import os
import pickle
import sys
import warnings

import polars as pl
import pytest

import respool
import respool.polars
from sources import SCHEMA, Source
from working import persistent, twice_collected

HAS_RESOLVERS = respool.polars.CacheResolver is not None


@pytest.fixture(params=[False, True], ids=["without cloudpickle", "with cloudpickle"])
def pickles(request, monkeypatch):
    """Whether there is a way to pickle a LazyFrame of a cache at all."""
    if request.param:
        pytest.importorskip("cloudpickle", reason="Polars knows no way to pickle without")
    else:
        monkeypatch.setitem(sys.modules, "cloudpickle", None)
    # An IO source is a function in a function of Polars, which pickle has no name for.
    return request.param or HAS_RESOLVERS


@pytest.fixture
def cache(log_dir):
    with persistent(Source(5), log_dir) as cache:
        yield cache


def queries(lazy):
    return [
        lazy,
        lazy.select("s"),
        lazy.filter(pl.col("n").is_between(95, 212)).select(pl.col("n") * 2, "s"),
        lazy.join(lazy, on="n").sort("n").slice(3, 200),
        lazy.group_by(pl.col("n") % 3).agg(pl.len()).sort("n"),
    ]


@pytest.mark.parametrize("stored", [0, 2, 5])
def test_a_lazyframe_comes_back(cache, pickles, stored):
    if not pickles:
        pytest.skip("Polars before 2 has to have cloudpickle")
    if stored:
        cache.batch(stored - 1)
    for view in (cache, cache.select("n", "s"), cache.filter([("n", "<", 400)]).slice(20, 300)):
        for query in queries(view.lazy()):
            back = pickle.loads(pickle.dumps(query))
            assert back.collect_schema() == query.collect_schema()
            frames = [lazy.collect() for lazy in (back, back, query)]
            assert frames[0].equals(frames[2])
            assert frames[1].equals(frames[2])


def test_a_lazyframe_is_serialized(cache, pickles):
    lazy = cache.lazy().filter(pl.col("n") > 450)
    if not pickles:
        with pytest.raises(Exception, match="cloudpickle"):
            lazy.serialize()
        return
    back = pl.LazyFrame.deserialize(io.BytesIO(lazy.serialize()))
    assert back.collect().equals(lazy.collect())


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_collect_it(cache, pickles, method):
    if not pickles:
        pytest.skip("Polars before 2 has to have cloudpickle")
    cache.ingest_all()
    lazies = queries(cache.lazy())
    with multiprocessing.get_context(method).Pool(2) as pool:
        answers = pool.map(twice_collected, lazies, chunksize=1)
    for (process, shown), lazy in zip(answers, lazies, strict=True):
        assert process != os.getpid()
        assert shown == [lazy.collect().rows()] * 2


def test_others_say_why_not(pickles):
    cache = respool.cache(Source(), schema=SCHEMA, disk=None)
    lazy = cache.lazy()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(Exception, match=r"cannot pickle a cache|cloudpickle") as caught:
            pickle.dumps(lazy)
    if pickles:
        said = [str(caught.value), *(str(warning.message) for warning in warned)]
        assert sum("cannot pickle a cache" in line for line in said) == 1
    assert cache.ingested_count == 0
