"""What `respool.ls` gives, as other code takes it apart."""

import copy
import dataclasses
import pickle
import typing

import polars as pl
import pyarrow as pa
import pytest

import processes
import respool
from respool._named import whole


@pytest.fixture
def listed(log_dir):
    """Two named caches as they are listed."""
    table = pa.table({"n": [1, 2]})
    for name, options in (("a", {"metadata": {"by": ["me"]}}), ("b", {"key": "EU", "ttl": 60})):
        respool.named(name, lambda: table, directory=log_dir, ingest=True, **options).close()
    return respool.ls(log_dir)


def test_what_is_listed_makes_a_data_frame(listed):
    frame = pl.DataFrame(listed)
    assert frame.columns == [field.name for field in dataclasses.fields(respool.NamedCache)]
    assert frame["name"].to_list() == ["a", "b"]
    assert frame["nbytes"].sum() == sum(one.nbytes for one in listed)
    assert frame["expires"].is_null().to_list() == [True, False]


def test_what_is_listed_has_a_hash_and_can_be_copied(listed):
    assert len({*listed, *copy.deepcopy(listed), *pickle.loads(pickle.dumps(listed))}) == 2
    assert dataclasses.asdict(listed[0])["metadata"] == {"by": ["me"]}


HINTS = """
import sys, typing
import respool
from respool._named import whole
things = (respool.NamedCache, respool.named, respool.ls, respool.rm, respool.prune)
print(*(len(typing.get_type_hints(thing)) for thing in things), "pyarrow" in sys.modules)
"""


def test_hints_of_types_can_be_read_and_cost_no_import():
    *counts, is_loaded = processes.run(HINTS).split()
    assert all(int(count) >= 2 for count in counts)
    assert is_loaded == "False"
    assert typing.get_type_hints(respool.named)["return"] is respool.StreamCache


def test_what_is_filled_anew_meanwhile_is_none_that_lacks_a_file(listed, log_dir, monkeypatch):
    missing, logs = whole.missing, []

    def replaced(log):
        logs.append(log)
        if len(logs) == 1:
            with respool.named(
                "a", lambda: pa.table({"n": [3]}), key="new", directory=log_dir
            ) as it:
                it.ingest_all()
            respool.prune(directory=log_dir)
            assert not log.exists()
        return missing(log)

    monkeypatch.setattr(whole, "missing", replaced)
    assert [(one.state, one.rows) for one in respool.ls(log_dir)] == [
        ("complete", 1),
        ("complete", 2),
    ]
    assert logs[0] == listed[0].path
