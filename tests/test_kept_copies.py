"""The copy in DuckDB's encodings beside a kept log: made once, of that log only."""

import pyarrow as pa

import respool
from respool import _native


def table(word):
    return pa.table({"s": [f"{word}{i % 7}" for i in range(20_000)]})


def identity(directory):
    return _native._peek(directory)["identity"]


def of_copy(directory):
    copy = directory / "_encoded"
    return _native._peek(copy)["key"] if copy.exists() else None


def test_the_copy_of_a_removed_log_is_not_put_beside_the_next_of_its_name(log_dir):
    respool.named("n", lambda: table("old"), directory=log_dir, ingest=True).close()
    [path] = [cache.path for cache in respool.ls(log_dir)]
    with respool.open(path) as old:
        respool.rm("n", log_dir)
        respool.named("n", lambda: table("new"), directory=log_dir, ingest=True).close()
        assert [cache.path for cache in respool.ls(log_dir)] == [path]
        with respool.open(path) as new:
            new._encoded()
        assert of_copy(path) == identity(path)
        assert pa.table(old._encoded())["s"].to_pylist() == table("old")["s"].to_pylist()
    assert of_copy(path) == identity(path)
