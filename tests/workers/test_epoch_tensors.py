"""What columns become as tensors, and what is refused."""

import datetime as dt
import decimal
import math
import signal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import processes
import respool

torch = pytest.importorskip("torch")

from respool.torch import EpochDataset  # noqa: E402


def stored(columns):
    cache = respool.cache(pa.table(columns).to_reader(3))
    cache.ingest_all()
    return cache


def steps(table, **options):
    with stored(table) as cache:
        return list(EpochDataset(cache, **{"batch_size": 2, "shuffle": None, **options}))


SAME = ["int8", "int16", "int32", "int64", "uint8", "uint64", "float16", "float32", "float64"]
KINDS = {
    **{name: (name, getattr(torch, name)) for name in SAME},
    "bool": ("bool", torch.bool),
    "uint16": ("uint16", torch.int32),
    "uint32": ("uint32", torch.int64),
}


@pytest.mark.parametrize("beside", ["numbers", "objects", "a null value"])
@pytest.mark.parametrize("name", KINDS)
def test_numbers(name, beside):
    """By the way of arrays, and by that of record batches, which other columns and options make necessary."""
    values = [True, False, True, True] if name == "bool" else [0, 1, 2, 3]
    if name.startswith("uint"):
        values[3] = np.iinfo(name).max
    column = pa.array(np.array(values, dtype=name))
    columns = {"x": column, **({"s": ["a", "b", "c", "d"]} if beside == "objects" else {})}
    given = steps(
        columns,
        objects=beside == "objects",
        null_value={"x": values[1]} if beside == "a null value" else None,
    )
    assert [step["x"].dtype for step in given] == [KINDS[name][1]] * 2
    assert [step["x"].tolist() for step in given] == [values[:2], values[2:]]
    if beside == "objects":
        assert [step["s"] for step in given] == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize("shuffle", ["window", "batches", None])
def test_tensors_may_be_written_to(shuffle):
    columns = {"x": [1.0, 2.0, 3.0, 4.0], "t": pa.array([1, 2, 3, 4], pa.timestamp("us"))}
    with stored(columns) as cache:
        for names in (["x"], ["x", "t"]):
            epochs = EpochDataset(cache, batch_size=2, shuffle=shuffle, columns=names)
            for step in epochs:
                for tensor in step.values():
                    tensor.mul_(0)
        assert pa.table(cache)["x"].to_pylist() == [1.0, 2.0, 3.0, 4.0]
        assert pa.table(cache)["t"].cast(pa.int64()).to_pylist() == [1, 2, 3, 4]


def test_dates_and_times_are_the_integers_of_arrow():
    days, moments = [dt.date(1970, 1, 3), dt.date(2026, 1, 1)], [5, -7]
    kinds = [pa.timestamp("ns", "Europe/Rome"), pa.duration("s"), pa.time64("us"), pa.date64()]
    columns = {
        "date32": pa.array(days, pa.date32()),
        "time32": pa.array([1, 2], pa.time32("s")),
        **{str(kind): pa.array([86_400_000, 0], pa.int64()).view(kind) for kind in kinds},
    }
    (step,) = steps(columns)
    assert step.pop("date32").tolist() == [2, (days[1] - dt.date(1970, 1, 1)).days]
    assert step.pop("time32").dtype == torch.int32
    assert len(step) == len(kinds)
    assert all(t.dtype == torch.int64 and t.tolist() == [86_400_000, 0] for t in step.values())


def test_lists_of_a_fixed_size_are_a_dimension():
    numbers = np.arange(24, dtype=np.float32)
    pairs = pa.FixedSizeListArray.from_arrays(pa.array(numbers[:8]), 2)
    nested = pa.FixedSizeListArray.from_arrays(
        pa.FixedSizeListArray.from_arrays(pa.array(numbers), 3), 2
    )
    flags = pa.FixedSizeListArray.from_arrays(pa.array([True, False] * 4), 2)
    shaped = pa.FixedShapeTensorArray.from_numpy_ndarray(numbers.reshape(4, 2, 3))
    given = steps({"pairs": pairs, "nested": nested, "flags": flags, "shaped": shaped})
    for name, whole in (
        ("pairs", numbers[:8].reshape(4, 2)),
        ("nested", numbers.reshape(4, 2, 3)),
        ("flags", np.array([[True, False]] * 4)),
        ("shaped", numbers.reshape(4, 2, 3)),
    ):
        joined = torch.cat([step[name] for step in given])
        assert joined.shape == whole.shape
        assert np.array_equal(joined.numpy(), whole)
    (one,) = steps({"pairs": pairs}, batch_size=4)
    assert np.array_equal(one["pairs"].numpy(), numbers[:8].reshape(4, 2))


def test_dictionaries_are_their_values():
    codes = pa.array([3.5, 1.5, 3.5, 1.5]).dictionary_encode()
    given = steps({"x": codes})
    assert torch.cat([step["x"] for step in given]).tolist() == [3.5, 1.5, 3.5, 1.5]


REFUSED = {
    "decimal": (pa.array([decimal.Decimal("1.5")] * 2), "to float64"),
    "text": (pa.array(["a", "b"]), "columns="),
    "binary": (pa.array([b"a", b"b"]), "columns="),
    "list": (pa.array([[1], [2, 3]]), "fixed_size_list"),
    "struct": (pa.array([{"a": 1}, {"a": 2}]), "unnest"),
    "null": (pa.nulls(2), "columns="),
    "text in dictionaries": (pa.array(["a", "b"]).dictionary_encode(), "columns="),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_none_of_numbers_is_refused_or_an_object(name):
    column, advice = REFUSED[name]
    with pytest.raises(TypeError, match="'it'") as refused:
        steps({"n": [1, 2], "it": column})
    assert advice in str(refused.value)
    assert "objects=True" in str(refused.value)
    (step,) = steps({"n": [1, 2], "it": column}, objects=True)
    assert step["it"] == column.to_pylist()
    (step,) = steps({"n": [1, 2], "it": column}, columns=["n"])
    assert step.keys() == {"n"}


@pytest.mark.parametrize("kind", ["int64", "float32", "bool", "timestamp[us]"])
def test_nulls_are_an_error_at_their_step_and_stay_one(kind):
    """The next step is not the end of the epoch."""
    column = pa.array([1, 0, None, 1], pa.int64()).cast(pa.type_for_alias(kind))
    with stored({"n": range(4), "it": column}) as cache:
        epochs = EpochDataset(cache, batch_size=2, shuffle=None)
        given = iter(epochs)
        assert next(given)["n"].tolist() == [0, 1]
        for _ in range(2):
            with pytest.raises(ValueError, match=r"it.*has nulls") as error:
                next(given)
            assert "null_value" in "".join(
                [str(error.value), *getattr(error.value, "__notes__", [])]
            )
        assert epochs.steps_done == 1


def test_an_error_that_is_not_of_nulls_has_no_advice_for_them():
    cache = respool.cache(pa.table({"n": range(100)}).to_reader(10))
    cache.ingest_all()
    epochs = EpochDataset(cache, batch_size=10)
    cache.close()
    with pytest.raises(ValueError, match="the cache is closed") as error:
        list(epochs)
    assert not hasattr(error.value, "__notes__")


def test_null_values_stand_for_nulls():
    nulls = {
        "i": pa.array([None, 2]),
        "f": pa.array([None, 2.5]),
        "b": pa.array([None, False]),
        "t": pa.array([None, 5], pa.timestamp("us")),
        "d": pa.array([None, 7.0]).dictionary_encode(),
    }
    fill = {"i": -1, "f": math.nan, "b": True, "t": dt.datetime(1970, 1, 1), "d": 0.0}  # noqa: DTZ001
    (step,) = steps(nulls, null_value=fill)
    assert step["i"].tolist() == [-1, 2]
    assert step["f"][0].isnan()
    assert step["f"][1] == 2.5
    assert step["b"].tolist() == [True, False]
    assert step["t"].tolist() == [0, 5]
    assert step["d"].tolist() == [0.0, 7.0]


@pytest.mark.parametrize("value", [0.5, np.float32(1.5)])
def test_a_null_value_is_a_whole_number_where_the_column_is_of_such(value):
    with pytest.raises(ValueError, match="none of column 'i', of int64: it is no whole number"):
        steps({"i": pa.array([None, 2])}, null_value={"i": value})
    for whole in (1, 1.0, np.int8(1), pa.scalar(1)):
        (step,) = steps({"i": pa.array([None, 2])}, null_value={"i": whole})
        assert step["i"].tolist() == [1, 2]


def test_nulls_among_objects_are_none_and_nothing_else():
    with pytest.raises(ValueError, match="column 's', which comes as Python objects"):
        steps({"s": pa.array(["a", None])}, null_value={"s": "-"}, objects=True)
    (step,) = steps({"s": pa.array(["a", None])}, objects=True)
    assert step["s"] == ["a", None]


def test_lists_that_are_null_are_an_error_and_those_with_nulls_are_filled():
    lists = pa.array([[1.0, 2.0], None], pa.list_(pa.float64(), 2))
    with pytest.raises(ValueError, match="'it' has lists that are null"):
        steps({"it": lists}, null_value={"it": 0})
    inner = pa.array([[1.0, None], [None, 4.0]], pa.list_(pa.float64(), 2))
    (step,) = steps({"it": inner}, null_value={"it": 0})
    assert step["it"].tolist() == [[1.0, 0.0], [0.0, 4.0]]
    with pytest.raises(ValueError, match="has nulls"):
        steps({"it": inner})


def test_pinned_memory_is_that_of_an_accelerator(monkeypatch):
    """There is none here, so PyTorch is told that there is, and its copy to pinned memory is watched."""
    pinned = []
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor.clone()
    )
    given = steps({"x": [1, 2, 3, 4], "s": ["a"] * 4}, pin_memory=True, objects=True)
    assert len(pinned) == len(given) == 2
    # The same structure goes through the thread of a DataLoader that pins.
    from torch.utils.data._utils.pin_memory import pin_memory

    again = pin_memory(given[0])
    assert again["x"].tolist() == [1, 2]
    assert again["s"] == ["a", "a"]
    assert len(pinned) == 3


def test_without_an_accelerator_nothing_is_pinned():
    assert not torch.accelerator.is_available()
    (step, _) = steps({"x": [1, 2, 3, 4]}, pin_memory=True)
    assert not step["x"].is_pinned()


@pytest.fixture
def log(log_dir):
    table = pa.table(
        {"x": [float(n) for n in range(2000)], "u": pa.array(range(2000), pa.uint16())}
    )
    with respool.cache(table.to_reader(400), path=log_dir / "log") as cache:
        cache.ingest_all()
    return log_dir / "log"


@pytest.mark.parametrize("tail", ["drop", "pad"])
@pytest.mark.parametrize("world_size", [1, 2])
def test_zero_copy_gives_the_same_rows(log, tail, world_size):
    options = {"batch_size": 300, "shuffle": None, "world_size": world_size, "tail": tail}
    for rank in range(world_size):
        shared = EpochDataset(log, rank=rank, zero_copy=True, **options)
        copied = EpochDataset(log, rank=rank, **options)
        pairs = list(zip(shared, copied, strict=True))
        assert len(pairs) == len(shared) == (6 if tail == "drop" else 7)
        for one, other in pairs:
            assert torch.equal(one["x"], other["x"])
            assert torch.equal(one["u"], other["u"])
    shared = EpochDataset(log, rank=0, zero_copy=True, **options)
    shared.load_state_dict(copied.state_dict(steps=2))
    assert len(list(shared)) == len(copied) - 2


def mapped(tensor):
    """The file whose map a tensor points into."""
    address = tensor.data_ptr()
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, access, *_, name = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in place.split("-"))
        if start <= address < end:
            return access, name
    raise AssertionError("the address is nowhere")


def test_zero_copy_shares_pages_that_nobody_can_write_to(log):
    shared = EpochDataset(log, batch_size=200, shuffle=None, zero_copy=True)
    places = [mapped(step["x"]) for step in shared]
    assert len(places) == 10
    assert {access for access, _ in places} <= {"r--s", "r--p"}
    assert all(str(log) in name for _, name in places)
    copied = EpochDataset(log, batch_size=200, shuffle=None)
    assert all(mapped(step["x"])[0].startswith("rw") for step in copied)


WRITES = """
import sys
from respool.torch import EpochDataset
step = next(iter(EpochDataset(sys.argv[1], batch_size=200, shuffle=None, zero_copy=True)))
print("shared", float(step["x"].sum()), flush=True)
step["x"].add_(1)
print("written")
"""


def test_a_write_to_a_shared_page_kills_the_process_as_the_page_says(log):
    child = processes.start(WRITES, log)
    with processes.killed_at_the_end(child):
        out, _ = child.communicate(timeout=50)
    assert out.split() == ["shared", "19900.0"]
    assert child.returncode == -signal.SIGSEGV


def test_zero_copy_needs_rows_as_they_lie(log):
    with respool.open(log) as cache, pytest.raises(ValueError, match="without a filter"):
        EpochDataset(cache.filter([("x", ">", 5)]), batch_size=2, shuffle=None, zero_copy=True)
