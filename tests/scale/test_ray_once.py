"""A source that can be read once, written once, and read on every node as often as wanted."""

import pyarrow as pa
import pytest
from scale_logs import eventually
from work import followed

import respool
from sources import SCHEMA, Source, rows_of

pytest.importorskip("ray.data")


def test_three_epochs_on_two_nodes_pull_the_source_once(ray, tmp_path):
    source = Source(40)
    with respool.ray.cache(source, tmp_path / "log", schema=SCHEMA, ingest=True) as cache:
        assert cache.complete
    nodes = set()
    for _ in range(3):
        seen = respool.ray.read(tmp_path / "log", blocks=8).map_batches(
            lambda table: table.append_column(
                "node", [[ray.get_runtime_context().get_node_id()] * table.num_rows]
            ),
            batch_format="pyarrow",
            batch_size=None,
        )
        rows = seen.take_all()
        assert sorted(row["n"] for row in rows) == rows_of(40)
        nodes |= {row["node"] for row in rows}
    assert len(nodes) == 2
    assert source.pulls == 41


def test_readers_follow_while_one_process_writes(ray, tmp_path):
    """A task on each node reads a batch before the source has given its last."""
    ready = [tmp_path / "first", tmp_path / "second"]

    def source():
        for i in range(20):
            if i == 10:
                assert eventually(lambda: all(path.exists() for path in ready))
            yield pa.record_batch({"id": range(i * 10, i * 10 + 10)})

    path = tmp_path / "log"
    with respool.ray.cache(source(), path, schema="first") as cache:
        reader = cache.reader()
        next(reader)
        task = ray.remote(num_cpus=1)(followed)
        tasks = [task.remote(str(path), str(marker)) for marker in ready]
        cache.ingest_all()
        assert ray.get(tasks) == [list(range(200))] * 2


def test_what_a_dataset_computes_is_computed_once(ray, tmp_path):
    calls = tmp_path / "calls"
    calls.mkdir()

    def work(batch):
        import tempfile

        tempfile.NamedTemporaryFile(dir=calls, delete=False).close()
        return {"n": batch["id"] * 2}

    dataset = ray.data.range(1000, override_num_blocks=4).map_batches(work, batch_size=None)
    with respool.ray.cache(dataset, tmp_path / "log", ingest=True) as cache:
        assert cache.num_rows == 1000
    once = len(list(calls.iterdir()))
    assert once == 4
    for _ in range(2):
        assert respool.ray.read(tmp_path / "log").sum("n") == 999_000
    assert len(list(calls.iterdir())) == once


def test_a_dataset_without_rows(ray, tmp_path):
    dataset = ray.data.from_arrow(pa.table({"n": pa.array([], pa.int64())}))
    with respool.ray.cache(dataset, tmp_path / "log", ingest=True) as cache:
        assert cache.num_rows == 0
        assert cache.column_names == ["n"]
    assert respool.ray.read(tmp_path / "log").count() == 0


def test_blocks_without_a_value_have_the_type_of_the_others(ray, tmp_path):
    """Ray infers types block by block: a column that is null in all of a block has the type null there."""
    holes = pa.table({"n": pa.nulls(2), "s": ["c", "d"]})
    full = pa.table({"n": [1, 2], "s": ["a", "b"]})
    numbers = {"first": [full, holes], "last": [holes, full]}
    options = {"first": {}, "last": {"schema": full.schema}}
    for name, blocks in numbers.items():
        dataset = ray.data.from_arrow(blocks)
        with respool.ray.cache(dataset, tmp_path / name, ingest=True, **options[name]) as cache:
            assert cache.schema == full.schema
            rows = pa.table(cache).sort_by("s")["n"].to_pylist()
        assert rows == [1, 2, None, None]


def test_a_dataset_that_fails_leaves_no_whole_log(ray, tmp_path):
    def breaks(batch):
        if batch["id"].max() > 900:
            raise ValueError("a bad row")
        return batch

    dataset = ray.data.range(1000, override_num_blocks=4).map_batches(breaks, batch_size=None)
    with (
        respool.ray.cache(dataset, tmp_path / "log") as cache,
        pytest.raises(Exception, match="a bad row"),
    ):
        cache.ingest_all()
    with pytest.raises(respool.exceptions.IncompleteStreamError, match="failed"):
        respool.ray.read(tmp_path / "log")
