"""arro3, which pulls streams while it holds the GIL."""

import pyarrow as pa
import pytest
from arro3.core import RecordBatchReader, Schema, Table

from sources import SCHEMA, Source, expected


def test_a_table_each_time(make):
    cache = make(Source())
    for _ in range(3):
        assert pa.table(Table.from_arrow(cache)).equals(expected(5))


def test_a_reader_each_time(make):
    cache = make(Source())
    for _ in range(2):
        assert pa.table(RecordBatchReader.from_arrow(cache).read_all()).equals(expected(5))


def test_the_schema_alone(make):
    source = Source()
    assert pa.schema(Schema.from_arrow(make(source))) == SCHEMA
    assert source.pulls == 0


def test_an_error_of_the_source_is_an_error_of_the_table(make):
    cache = make(Source(5, fail_at=3))
    for _ in range(3):
        with pytest.raises(Exception, match="no batch 3"):
            Table.from_arrow(cache)
