"""Grain over the rows of a cache."""

import pickle
import threading

import numpy as np
import pyarrow as pa
import pytest

import respool

grain = pytest.importorskip("grain")

from absl import flags as absl_flags  # noqa: E402

from respool.grain import RowSource  # noqa: E402

pytestmark = pytest.mark.timeout(120)
ROWS = 200


@pytest.fixture
def cache(log_dir):
    table = pa.table(
        {
            "n": pa.array(range(ROWS), pa.int32()),
            "v": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(ROWS * 2.0)), 2),
        }
    )
    with respool.cache(table.to_reader(30), path=log_dir / "log") as cache:
        cache.ingest_all()
        yield cache


def test_it_is_what_grain_takes(cache):
    rows = RowSource(cache)
    assert isinstance(rows, grain.sources.RandomAccessDataSource)
    assert len(rows) == ROWS
    assert repr(rows) == "RowSource(200 rows of n, v)"
    row = rows[41]
    assert row["n"] == 41
    assert row["n"].dtype == np.int32
    assert row["v"].tolist() == [82.0, 83.0]
    assert rows[np.int64(-1)]["n"] == ROWS - 1
    for wrong in (ROWS, -ROWS - 1):
        with pytest.raises(IndexError):
            rows[wrong]
    assert [int(row["n"]) for row in rows._getitems([5, 5, 199, 0])] == [5, 5, 199, 0]


def test_a_pipeline_shuffles_batches_and_goes_on_from_a_checkpoint(cache):
    def pipeline():
        source = grain.MapDataset.source(RowSource(cache))
        return iter(source.seed(3).shuffle().batch(20).to_iter_dataset())

    whole = [step["n"].tolist() for step in pipeline()]
    assert sorted(n for step in whole for n in step) == list(range(ROWS))
    assert whole[0] != sorted(whole[0])
    steps = pipeline()
    had = [next(steps)["n"].tolist() for _ in range(4)]
    state = steps.get_state()
    again = pipeline()
    again.set_state(state)
    assert had + [step["n"].tolist() for step in again] == whole


class Batched:
    """Counts how often rows were asked for together."""

    def __init__(self, rows):
        self.rows, self.asked = rows, []

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, row):
        self.asked.append(1)
        return self.rows[row]

    def _getitems(self, rows):
        self.asked.append(len(rows))
        return self.rows._getitems(rows)


def test_grain_asks_for_the_rows_of_a_batch_together(cache, monkeypatch):
    """Where it does so, which to the released Grain is an experiment that is off."""
    from grain._src.python.dataset.transformations import batch

    monkeypatch.setattr(batch, "_is_batch_map_pushdown_experiment_enabled", lambda: True)
    counted = Batched(RowSource(cache))
    batches = grain.MapDataset.source(counted).seed(1).shuffle().batch(50)
    assert len({int(n) for step in batches for n in step["n"]}) == ROWS
    assert counted.asked == [50] * 4


def test_threads_share_a_source(cache):
    rows = RowSource(cache)
    found = {}

    def read(first):
        found[first] = [int(rows[row]["n"]) for row in range(first, ROWS, 4)]

    threads = [threading.Thread(target=read, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {first: list(range(first, ROWS, 4)) for first in range(4)}


def test_it_pickles_as_a_path_and_works_in_processes_of_grain(cache):
    rows = RowSource(cache)
    pickled = pickle.dumps(rows)
    assert len(pickled) < 4096
    assert pickle.loads(pickled)[7]["n"] == 7
    if not absl_flags.FLAGS.is_parsed():
        absl_flags.FLAGS.mark_as_parsed()
    source = grain.MapDataset.source(rows).batch(20).to_iter_dataset()
    steps = source.mp_prefetch(grain.MultiprocessingOptions(num_workers=2))
    assert sorted(int(n) for step in steps for n in step["n"]) == list(range(ROWS))


def test_nulls_and_other_types_follow_the_rules_of_tensors():
    cache = respool.cache(pa.table({"x": [1, None], "s": ["a", "b"]}))
    cache.ingest_all()
    with pytest.raises(TypeError, match="'s'"):
        RowSource(cache)
    rows = RowSource(cache, columns=["x"])
    assert rows[0]["x"] == 1
    with pytest.raises(ValueError, match="'x' has nulls"):
        rows[1]
    rows = RowSource(cache, null_value={"x": -1}, objects=True)
    assert [(int(row["x"]), row["s"]) for row in rows] == [(1, "a"), (-1, "b")]


@pytest.mark.parametrize("source", [None, 5, pa.table({"n": [1]})])
def test_what_is_neither_a_cache_nor_a_path_is_told_what_to_do(source):
    with pytest.raises(TypeError, match=r"^RowSource takes a cache .*respool\.cache\("):
        RowSource(source)


def test_one_name_is_no_list_of_columns(cache):
    with pytest.raises(TypeError, match="columns is a list of names"):
        RowSource(cache, columns="x")
