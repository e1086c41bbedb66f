"""A source may give on what it read from a cache, its own even: batches that hold each other in a chain."""

import pytest

import processes

CHAIN = """
import sys
import pyarrow as pa, respool

def fed_by_itself(columns):
    yield pa.record_batch(columns)
    for batch in cache:
        if cache.num_batches == 100_000:
            return
        yield batch

plain = {"x": [1]}
nested = {"x": [{"y": 1}]}
columns = {"plain": plain, "nested": nested}[sys.argv[1]]
schema = pa.record_batch(columns).schema
cache = respool.cache(fed_by_itself(columns), schema=schema, memory=None)
assert cache.ingest_all() == 100_000
last = cache.batch(99_999)
cache.close()
assert last.to_pylist() == pa.record_batch(columns).to_pylist()
del last
print("ended")
"""


@pytest.mark.parametrize("columns", ["plain", "nested"])
def test_a_long_chain_is_let_go_without_end_of_the_stack(columns):
    assert processes.run(CHAIN, columns).strip() == "ended"
