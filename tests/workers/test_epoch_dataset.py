"""Epochs as a dataset of PyTorch: one order, whoever gives it, and a place in it that can be taken up again."""

import copy
import json
import pickle
import threading
import time

import numpy as np
import pyarrow as pa
import pytest

import processes
import respool

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader  # noqa: E402

from respool.torch import EpochDataset  # noqa: E402

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),
]
METHODS = ["fork", "spawn", "forkserver"]
ROWS, BATCH = 1000, 24
"""41 steps, and 16 rows that fill none; 24 is a multiple of 2, 3 and 4."""


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("epochs") / "log"
    table = pa.table({"n": range(ROWS), "x": [n / 2 for n in range(ROWS)]})
    with respool.cache(table.to_reader(50), path=path, allow_tmpfs=True) as cache:
        cache.ingest_all()
    return path


def dataset(log, **options):
    return EpochDataset(log, **{"batch_size": BATCH, "window": 4, **options})


def loader(of, workers=0, method=None, **options):
    return DataLoader(
        of,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=method if workers else None,
        **options,
    )


def ids(steps):
    return [step["n"].tolist() for step in steps]


@pytest.fixture(scope="module")
def orders(log):
    """The first epochs, as one process reads them."""
    with respool.open(log) as cache:
        epochs = respool.epochs(cache, batch_size=BATCH, window=4)
        found = []
        for epoch in range(4):
            epochs.set_epoch(epoch)
            found.append([step["n"].to_pylist() for step in epochs])
    assert len(found[0]) == ROWS // BATCH
    assert sorted(n for step in found[0] for n in step) != list(range(ROWS))
    assert found[0] != found[1]
    return found


@pytest.mark.parametrize(
    ("workers", "method"),
    [
        (0, None),
        (1, "fork"),
        (2, "fork"),
        (3, "fork"),
        (1, "spawn"),
        (3, "spawn"),
        (2, "forkserver"),
    ],
)
def test_the_order_is_one_whatever_the_workers(log, orders, workers, method):
    epochs = dataset(log)
    given = list(loader(epochs, workers, method))
    assert ids(given) == orders[0]
    assert all(torch.equal(step["x"], step["n"] / 2) for step in given)
    epochs.set_epoch(2)
    assert ids(loader(epochs, workers, method)) == orders[2]


@pytest.mark.parametrize("method", METHODS)
def test_workers_that_persist_are_told_of_the_epoch_and_of_a_place(log, orders, method):
    epochs = dataset(log)
    steps = loader(epochs, 2, method, persistent_workers=True)
    for epoch in (0, 3, 1):
        epochs.set_epoch(epoch)
        assert ids(steps) == orders[epoch]
    epochs.set_epoch(2)
    epochs.load_state_dict(epochs.state_dict(steps=7))
    assert ids(steps) == orders[2][7:]


@pytest.mark.parametrize("copied", [lambda of: pickle.loads(pickle.dumps(of)), copy.deepcopy])
def test_workers_of_a_copy_are_told_of_the_epoch_too(log, orders, copied):
    original = dataset(log)
    epochs = copied(original)
    persistent = loader(epochs, 2, "fork", persistent_workers=True)
    for epoch in (0, 2):
        epochs.set_epoch(epoch)
        assert ids(persistent) == orders[epoch]
    assert original.epoch == 0


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_ranks_have_equal_parts_of_each_step(log, orders, world_size, workers):
    of_ranks = [
        ids(loader(dataset(log, rank=rank, world_size=world_size), workers, "fork"))
        for rank in range(world_size)
    ]
    assert {len(steps) for steps in of_ranks} == {len(orders[0])}
    together = [[n for part in parts for n in part] for parts in zip(*of_ranks, strict=True)]
    assert together == orders[0]


@pytest.mark.parametrize("tail", ["drop", "pad"])
@pytest.mark.parametrize("workers", [0, 2, 3])
def test_the_length_is_exact(log, tail, workers):
    epochs = dataset(log, tail=tail)
    given = ids(loader(epochs, workers, "fork"))
    assert len(given) == len(epochs) == len(loader(epochs, workers, "fork"))
    assert len(given) == (ROWS // BATCH if tail == "drop" else -(-ROWS // BATCH))
    assert {len(step) for step in given} == {BATCH}
    if tail == "pad":
        every = [n for step in given for n in step]
        assert set(every) == set(range(ROWS))
        assert every[ROWS:] == every[: len(every) - ROWS]


@pytest.mark.parametrize("workers", [0, 2])
def test_resume_with_other_numbers_of_ranks_and_workers(log, workers):
    """2 -> 4 -> 3 ranks: each row once, none missing."""
    had, state = [], None
    for world_size, until in ((2, 11), (4, 25), (3, None)):
        states = []
        for rank in range(world_size):
            epochs = dataset(log, rank=rank, world_size=world_size, tail="pad")
            epochs.set_epoch(5)
            if state:
                epochs.load_state_dict(state)
            began = epochs.steps_done
            steps = iter(loader(epochs, workers, "fork"))
            for _ in range((until or len(epochs)) - began):
                had += next(steps)["n"].tolist()
            if until is None:
                assert next(steps, None) is None
            states.append(epochs.state_dict((until or len(epochs)) if workers else None))
            del steps
        assert all(one == states[0] for one in states)
        state = json.loads(json.dumps(states[0]))
        assert len(json.dumps(state)) < 1024
    # The 8 rows that fill the last step up are the first 8 of the epoch.
    assert len(had) == 42 * BATCH
    assert set(had) == set(range(ROWS))


def test_a_state_is_that_of_epochs_and_the_other_way_round(log, orders):
    epochs = dataset(log)
    epochs.set_epoch(1)
    steps = iter(epochs)
    had = [next(steps)["n"].tolist() for _ in range(5)]
    assert epochs.steps_done == 5
    with respool.open(log) as cache:
        plain = respool.epochs(cache, batch_size=BATCH, window=4)
        plain.load_state_dict(epochs.state_dict())
        had += [step["n"].to_pylist() for _, step in zip(range(6), plain, strict=False)]
        again = dataset(log)
        again.load_state_dict(plain.state_dict())
    assert again.epoch == 1
    assert had + ids(again) == orders[1]


def test_a_place_that_was_loaded_is_kept_for_its_epoch(log, orders):
    epochs = dataset(log)
    epochs.set_epoch(2)
    state = epochs.state_dict(steps=40)
    again = dataset(log)
    again.load_state_dict(state)
    again.set_epoch(2)
    assert (again.epoch, again.steps_done) == (2, 40)
    assert ids(again) == orders[2][40:]
    again.set_epoch(3)
    assert ids(again) == orders[3]


@pytest.mark.parametrize("options", [{}, {"shuffle": None, "zero_copy": True}])
@pytest.mark.parametrize("asks_for_the_end", [True, False])
def test_a_place_that_was_loaded_is_left_out_once_its_epoch_was_read_to_the_end(
    log, options, asks_for_the_end
):
    whole = ids(dataset(log, **options))
    epochs = dataset(log, **options)
    epochs.load_state_dict(epochs.state_dict(steps=38))
    for _ in range(2):
        # Who leaves off has not come to the end.
        assert ids([next(iter(epochs))]) == whole[38:39]
    steps = iter(epochs)
    assert ids(next(steps) for _ in range(3)) == whole[38:]
    if asks_for_the_end:
        assert next(steps, None) is None
    assert epochs.steps_done == 41
    assert ids(epochs) == whole


@pytest.mark.parametrize("workers", [0, 2])
def test_torchdata_gives_whole_epochs_after_the_one_it_resumed(log, orders, workers):
    stateful = pytest.importorskip("torchdata.stateful_dataloader")
    first, second = (
        stateful.StatefulDataLoader(dataset(log), batch_size=None, num_workers=workers)
        for _ in range(2)
    )
    steps = iter(first)
    had = [next(steps)["n"].tolist() for _ in range(10)]
    second.load_state_dict(first.state_dict())
    del steps
    assert had + ids(second) == orders[0]
    # Nobody called `set_epoch`: the order is that of the epoch before, and no step is missing.
    assert ids(second) == orders[0]


def test_the_end_of_an_epoch_is_a_place_too(log):
    epochs = dataset(log)
    for _ in epochs:
        pass
    again = dataset(log)
    again.load_state_dict(epochs.state_dict())
    assert ids(again) == []
    again.set_epoch(1)
    assert len(ids(again)) == len(again)


def test_a_state_of_another_order_is_refused(log):
    state = dataset(log).state_dict(steps=3)
    for options in ({"seed": 1}, {"batch_size": 12}, {"shuffle": None}, {"window": 3}):
        with pytest.raises(ValueError, match=next(iter(options))):
            dataset(log, **options).load_state_dict(state)
    with pytest.raises(ValueError, match="41 steps"):
        dataset(log).state_dict(steps=42)


@pytest.mark.parametrize("steps", [3, np.int64(3), torch.tensor(3)])
def test_a_number_of_steps_of_any_kind_is_a_place_that_json_holds(log, orders, steps):
    state = json.loads(json.dumps(dataset(log).state_dict(steps=steps)))
    again = dataset(log)
    again.load_state_dict(state)
    assert ids(again) == orders[0][3:]


@pytest.mark.parametrize("number", [1.5, 1.0, "1", True, -1])
def test_what_is_no_number_of_an_epoch_or_of_steps_changes_nothing(log, number):
    epochs = dataset(log)
    epochs.set_epoch(2)
    for asked, what in ((epochs.set_epoch, "epoch is a number"), (epochs.state_dict, "steps")):
        with pytest.raises((TypeError, ValueError), match=f"{what}.* from 0 on, not {number!r}"):
            asked(number)
    for refused in (2**63, 2**64):
        with pytest.raises(ValueError, match=r"to 2\*\*63 - 1"):
            epochs.set_epoch(refused)
    with pytest.raises(TypeError, match="not None"):
        epochs.set_epoch(None)
    with pytest.raises(ValueError, match=r"to 2\*\*63 - 1"):
        epochs.load_state_dict({**epochs.state_dict(), "epoch": 2**63})
    for wrong in (None, "state", []):
        with pytest.raises(TypeError, match="the dict that state_dict"):
            epochs.load_state_dict(wrong)
    assert (epochs.epoch, epochs.steps_done) == (2, 0)


def test_with_workers_only_the_loop_knows_how_far_it_is(log, orders):
    epochs = dataset(log)
    steps = iter(loader(epochs, 2, "fork"))
    had = [next(steps)["n"].tolist() for _ in range(4)]
    with pytest.raises(RuntimeError, match="steps="):
        epochs.state_dict()
    again = dataset(log)
    again.load_state_dict(epochs.state_dict(steps=4))
    assert had + ids(again) == orders[0]


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_torchdata_resumes_with_as_many_workers(log, orders, workers):
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    def stateful_loader(of):
        return stateful.StatefulDataLoader(of, batch_size=None, num_workers=workers)

    epochs = dataset(log)
    epochs.set_epoch(1)
    first = stateful_loader(epochs)
    steps = iter(first)
    had = [next(steps)["n"].tolist() for _ in range(10)]
    state = pickle.loads(pickle.dumps(first.state_dict()))
    del steps
    of_workers = list(state["_snapshot"]["_worker_snapshots"].values()) if workers else [state]
    assert len(of_workers) == max(workers, 1)
    assert all(len(json.dumps(one)) < 1024 for one in of_workers)
    fresh = dataset(log)
    second = stateful_loader(fresh)
    second.load_state_dict(state)
    assert had + ids(second) == orders[1]
    fresh.set_epoch(2)
    assert ids(second) == orders[2]
    if workers:
        with pytest.raises(ValueError, match=f"{workers} workers"):
            dataset(log).load_state_dict(of_workers[0]["dataset_state"])


@pytest.mark.parametrize("workers", [0, 2])
def test_torchdata_goes_on_behind_the_end_of_an_epoch(log, orders, workers):
    stateful = pytest.importorskip("torchdata.stateful_dataloader")
    epochs, fresh = dataset(log), dataset(log)
    loaders = [
        stateful.StatefulDataLoader(of, batch_size=None, num_workers=workers)
        for of in (epochs, fresh)
    ]
    epochs.set_epoch(1)
    assert ids(loaders[0]) == orders[1]
    loaders[1].load_state_dict(loaders[0].state_dict())
    for epoch in (2, 3):
        fresh.set_epoch(epoch)  # torchdata loads the state after this
        assert ids(loaders[1]) == orders[epoch]


def test_the_end_of_an_epoch_is_the_beginning_of_the_next_and_of_no_other(log, orders):
    epochs = dataset(log)
    end = epochs.state_dict(steps=len(epochs))
    for at, steps, left in ((1, 0, orders[1]), (1, 2, []), (2, 0, []), (0, 0, [])):
        epochs.set_epoch(at)
        for _ in zip(range(steps), epochs, strict=False):
            pass
        epochs.load_state_dict(end)
        assert ids(epochs) == left
        epochs.set_epoch(5)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_worker_that_finds_another_log_says_so(tmp_path, method):
    path = tmp_path / "log"

    def fill():
        with respool.cache(
            pa.table({"n": range(100)}).to_reader(10), path=path, allow_tmpfs=True
        ) as cache:
            cache.ingest_all()

    fill()
    epochs = EpochDataset(path, batch_size=10)
    path.rename(tmp_path / "before")
    fill()
    with pytest.raises(FileNotFoundError, match="another one is in its place"):
        list(loader(epochs, 1, method))


# PyTorch advises to fork, whatever the error is, before it passes that on.
@pytest.mark.filterwarnings("ignore:Got pickle error when attempting to start a worker")
def test_what_has_no_path_is_read_without_workers(orders):
    table = pa.table({"n": range(ROWS)})
    with respool.cache(table.to_reader(50)) as cache:
        cache.ingest_all()
        epochs = EpochDataset(cache, batch_size=BATCH)
        assert len({n for step in ids(loader(epochs)) for n in step}) == len(epochs) * BATCH
        with pytest.raises(TypeError, match=r"respool\.cache\(source, path="):
            list(loader(epochs, 1, "spawn"))
        with pytest.raises(RuntimeError, match=r"respool\.cache\(source, path=.*num_workers=0"):
            list(loader(epochs, 1, "fork"))


@pytest.mark.parametrize("options", [{}, {"shuffle": None, "zero_copy": True}])
def test_a_new_iteration_ends_the_one_before(log, options):
    epochs = dataset(log, **options)
    before = iter(epochs)
    next(before)
    now = iter(epochs)
    with pytest.raises(RuntimeError, match="this iteration has ended"):
        next(before)
    assert len(list(now)) == len(epochs)


def test_threads_that_share_an_iteration_have_each_step_once(log, orders, monkeypatch):
    epochs = dataset(log)
    make, is_inside = epochs._tensors, threading.Event()

    def slowly(made):
        is_inside.set()
        time.sleep(0.1)
        return make(made)

    monkeypatch.setattr(epochs, "_tensors", slowly)
    steps = iter(epochs)

    def second():
        assert is_inside.wait(5)
        return next(steps)

    assert ids(processes.in_threads(lambda: next(steps), second)) == orders[0][:2]
    assert epochs.steps_done == 2


@pytest.mark.parametrize("options", [{}, {"shuffle": None, "zero_copy": True}])
def test_a_step_that_ctrl_c_took_on_its_way_comes_again(log, options, monkeypatch):
    epochs = dataset(log, **options)
    wanted = [step["n"].tolist() for step in epochs]
    steps = iter(epochs)
    given = [next(steps)["n"].tolist()]

    def interrupted():
        yield next(made)
        next(made)
        raise KeyboardInterrupt

    made = steps._made
    monkeypatch.setattr(steps, "_made", interrupted())
    given.append(next(steps)["n"].tolist())
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert epochs.steps_done == 2
    assert given + [step["n"].tolist() for step in steps] == wanted


def interrupt_at_the_end_of_a_turn(steps, monkeypatch, before=lambda: None):
    """Have Ctrl-C come once, where a step is made and not returned yet."""

    class Interrupted:
        def __enter__(self):
            pass

        def __exit__(self, *_):
            monkeypatch.undo()
            before()
            raise KeyboardInterrupt

    monkeypatch.setattr(steps, "_turn", Interrupted())


@pytest.mark.parametrize("options", [{}, {"shuffle": None, "zero_copy": True}])
def test_ctrl_c_that_comes_as_a_step_is_handed_out_takes_none_away(log, options, monkeypatch):
    whole = ids(dataset(log, **options))
    epochs = dataset(log, **options)
    steps = iter(epochs)
    had = ids([next(steps)])

    interrupt_at_the_end_of_a_turn(steps, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert epochs.steps_done == 1
    assert had + ids(steps) == whole


def test_ctrl_c_takes_no_step_away_while_another_thread_goes_on(log, monkeypatch):
    whole = sorted(ids(dataset(log)))
    epochs = dataset(log)
    steps = iter(epochs)
    had = ids([next(steps)])

    interrupt_at_the_end_of_a_turn(
        steps,
        monkeypatch,
        lambda: had.extend(processes.in_threads(lambda: ids([next(steps)]))[0]),
    )
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert epochs.steps_done == 2
    assert sorted(had + ids(steps)) == whole


def test_an_epoch_that_is_no_number_is_refused_and_changes_nothing(log):
    epochs = dataset(log)
    for wrong in (-1, 1.5, True, None, "1", 1 << 63):
        with pytest.raises((TypeError, ValueError), match="epoch is a number from 0"):
            epochs.set_epoch(wrong)
    with pytest.raises(TypeError, match="steps is a number from 0"):
        epochs.state_dict(steps=1.5)
    assert (epochs.epoch, epochs.steps_done) == (0, 0)


def test_options_that_make_no_sense_are_refused_at_once(log):
    for wrong, said in (
        ({"rank": 0}, "together"),
        ({"batch_size": 0}, "batch_size"),
        ({"rank": 0, "world_size": 5}, "multiple of world_size"),
        ({"shuffle": "rows"}, "shuffle"),
        ({"zero_copy": True}, "shuffle=None"),
        ({"columns": ["n", "n"]}, "two columns"),
        ({"null_value": {"y": 1}}, "'y'"),
        ({"null_value": {"n": "text"}}, "'n'"),
        ({"null_value": {"n": 2**70}}, "is none of column 'n'"),
    ):
        with pytest.raises(ValueError, match=said):
            dataset(log, **wrong)
    for wrong in (0, 0.5, "n", ["n"], True):
        with pytest.raises(TypeError, match=r"null_value is .* as in null_value=\{'n': 0\}, not"):
            dataset(log, null_value=wrong)
    for no_cache in (None, pa.table({"n": [1]})):
        with pytest.raises(TypeError, match=r"^EpochDataset takes a cache .*respool\.cache\("):
            EpochDataset(no_cache, batch_size=1)
