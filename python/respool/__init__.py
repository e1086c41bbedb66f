"""Read an Arrow stream once, query it for ever.

A record-batch stream can be read once. respool reads it exactly once and lets DuckDB, Polars,
pyarrow and plain Python read it again and again: from memory while it fits, out of an append-only
memory-mapped log when it does not.

Examples
--------
>>> import pyarrow as pa
>>> import respool
>>> numbers = (pa.record_batch({"n": [i, i + 1]}) for i in (1, 3))
>>> cached = respool.cache(numbers, schema=pa.schema({"n": pa.int64()}))
>>> pa.table(cached)["n"].to_pylist()
[1, 2, 3, 4]
>>> pa.table(cached).num_rows
4
"""

from respool import exceptions
from respool._native import StreamCache, StreamCacheReader, StreamCacheView, __version__, cache

__all__ = [
    "StreamCache",
    "StreamCacheReader",
    "StreamCacheView",
    "__version__",
    "cache",
    "exceptions",
]
