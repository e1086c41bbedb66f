"""The data of most subjects: 10 M rows, 6 columns, 77 batches with buffers of their own, 510 MB."""

from __future__ import annotations

import os

import duckdb
import pyarrow as pa

ROWS = int(os.environ.get("ROWS", "10_000_000"))
BATCH_ROWS = 131_072


def batches() -> list[pa.RecordBatch]:
    rows = f"""
        select range as id, (range % 1000)::int as g, range * 0.5::double as x,
               (hash(range) % 1000000)::double as y, make_timestamp(range * 1000000) as t,
               'item ' || lpad((range % 1000000)::varchar, 6, '0') as s
        from range({ROWS})
    """
    with duckdb.connect() as con:
        return list(con.sql(rows).to_arrow_reader(BATCH_ROWS))


def reader(of: list[pa.RecordBatch]) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(of[0].schema, of)


def drain(stream: object) -> int:
    return sum(batch.num_rows for batch in pa.RecordBatchReader.from_stream(stream))
