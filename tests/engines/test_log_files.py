"""The files of a complete log, read as they are by who knows nothing of respool."""

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

import respool
from sources import SCHEMA, Source, expected


@pytest.fixture(params=[None, "lz4", "zstd"])
def log(request, log_dir):
    """The directory of a complete log."""
    path = log_dir / "log"
    with respool.cache(Source(20), schema=SCHEMA, path=path, compression=request.param) as cache:
        cache.ingest_all()
    return path


def test_a_pyarrow_dataset(log):
    dataset = ds.dataset(log, format="ipc")
    assert dataset.schema.equals(SCHEMA)
    assert dataset.to_table().equals(expected(20))
    assert dataset.count_rows(filter=ds.field("n") >= 1500) == 500


def test_polars(log):
    frame = pl.scan_ipc(log / "*.arrow")
    assert frame.filter(pl.col("n") >= 1500).select("n").collect()["n"].to_list() == list(
        range(1500, 2000)
    )


def test_duckdb(log):
    dataset = ds.dataset(log, format="ipc")
    with duckdb.connect() as con:
        con.register("log", dataset)
        for _ in range(2):
            assert con.execute("select count(*), sum(n) from log").fetchall() == [
                (2000, sum(range(2000)))
            ]


def test_one_file_by_itself(log):
    (file,) = log.glob("*.arrow")
    with pa.memory_map(str(file)) as source:
        assert pa.ipc.open_file(source).read_all().equals(expected(20))


def test_dictionaries_that_change_are_in_files_of_the_streaming_format(log_dir):
    path = log_dir / "log"
    words = [["a", "b"], ["c"], ["d", "a"]]
    batches = [pa.record_batch({"w": pa.array(some).dictionary_encode()}) for some in words]
    with respool.cache(batches, schema=batches[0].schema, path=path) as cache:
        cache.ingest_all()
    files = sorted(path.glob("*.arrow*"))
    assert [file.suffix for file in files] == [".arrow", ".arrows"]
    read = []
    for file in files:
        with pa.OSFile(str(file)) as source:
            opened = pa.ipc.open_file if file.suffix == ".arrow" else pa.ipc.open_stream
            read += opened(source).read_all()["w"].to_pylist()
    assert read == ["a", "b", "c", "d", "a"]
