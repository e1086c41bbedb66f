"""A source that stalls delays nobody who wants what is stored already.

The bounds here only tell waiting from not waiting; the time itself is a row of `make bench`.
"""

import threading
import time

import pyarrow as pa
import pytest

from sources import Source, batch, expected

STALL = 1.5
AT_ONCE = 0.5

USES = {
    "a second reader": lambda cache: next(cache.reader()),
    "a stream": lambda cache: pa.RecordBatchReader.from_stream(cache).read_next_batch(),
    "a batch by number": lambda cache: cache.batch(0),
    "a slice": lambda cache: next(iter(cache.slice(0, 100))),
    "a column": lambda cache: next(iter(cache.select(["n"]))),
    "the prefix": lambda cache: pa.table(cache.prefix()),
    "counters": lambda cache: (cache.metrics(), repr(cache), cache.num_rows, cache.complete),
    "the schema": lambda cache: (cache.schema, cache.__arrow_c_schema__()),
}


@pytest.mark.parametrize("use", USES)
def test_stored_batches_are_served_while_the_source_stalls(make, use):
    source = Source(3, stall_at=1, stall=STALL)
    cache = make(source)
    first = threading.Thread(target=lambda: pa.table(cache))
    first.start()
    assert source.stalling.wait(10)
    began = time.monotonic()
    USES[use](cache)
    took = time.monotonic() - began
    source.released.set()
    first.join()
    assert took < AT_ONCE
    assert pa.table(cache).equals(expected(3))


def test_a_waiting_reader_gets_the_batch_when_it_comes(make):
    source = Source(2, stall_at=1, stall=STALL)
    cache = make(source)
    first = threading.Thread(target=cache.ingest_all)
    first.start()
    assert source.stalling.wait(10)
    threading.Timer(0.2, source.released.set).start()
    assert list(cache) == [batch(0), batch(1)]
    first.join()
    assert source.pulls == 3
