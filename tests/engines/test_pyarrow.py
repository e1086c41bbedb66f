"""pyarrow takes a cache wherever it takes a stream."""

import io

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from sources import SCHEMA, Source, expected


def test_a_table_each_time(make):
    cache = make(Source())
    for _ in range(3):
        table = pa.table(cache)
        table.validate(full=True)
        assert table.equals(expected(5))


def test_a_reader_each_time(make):
    cache = make(Source())
    for _ in range(2):
        reader = pa.RecordBatchReader.from_stream(cache)
        assert reader.schema == SCHEMA
        assert reader.read_all().equals(expected(5))


def test_the_schema_alone(make):
    source = Source()
    assert pa.schema(make(source)) == SCHEMA
    assert source.pulls == 0


def test_writing_to_ipc_and_parquet(make):
    cache = make(Source())
    ipc, parquet = io.BytesIO(), io.BytesIO()
    with pa.ipc.new_stream(ipc, cache.schema) as writer:
        for batch in cache:
            writer.write_batch(batch)
    assert pa.ipc.open_stream(ipc.getvalue()).read_all().equals(expected(5))
    with pq.ParquetWriter(parquet, cache.schema) as writer:
        for batch in cache:
            writer.write_batch(batch)
    assert pq.read_table(parquet).equals(expected(5))


def test_writing_a_dataset(make, tmp_path):
    reader = pa.RecordBatchReader.from_stream(make(Source()))
    ds.write_dataset(reader, tmp_path / "out", format="ipc")
    assert ds.dataset(tmp_path / "out", format="ipc").sort_by("n").to_table().equals(expected(5))


def test_an_error_of_the_source_is_an_error_of_the_reader(make):
    cache = make(Source(5, fail_at=3))
    for _ in range(3):
        with pytest.raises((pa.ArrowException, OSError, ValueError), match="no batch 3"):
            pa.table(cache)
