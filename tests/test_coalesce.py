"""Joining small batches loses none of them, also where they can't be joined."""

import pyarrow as pa
import pytest

import respool

TEXTS = pa.dictionary(pa.int8(), pa.string())
SCHEMA = pa.schema({"d": TEXTS})


def words(k: int) -> pa.RecordBatch:
    """100 words that no other batch has: of two batches there are more than int8 can number."""
    keys = pa.array(range(100), pa.int8())
    values = [f"word {k} {i}" for i in range(100)]
    return pa.record_batch([pa.DictionaryArray.from_arrays(keys, values)], schema=SCHEMA)


@pytest.mark.parametrize("rows", [150, 400, 10_000])
def test_dictionaries_that_are_too_large_together_come_singly(rows):
    source = [words(k) for k in range(4)]
    cache = respool.cache(iter(source), schema=SCHEMA, coalesce_rows=rows)
    expected = [word for batch in source for word in batch["d"].to_pylist()]
    for _ in range(2):
        assert [word for batch in cache for word in batch["d"].to_pylist()] == expected
    assert cache.complete
