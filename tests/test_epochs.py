"""Epochs: one order whoever reads it, steps of the same size, places that are taken up again exactly."""

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import processes
import respool
from arrow_types import ARRAYS, LENGTH
from epoch_order import order

ROWS = [7, 13, 1, 0, 29, 8, 16, 3, 11, 12]
"""Rows of the batches of most tests: 100."""


def table(rows: list[int] = ROWS) -> pa.Table:
    """Batches of so many rows, numbered throughout."""
    starts = [sum(rows[:i]) for i in range(len(rows))]
    batches = [
        pa.record_batch(
            {
                "id": pa.array(range(start, start + count), pa.int64()),
                "x": pa.array([0.5] * count, pa.float64()),
            }
        )
        for start, count in zip(starts, rows, strict=True)
    ]
    return pa.Table.from_batches(batches, batches[0].schema)


def cached(rows: list[int] = ROWS, **options: object) -> respool.StreamCache:
    cache = respool.cache(table(rows).to_reader(), disk=None, **options)
    cache.ingest_all()
    return cache


@pytest.fixture
def log(log_dir: Path) -> Path:
    path = log_dir / "log"
    with respool.cache(table().to_reader(), path=path) as cache:
        cache.ingest_all()
    return path


def ids(steps: object) -> list[list[int]]:
    return [step["id"].to_pylist() for step in steps]


def flat(steps: list[list[int]]) -> list[int]:
    return [row for step in steps for row in step]


def identity(epochs: respool.Epochs) -> str:
    return epochs.state_dict()["identity"]


# --- the order ---


@pytest.mark.parametrize("window", [1, 3, 100])
def test_the_order_is_the_documented_one(window):
    epochs = respool.epochs(cached(), batch_size=1, seed=2**63 + 5, window=window)
    rows = [count for count in ROWS if count]
    for epoch in (0, 1):
        expected = order(identity(epochs), 2**63 + 5, epoch, rows, window)
        assert flat(ids(epochs)) == expected
        assert sorted(expected) == list(range(100))


def test_the_order_of_a_log_is_the_documented_one(log):
    with respool.epochs(log, batch_size=10, seed=1, shuffle="batches") as epochs:
        expected = order(identity(epochs), 1, 0, [count for count in ROWS if count], None)
        assert flat(ids(epochs)) == expected
        assert identity(epochs) == respool.open(log)._place_of_log[1].hex()


def test_the_order_stays_what_it_was():
    """A state that was saved has to mean the same to every later version: never change these numbers."""
    epochs = respool.epochs(cached([3, 4, 2, 3]), batch_size=4, seed=7, window=2)
    assert identity(epochs) == GOLDEN_IDENTITY
    assert flat(ids(epochs)) == GOLDEN_ROWS
    assert epochs.state_dict() == GOLDEN_STATE


GOLDEN_IDENTITY = "506d602da12f81704fd983a255862ddc"
GOLDEN_ROWS = [4, 8, 7, 5, 3, 6, 11, 1, 10, 2, 0, 9]
GOLDEN_STATE = {
    "version": 1,
    "identity": "506d602da12f81704fd983a255862ddc",
    "layout": "363047faf57d3a83",
    "seed": 7,
    "epoch": 1,
    "rows_done": 0,
    "batch_size": 4,
    "shuffle": "window",
    "window": 2,
    "follow": False,
}


def test_without_shuffling_the_order_is_that_of_the_source():
    epochs = respool.epochs(cached(), batch_size=9, shuffle=None)
    assert flat(ids(epochs)) == list(range(99))
    assert flat(ids(epochs)) == list(range(99))


def test_epochs_and_seeds_have_orders_that_have_nothing_in_common():
    rows = [64] * 32
    cache = cached(rows)
    orders = []
    for seed in (0, 1):
        epochs = respool.epochs(cache, batch_size=2048, seed=seed)
        orders += [np.array(flat(ids(epochs))) for _ in range(10)]
    for i, one in enumerate(orders):
        assert np.array_equal(np.sort(one), np.arange(2048))
        for other in orders[:i]:
            # By chance about one row is at the same place, and two orders correlate by 1/sqrt(2048).
            assert (one == other).sum() <= 8
            assert abs(np.corrcoef(one, other)[0, 1]) < 5 / 2048**0.5


def test_every_row_comes_to_every_place_as_often():
    """Chi-squared over 2,000 epochs of 16 rows: with fixed seeds, so it gives the same each time."""
    epochs = respool.epochs(cached([4] * 4), batch_size=16, window=4, seed=3, prefetch=0)
    counts = np.zeros((16, 16))
    for _ in range(2000):
        counts[np.arange(16), flat(ids(epochs))] += 1
    chi = ((counts - 125) ** 2 / 125).sum()
    # 225 degrees of freedom: mean 225, deviation 21.
    assert 225 - 5 * 21 < chi < 225 + 5 * 21


def test_all_ranks_together_have_the_same_global_steps(log):
    one = ids(respool.epochs(log, batch_size=12, seed=4))
    assert len(one) == 8
    for world in (2, 3, 4):
        ranks = [
            ids(respool.epochs(log, batch_size=12, seed=4, rank=rank, world_size=world))
            for rank in range(world)
        ]
        assert [flat(list(step)) for step in zip(*ranks, strict=True)] == one


# --- places ---


def resumed(source: object, state: dict, world: int, steps: int | None) -> tuple[list[int], dict]:
    """Read on from a state with so many ranks, for so many steps: the rows, and the state of rank 0."""
    ranks = [
        respool.epochs(source, batch_size=12, seed=4, rank=rank, world_size=world)
        for rank in range(world)
    ]
    rows, states = [], []
    for epochs in ranks:
        if state:
            epochs.load_state_dict(state)
        for number, step in enumerate(epochs, 1):
            rows += step["id"].to_pylist()
            if number == steps:
                break
        states.append(json.dumps(epochs.state_dict()))
        epochs.close()
    assert len(set(states)) == 1
    assert len(states[0]) < 1024
    return rows, json.loads(states[0])


def test_other_numbers_of_ranks_go_on_where_some_have_stopped(log):
    first, state = resumed(log, {}, 2, 3)
    second, state = resumed(log, state, 4, 2)
    third, state = resumed(log, state, 3, None)
    assert sorted(first + second + third) == sorted(
        flat(ids(respool.epochs(log, batch_size=12, seed=4)))
    )
    assert len(set(first + second + third)) == 96
    assert (state["epoch"], state["rows_done"]) == (1, 0)


def test_a_step_that_was_only_read_ahead_is_not_done():
    epochs = respool.epochs(cached(), batch_size=5, prefetch=8)
    steps = iter(epochs)
    for done in range(1, 4):
        next(steps)
        assert (epochs.steps_done, epochs.state_dict()["rows_done"]) == (done, 5 * done)


@pytest.mark.parametrize("form", ["batches", "arrays"])
def test_who_looks_at_a_step_takes_none_away(form):
    epochs = respool.epochs(cached(), batch_size=5, columns=["id"])

    def iterate() -> object:
        return iter(epochs) if form == "batches" else epochs.arrays()

    def listed(steps: object) -> list[list[int]]:
        return ids(steps) if form == "batches" else [step["id"].tolist() for step in steps]

    whole = listed(iterate())
    epochs.set_epoch(0)
    for _ in range(2):
        next(iterate())
        assert (epochs.epoch, epochs.steps_done) == (0, 1)
    assert listed(iterate()) == whole
    assert (epochs.epoch, epochs.steps_done) == (1, 0)


def test_an_iteration_that_was_left_goes_on_by_its_iterator_or_its_state():
    epochs = respool.epochs(cached(), batch_size=5)
    whole = ids(epochs)
    epochs.set_epoch(0)
    steps = iter(epochs)
    first = []
    for step in steps:
        first.append(step["id"].to_pylist())
        if len(first) == 6:
            break
    state = epochs.state_dict()
    assert first + ids(steps) == whole
    epochs.load_state_dict(state)
    # Whoever looks after that looks at the first step that is left.
    for _ in range(2):
        assert next(iter(epochs))["id"].to_pylist() == whole[6]
        assert epochs.state_dict()["rows_done"] == 35
    epochs.set_epoch(0)
    assert ids(epochs) == whole[6:]
    assert (epochs.epoch, epochs.steps_done) == (1, 0)
    next(iter(epochs))
    assert len(ids(epochs)) == len(whole)


def test_another_epoch_begins_at_its_beginning():
    epochs = respool.epochs(cached(), batch_size=5)
    by_turns = [ids(epochs), ids(epochs)]
    next(iter(epochs))
    for epoch in (1, 0):
        epochs.set_epoch(epoch)
        assert (epochs.epoch, epochs.steps_done) == (epoch, 0)
        assert ids(epochs) == by_turns[epoch]


def test_no_epoch_stands_for_another():
    epochs = respool.epochs(cached(), batch_size=5)
    for number in (2**64, 2**70, -1):
        with pytest.raises(ValueError, match=rf"from 0 to 2\*\*64 - 1, not {number}"):
            epochs.set_epoch(number)
    epochs.set_epoch(2**64 - 1)
    assert epochs.epoch == 2**64 - 1


def test_an_iteration_that_another_one_replaced_says_so():
    epochs = respool.epochs(cached(), batch_size=5)
    old = iter(epochs)
    next(old)
    new = iter(epochs)
    next(new)
    with pytest.raises(RuntimeError, match="this iteration has ended"):
        next(old)
    epochs.set_epoch(5)
    with pytest.raises(RuntimeError, match="this iteration has ended"):
        next(new)
    assert len(ids(epochs)) == 20


def test_the_end_stays_the_end():
    steps = iter(respool.epochs(cached(), batch_size=50))
    assert len(list(steps)) == 2
    assert list(steps) == []


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"seed": 5}, "seed: 4, and here it is 5"),
        ({"batch_size": 6}, "batch_size: 12, and here it is 6"),
        ({"shuffle": "batches"}, "shuffle"),
        ({"shuffle": None}, "shuffle"),
        ({"window": 3}, "window"),
        ({"follow": True}, "follow"),
    ],
)
def test_a_state_of_something_else_is_refused_by_name(log, options, name):
    _, state = resumed(log, {}, 1, 2)
    with (
        respool.epochs(log, **{"batch_size": 12, "seed": 4, **options}) as epochs,
        pytest.raises(ValueError, match=f"this state is of another {name}"),
    ):
        epochs.load_state_dict(state)
    assert (epochs.epoch, epochs.steps_done) == (0, 0)


def test_a_state_of_other_data_is_refused(log, log_dir):
    _, state = resumed(log, {}, 1, 2)
    with respool.cache(table().to_reader(), path=log_dir / "other") as cache:
        cache.ingest_all()
    with pytest.raises(ValueError, match="of another identity"):
        resumed(log_dir / "other", state, 1, None)
    of_memory = respool.epochs(cached(), batch_size=4).state_dict()
    with pytest.raises(ValueError, match="of another layout"):
        respool.epochs(cached([50, 50]), batch_size=4).load_state_dict(of_memory)
    respool.epochs(cached(), batch_size=4).load_state_dict(of_memory)
    slice_of = respool.epochs(respool.open(log).slice(5), batch_size=12, seed=4)
    with pytest.raises(ValueError, match="of another identity"):
        slice_of.load_state_dict(state)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version 2, which this respool does not know"),
        ({"worker": {"epoch": 0, "next": 3, "workers": 2}}, "that of a worker, which knows no"),
        ({"identity": "?"}, "'?\"?identity"),
        ({"rows_done": 13}, "rows_done"),
        ({"rows_done": 1200}, "rows_done"),
        ({"rows_done": -1}, "rows_done"),
        ({"seed": None}, "seed"),
        ({"shuffle": "well"}, "shuffle"),
    ],
)
def test_what_is_no_state_is_refused(log, change, said):
    with respool.epochs(log, batch_size=12, seed=4) as epochs:
        state = epochs.state_dict()
        with pytest.raises(ValueError, match=said):
            epochs.load_state_dict({**state, **change})
        del state["epoch"]
        with pytest.raises(ValueError, match="epoch"):
            epochs.load_state_dict(state)
        with pytest.raises(TypeError, match="state_dict"):
            epochs.load_state_dict("state")


def test_a_pickle_goes_on_where_it_was(log):
    cache = respool.open(log)
    epochs = respool.epochs(cache, batch_size=12, seed=4, columns=["id"], tail="pad", window=2)
    steps = iter(epochs)
    next(steps)
    copy = pickle.loads(pickle.dumps(epochs))
    assert (
        repr(copy)
        == repr(epochs)
        == "<respool.Epochs at step 1 of epoch 0, batch_size 12, rank 0 of 1>"
    )
    assert ids(copy) == ids(steps)
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(respool.epochs(cached(), batch_size=1))


# --- the rows ---


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("nulls", [True, False])
def test_rows_of_every_type_are_what_they_were(name, nulls):
    array = ARRAYS[name]
    # Rows 3 to 6 are there of each.
    values = [array.slice(start if nulls else 3, 4) for start in range(0, LENGTH, 4)]
    batches = [
        pa.record_batch({"id": pa.array(range(i * 4, i * 4 + 4), pa.int64()), "v": values[i]})
        for i in range(3)
    ]
    schema = batches[0].schema
    with respool.cache(iter(batches), schema=schema, disk=None) as cache:
        cache.ingest_all()
        stored = [batch.column("v") for batch in cache]
        for shuffle in ("window", "batches"):
            for step in respool.epochs(cache, batch_size=5, shuffle=shuffle, window=2, seed=2):
                step.validate(full=True)
                for row, value in zip(step["id"].to_pylist(), step.column("v"), strict=True):
                    assert repr(value) == repr(stored[row // 4][row % 4])
        rows = [11, 0, 0, 7, 3, 11]
        taken = respool.epochs(cache, batch_size=5).take(rows)
        taken.validate(full=True)
        assert taken["id"].to_pylist() == rows
        assert [repr(v) for v in taken["v"]] == [repr(stored[row // 4][row % 4]) for row in rows]
        assert taken["v"].to_pylist() == [values[row // 4][row % 4].as_py() for row in rows]


def buffers(array: pa.Array) -> list[tuple[int, int]]:
    return [(it.address, it.address + it.size) for it in array.buffers() if it and it.size]


@pytest.mark.parametrize("name", ARRAYS)
def test_no_memory_is_shared_with_the_cache(name):
    array = ARRAYS[name]
    batch = pa.record_batch({"v": array})
    with respool.cache(iter([batch]), schema=batch.schema, disk=None) as cache:
        cache.ingest_all()
        of_cache = buffers(cache.batch(0)["v"])
        epochs = respool.epochs(cache, batch_size=LENGTH)
        for step in (next(iter(epochs)), epochs.take(range(LENGTH))):
            for start, end in buffers(step["v"]):
                assert not [one for one in of_cache if one[0] < end and start < one[1]]


def test_tails_are_dropped_or_filled_up_from_the_beginning():
    cache = cached()
    drop = respool.epochs(cache, batch_size=30)
    pad = respool.epochs(cache, batch_size=30, tail="pad")
    assert (len(drop), len(pad), drop.num_rows) == (3, 4, 100)
    dropped, padded = ids(drop), ids(pad)
    assert padded[:3] == dropped
    assert padded[3][10:] == padded[0][:20]
    assert sorted(flat(padded)[:100]) == list(range(100))
    few = respool.epochs(cached([3]), batch_size=8, tail="pad", shuffle=None)
    assert ids(few) == [[0, 1, 2, 0, 1, 2, 0, 1]]
    assert len(respool.epochs(cached([3]), batch_size=8)) == 0
    none = respool.epochs(cached([0]), batch_size=8, tail="pad")
    assert (len(none), ids(none)) == (0, [])


def test_views_of_columns_and_rows_are_read_as_they_are(log):
    cache = respool.open(log)
    whole = ids(respool.epochs(cache, batch_size=10))
    named = respool.epochs(cache, batch_size=10, columns=["id"])
    assert named.schema.names == ["id"]
    assert ids(named) == whole
    sliced = respool.epochs(cache.slice(10, 50), batch_size=10)
    assert sorted(flat(ids(sliced))) == list(range(10, 60))
    schema = pa.schema({"id": pa.int32(), "x": pa.float32()})
    step = next(iter(respool.epochs(cache.cast(schema), batch_size=10)))
    assert (step.schema, step["id"].to_pylist()) == (schema, whole[0])
    filtered = respool.epochs(cache.filter([("id", ">=", 33), ("id", "!=", 40)]), batch_size=6)
    assert (filtered.num_rows, len(filtered)) == (66, 11)
    assert sorted(flat(ids(filtered))) == [n for n in range(33, 100) if n != 40]
    assert filtered.take([0, 65])["id"].to_pylist() == [33, 99]
    with pytest.raises(ValueError, match="leave the slice out"):
        respool.epochs(cache.filter([("id", ">", 5)]).slice(2), batch_size=2)


def test_a_compressed_log_is_read_too(log_dir):
    with respool.cache(table().to_reader(), path=log_dir / "log", compression="zstd") as cache:
        cache.ingest_all()
        epochs = respool.epochs(cache, batch_size=10, window=2)
        assert sorted(flat(ids(epochs))) == list(range(100))
        assert epochs.take([99, 0])["id"].to_pylist() == [99, 0]


@pytest.mark.parametrize("optimize", ["duckdb", "views"])
def test_batches_that_are_kept_otherwise_come_as_they_came(optimize):
    words = pa.table({"id": range(60), "s": [f"a word of some length {i % 3}" for i in range(60)]})
    with respool.cache(words.to_reader(7), disk=None, optimize=optimize) as cache:
        cache.ingest_all()
        steps = list(respool.epochs(cache, batch_size=6))
        gathered = pa.Table.from_batches(steps)
        assert gathered.schema == words.schema
        assert gathered.sort_by("id").equals(words)


@pytest.mark.parametrize(
    "rows", [[1.9], [True, False, True], np.array([True, False, True]), np.array([0.0]), ["1"]]
)
def test_rows_are_not_taken_by_what_is_no_number(rows):
    epochs = respool.epochs(cached(), batch_size=1)
    with pytest.raises(TypeError, match="flatnonzero"):
        epochs.take(rows)
    for alone in (3, np.int64(3), None):
        with pytest.raises(TypeError, match=r"as in take\(\[3\]\), not as (int|int64|NoneType)"):
            epochs.take(alone)
    assert epochs.take(np.array([])).num_rows == 0


def test_rows_are_taken_by_their_numbers():
    epochs = respool.epochs(cached(), batch_size=1)
    for indices in (
        [5, 99, 5],
        np.array([5, 99, 5]),
        np.array([5, 99, 5], "u1"),
        pa.array([5, 99, 5]),
    ):
        assert epochs.take(indices)["id"].to_pylist() == [5, 99, 5]
    assert epochs.take([]).num_rows == 0
    assert epochs.take([]).schema == epochs.schema
    for wrong, there in ((100, "there are 100 rows, numbered from 0"), (-1, "numbered from 0")):
        with pytest.raises(IndexError, match=f"no row {wrong}: .*{there}"):
            epochs.take([0, wrong])
    followed = respool.epochs(respool.cache(table().to_reader()), batch_size=1, follow=True)
    with pytest.raises(IndexError, match="no row 5 yet: 0 rows were read of a source that is"):
        followed.take([5])
    with pytest.raises(ValueError, match="nulls"):
        epochs.take([1, None])


# --- arrays ---


def test_arrays_that_ctrl_c_kept_from_being_made_are_no_step_that_was_done(monkeypatch):
    epochs = respool.epochs(cached(), batch_size=5)
    whole = [step["id"].tolist() for step in epochs.arrays()]
    epochs.set_epoch(0)
    steps = epochs.arrays()
    had = [next(steps)["id"].tolist()]

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(np, "asarray", interrupted)
        with pytest.raises(KeyboardInterrupt):
            next(steps)
    assert epochs.steps_done == 1
    epochs.load_state_dict(epochs.state_dict())
    assert had + [step["id"].tolist() for step in epochs.arrays()] == whole


def test_arrays_can_be_written_to_and_are_nobody_elses():
    lists = pa.array([[i, i + 1, i + 2] for i in range(20)], pa.list_(pa.int16(), 3))
    data = pa.table(
        {
            "id": pa.array(range(20), pa.int64()),
            "yes": [i % 3 == 0 for i in range(20)],
            "half": pa.array(np.arange(20, dtype="f2")),
            "lists": lists,
            **{kind: pa.array(range(20), kind) for kind in ("uint8", "int32", "float32")},
        }
    )
    cache = respool.cache(data.to_reader(6), disk=None)
    cache.ingest_all()
    kept = []
    for step in respool.epochs(cache, batch_size=4).arrays():
        rows = step["id"].copy()
        assert [array.dtype.name for array in step.values()] == [
            "int64", "bool", "float16", "int16", "uint8", "int32", "float32",
        ]  # fmt: skip
        assert np.array_equal(step["yes"], rows % 3 == 0)
        assert np.array_equal(step["lists"], rows[:, None] + np.arange(3))
        for name in ("half", "uint8", "int32", "float32"):
            assert np.array_equal(step[name], rows)
        for array in step.values():
            assert array.flags.writeable
            assert array.flags.c_contiguous
            array[:] = 1
        kept.append((rows, step))
    assert sorted(flat([rows.tolist() for rows, _ in kept])) == list(range(20))
    assert pa.table(cache).equals(data)
    assert all((array == 1).all() for _, step in kept for array in step.values())


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array(["a", "b"]), "column 'c' is string, and"),
        (pa.array([1, 2], pa.timestamp("s")), r"column 'c' is timestamp\[s\], and"),
        (pa.array([[1], [2]]), "column 'c' is list<int64>, and"),
        (pa.array([1, 2], pa.decimal128(5, 1)), r"column 'c' is decimal128\(5, 1\), and"),
        (
            pa.array([[True], [False]], pa.list_(pa.bool_(), 1)),
            r"column 'c' is fixed_size_list<bool>\[1\], and",
        ),
    ],
)
def test_what_is_no_number_is_no_array(column, said):
    cache = respool.StreamCache(pa.table({"a": [1, 2], "c": column}))
    cache.ingest_all()
    with pytest.raises(ValueError, match=said.replace("'", '"')):
        respool.epochs(cache, batch_size=1).arrays()
    step = next(respool.epochs(cache, batch_size=2, columns=["a"], shuffle=None).arrays())
    assert step["a"].tolist() == [1, 2]


LISTS = pa.list_(pa.int8(), 1)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None]),
        pa.array([True, None]),
        pa.array([[1], [None]], LISTS),
        pa.array([[1], None], LISTS),
        pa.array([[[1]], [None]], pa.list_(LISTS, 1)),
        pa.array([[[1]], [[None]]], pa.list_(LISTS, 1)),
    ],
)
def test_nulls_are_no_numbers(column):
    cache = respool.StreamCache(pa.table({"a": [1, 2], "c": column}))
    cache.ingest_all()
    with pytest.raises(ValueError, match='column "c" has nulls'):
        next(respool.epochs(cache, batch_size=2).arrays())
    assert sorted(map(str, next(iter(respool.epochs(cache, batch_size=2)))["c"].to_pylist()))


# --- what can't be ---


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "batch_size is a number of rows from 1 on, not 0"),
        ({"batch_size": -8}, "batch_size is a number of rows from 1 on, not -8"),
        ({"batch_size": 10, "rank": 0, "world_size": 3}, "a multiple of world_size"),
        ({"batch_size": 10, "rank": 2, "world_size": 2}, "rank is from 0 to 1"),
        ({"batch_size": 10, "rank": 0, "world_size": 0}, "world_size is a number from 1 on, not 0"),
        ({"batch_size": 10, "rank": 1}, "given together"),
        ({"batch_size": 10, "rank": -1, "world_size": 2}, "rank is a number from 0 on, not -1"),
        (
            {"batch_size": 10, "rank": 0, "world_size": -2},
            "world_size is a number from 1 on, not -2",
        ),
        ({"batch_size": 10, "prefetch": -1}, "prefetch is a number of steps from 0 on, not -1"),
        ({"batch_size": 10, "window": 0}, "window is a number of batches from 1 on, not 0"),
        ({"batch_size": 10, "window": -1}, "window is a number of batches from 1 on, not -1"),
        ({"batch_size": 10, "shuffle": "rows"}, "shuffle is"),
        ({"batch_size": 10, "tail": "cut"}, "tail is"),
        ({"batch_size": 10, "seed": -1}, "seed is a number"),
        ({"batch_size": 10, "seed": 2**64}, "seed is a number"),
        ({"batch_size": 10, "columns": ["y"]}, "no column"),
    ],
)
def test_options_that_make_no_sense_are_refused(log, options, said):
    with pytest.raises(ValueError, match=said):
        respool.epochs(log, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"prefetch": "64 MiB"}, "prefetch is a number of steps from 0 on, not '64 MiB'"),
        ({"batch_size": "64"}, "batch_size is a number of rows from 1 on, not '64'"),
        ({"window": 1.5}, "window is a number of batches from 1 on, not 1.5"),
        ({"rank": "0", "world_size": 1}, "rank is a number from 0 on, not '0'"),
        ({"rank": 0, "world_size": 1.0}, "world_size is a number from 1 on, not 1.0"),
        ({"shuffle": True}, 'shuffle is "window", "batches" or None, not True'),
        ({"shuffle": False}, 'shuffle is "window", "batches" or None, not False'),
        ({"seed": None}, r"seed is a number from 0 to 2\*\*64 - 1, not None"),
        ({"seed": "7"}, r"seed is a number from 0 to 2\*\*64 - 1, not '7'"),
        ({"seed": 1.5}, r"seed is a number from 0 to 2\*\*64 - 1, not 1\.5"),
        ({"seed": True}, r"seed is a number from 0 to 2\*\*64 - 1, not True"),
        ({"tail": None}, 'tail is "drop" or "pad", not None'),
        ({"columns": 5}, r"columns is a list of names, as in columns=\['x'\], not 5"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_name(log, options, said):
    with pytest.raises(TypeError, match=said):
        respool.epochs(log, **{"batch_size": 10, **options})
    assert len(respool.epochs(log, batch_size=10, prefetch=np.int64(1)))


@pytest.mark.parametrize("source", [table(), table().to_reader(), table().to_batches(), None, 7])
def test_what_is_neither_a_cache_nor_a_path_is_told_what_to_do(source):
    with pytest.raises(TypeError, match=r"make a cache of it first, with respool\.cache"):
        respool.epochs(source, batch_size=10)


def test_what_may_not_be_there_again_is_refused():
    used_up = respool.StreamCache(table(), max_readers=1)
    used_up.ingest_all()
    with pytest.raises(ValueError, match="max_readers"):
        respool.epochs(used_up, batch_size=1)
    with pytest.raises(ValueError, match="ingest_all"):
        respool.epochs(respool.StreamCache(table()), batch_size=1)


def test_a_source_that_failed_is_read_as_far_as_it_came():
    def source():
        yield from table().to_batches()[:2]
        raise ZeroDivisionError("on purpose")

    cache = respool.StreamCache(source(), schema=table().schema)
    with pytest.raises(ZeroDivisionError):
        cache.ingest_all()
    with pytest.raises(ZeroDivisionError):
        respool.epochs(cache, batch_size=1)
    assert sorted(flat(ids(respool.epochs(cache.prefix(), batch_size=4)))) == list(range(20))


def test_one_name_is_no_list_of_columns():
    # Letter by letter it would be the columns a and b.
    cache = respool.cache(pa.table({"a": [1], "b": [2], "ab": [3]}))
    cache.ingest_all()
    with pytest.raises(TypeError, match="columns is a list of names"):
        respool.epochs(cache, batch_size=1, columns="ab")
    assert respool.epochs(cache, batch_size=1, columns=("b", 0)).schema.names == ["b", "a"]


def test_a_step_of_more_rows_than_can_be_is_refused():
    with pytest.raises(ValueError, match="at most 4,294,967,295 rows"):
        respool.epochs(cached(), batch_size=2**60, tail="pad")


HUGE = """
import resource, sys
import pyarrow as pa, respool
data = pa.table({"x": pa.array(range(100), pa.float64()), "s": ["a"] * 100, "b": [True] * 100})
cache = respool.cache(data.to_reader(10))
cache.ingest_all()
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for column in data.column_names:
    for prefetch in (0, 2):
        for shuffle in ("window", None):
            epochs = respool.epochs(
                cache, batch_size=2**32 - 1, tail="pad", columns=[column], prefetch=prefetch,
                shuffle=shuffle, window=1,
            )
            for form in ("batches", "arrays")[: 1 if column == "s" else 2]:
                steps = iter(epochs) if form == "batches" else epochs.arrays()
                for _ in range(2):
                    try:
                        next(steps)
                    except MemoryError as error:
                        said = "cannot gather a step of 4294967295 rows: that takes "
                        assert str(error).startswith(said), error
                    else:
                        sys.exit("no error")
wide = pa.table({"s": ["s" * (1 << 20)] * 10, "b": pa.array([b"b" * (1 << 20)] * 10, pa.binary(1 << 20))})
for column in wide.column_names:
    cache = respool.cache(wide.select([column]).to_reader(5))
    cache.ingest_all()
    epochs = respool.epochs(cache, batch_size=20_000, tail="pad")
    for use in (lambda: next(iter(epochs)), lambda: epochs.take([3] * 20_000)):
        try:
            use()
        except MemoryError as error:
            assert str(error).startswith("cannot gather a step of 20000 rows: that takes "), error
        else:
            sys.exit("no error")
    assert epochs.take([3]).num_rows == 1
cache = respool.cache(data.to_reader(10))
cache.ingest_all()
print(next(iter(respool.epochs(cache, batch_size=1000, tail="pad"))).num_rows)
"""


def test_a_step_that_memory_can_not_hold_is_a_memory_error():
    # Not a panic of the buffers, and not the end of the process.
    assert processes.run(HUGE).strip() == "1000"


def test_numbers_of_any_size_are_numbers(log):
    assert len(respool.epochs(log, batch_size=10, prefetch=2**70, window=2**70)) == 10
    with pytest.raises(ValueError, match="rank is from 0 to 0"):
        respool.epochs(log, batch_size=10, rank=2**70, world_size=1)


def test_no_epoch_comes_after_the_last_one(log):
    epochs = respool.epochs(log, batch_size=10)
    epochs.set_epoch(2**64 - 1)
    assert len(list(epochs)) == 10
    assert epochs.epoch == 2**64 - 1


def test_a_place_behind_the_end_of_a_source_that_is_followed_is_told():
    def batches(count):
        return (pa.record_batch({"x": [i]}) for i in range(count))

    schema = pa.schema({"x": pa.int64()})
    longer = respool.epochs(respool.cache(batches(9), schema=schema), batch_size=1, follow=True)
    steps = iter(longer)
    for _ in range(5):
        next(steps)
    shorter = respool.epochs(respool.cache(batches(3), schema=schema), batch_size=1, follow=True)
    shorter.load_state_dict(longer.state_dict())
    with pytest.raises(ValueError, match="rows_done"):
        list(shorter)
    one = respool.epochs(respool.cache(batches(3), schema=schema), batch_size=1, follow=True)
    one.load_state_dict({**one.state_dict(), "rows_done": 2**64 - 1})
    with pytest.raises(ValueError, match="rows_done"):
        list(one)
