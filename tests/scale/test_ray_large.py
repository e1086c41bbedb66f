"""What a fused aggregate over a large log costs. With --long the log has 4 GiB and more, else a sixteenth."""

import itertools

import pyarrow.compute as pc
import pytest
from scale_logs import batches, kept
from work import where

import respool

pytest.importorskip("ray.data")

ROWS = 1 << 18


def created(ray):
    """Bytes that were ever put into the object stores of all nodes."""
    from ray._private.internal_api import node_stats

    return sum(
        node_stats(
            node["NodeManagerAddress"], node["NodeManagerPort"]
        ).store_stats.cumulative_created_bytes
        for node in ray.nodes()
        if node["Alive"]
    )


@pytest.fixture(scope="module")
def large(request, scratch):
    """A log of eight different batches again and again, and the sum of a column."""
    eight = list(batches(8, ROWS))
    turns = (80 if request.config.getoption("--long") else 5) * 8
    source = itertools.islice(itertools.cycle(eight), turns)
    path = kept(scratch / "large", source, memory=0)
    x = sum(pc.sum(batch["x"]).as_py() for batch in eight) * (turns // 8)
    with respool.open(path) as cache:
        assert cache.nbytes >= (4 if turns == 640 else 0.25) * (1 << 30)
        yield path, turns * ROWS, x, cache.nbytes


@pytest.mark.timeout(300)
def test_a_fused_aggregate_sees_the_segments_and_leaves_the_object_store_alone(ray, large):
    path, rows, x, size = large
    before = created(ray)
    seen = (
        respool.ray.read(path)
        .map_batches(where, batch_format="pyarrow", batch_size=None, zero_copy_batch=True)
        .take_all()
    )
    assert sum(block["rows"] for block in seen) == rows
    assert sum(block["x"] for block in seen) == pytest.approx(x, rel=1e-12)
    assert len(seen) >= 4
    assert {block["places"] for block in seen} == {"segment"}
    assert len({block["node"] for block in seen}) == 2
    put = created(ray) - before
    assert put < size / 100


def test_what_is_not_fused_is_counted_as_it_should_be(ray, log):
    """The measure of the test above: what is materialized is in the object store."""
    before = created(ray)
    everything = respool.ray.read(log).materialize()
    assert created(ray) - before > everything.size_bytes() / 2


def test_tasks_are_small_whatever_the_log(ray, large):
    from ray import cloudpickle

    from respool._ray.datasource import LogDatasource
    from respool._scan.place import found

    path, rows, _, _ = large
    source = LogDatasource(found(path, None, prefix=False), None, None, shared=True)
    tasks = source.get_read_tasks(4)
    assert sum(task.metadata.num_rows for task in tasks) == rows
    assert max(len(cloudpickle.dumps(task)) for task in tasks) < 1 << 16
