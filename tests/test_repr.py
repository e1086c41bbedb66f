"""One line that says what a cache is."""

import re
import threading
import time

import pyarrow as pa
import pytest

import respool
from sources import SCHEMA, Source


def test_the_line_tells_state_sizes_and_rate():
    source = Source(3, pause=0.01)
    cache = respool.cache(source, schema=SCHEMA, disk=None)
    assert repr(cache) == (
        "<respool.StreamCache filling, 0 batches, 0 rows, 2 columns, 0 B in memory, 0 B in the log>"
    )
    assert source.pulls == 0
    next(iter(cache))
    rate = r"filling at [\d.]+ [KM]?i?B/s, 1 batch, 100 rows"
    assert re.search(rate, repr(cache)), repr(cache)
    cache.ingest_all()
    assert re.fullmatch(
        r"<respool\.StreamCache complete, 3 batches, 300 rows, 2 columns, "
        r"\d+\.\d KiB in memory, 0 B in the log>",
        repr(cache),
    )
    view = cache.select("n").filter([("n", ">", 5)])
    assert "StreamCacheView complete, at most 3 batches, at most 300 rows, 1 column," in repr(view)
    cache.close()
    assert repr(cache) == "<respool.StreamCache closed, 2 columns>"


def test_the_rate_is_that_of_the_source_and_not_of_who_reads():
    cache = respool.cache(Source(2), schema=SCHEMA)
    next(iter(cache))
    before = re.search(r"at (\S+ \S+)/s", repr(cache)).group(1)
    time.sleep(0.05)
    assert re.search(r"at (\S+ \S+)/s", repr(cache)).group(1) == before


def test_a_kept_log_is_told_by_its_path(log_dir):
    path = log_dir / "two\nlines"
    with respool.cache(Source(3), schema=SCHEMA, path=path) as cache:
        cache.ingest_all()
        assert repr(cache).count("\n") == 0
        assert "two\\nlines" in repr(cache)
    with respool.named("orders", lambda: pa.table({"x": [1]}), directory=log_dir / "n") as cache:
        assert f"in {log_dir}/n/orders/" in repr(cache)


@pytest.mark.parametrize("letter", ["\u202e", "\u2066", "\u200b", "\xad"])
def test_what_nobody_sees_in_a_path_is_told(log_dir, letter):
    seen = log_dir / "caf\u00e9 cafe\u0301 \u6f22 it's"
    for path, is_coded in ((log_dir / f"a{letter}b", True), (seen, False)):
        with respool.cache(Source(1), schema=SCHEMA, path=path) as cache:
            cache.ingest_all()
            assert (letter in repr(cache), "\\u{" in repr(cache)) == (False, is_coded)
            assert is_coded or f", in {path}>" in repr(cache)


def test_a_part_of_what_is_not_at_its_end_is_not_called_complete():
    cache = respool.cache(Source(3), schema=SCHEMA)
    cache.batch(0)
    for part in (cache.prefix(), cache.slice(0, 1)):
        assert repr(part).startswith("<respool.StreamCacheView stored, 1 batch, ")
        assert ">stored</span>" in part._repr_html_()
    cache.ingest_all()
    assert repr(cache.slice(0, 1)).startswith("<respool.StreamCacheView complete, ")


@pytest.mark.parametrize("show", [repr, lambda cache: cache._repr_html_()])
def test_it_waits_for_nobody(show):
    source = Source(5, stall_at=2, stall=20)
    cache = respool.cache(source, schema=SCHEMA)
    reading = threading.Thread(target=lambda: pa.table(cache))
    reading.start()
    assert source.stalling.wait(5)
    begun = time.monotonic()
    assert "filling" in show(cache)
    assert "2" in show(cache)
    assert time.monotonic() - begun < 10
    source.released.set()
    reading.join()
    assert "complete" in show(cache)
