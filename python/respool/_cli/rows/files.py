"""Rows as files of Arrow and Parquet."""

import pyarrow as pa
import pyarrow.parquet as pq

from respool._pipes import closing


def write_parquet(reader: pa.RecordBatchReader, file: pa.NativeFile) -> int:
    """Write Parquet, and return the number of rows."""
    rows = 0
    writer = pq.ParquetWriter(file, reader.schema, compression="zstd")
    with closing(writer, file):
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def write_arrow(reader: pa.RecordBatchReader, file: pa.NativeFile, *, is_stream: bool) -> int:
    """Write Arrow IPC, a file or a stream, and return the number of rows."""
    rows = 0
    new = pa.ipc.new_stream if is_stream else pa.ipc.new_file
    writer = new(file, reader.schema)
    with closing(writer, file):
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows
