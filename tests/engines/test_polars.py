"""Polars takes a cache as a data frame, again and again."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sources import Source, expected

FRAME = pl.DataFrame(expected(5))


def test_a_data_frame_each_time(make):
    cache = make(Source())
    for _ in range(3):
        assert_frame_equal(pl.DataFrame(cache), FRAME)


def test_views(make):
    cache = make(Source())
    assert_frame_equal(pl.DataFrame(cache.select(["n"]).slice(150, 100)), FRAME[150:250, ["n"]])


def test_lazily(make):
    lazy = pl.DataFrame(make(Source())).lazy()
    for _ in range(2):
        assert lazy.filter(pl.col("n") >= 490).select(pl.len()).collect().item() == 10
    assert lazy.join(lazy, on="n").select(pl.len()).collect().item() == 500


def test_a_frame_is_a_source(make):
    cache = make(FRAME)
    for _ in range(2):
        assert_frame_equal(pl.DataFrame(cache), FRAME)


def test_an_error_of_the_source_is_an_error_of_the_frame(make):
    cache = make(Source(5, fail_at=3))
    for _ in range(3):
        with pytest.raises(BaseException, match="no batch 3"):  # before Polars 2 it is a panic
            pl.DataFrame(cache)
