"""What a key that is none is told: a way to one that tells it from others, and that is taken."""

import collections
import datetime as dt
import decimal
import enum
import json
import pathlib
import re
import uuid

import numpy as np
import pandas as pd
import pytest

import respool
from sources import Source


class Colour(enum.Enum):
    RED = 1
    ODD = object()


class Word(str, enum.Enum):  # noqa: UP042 - a text of another type
    A = "a"


class Text(str):
    __slots__ = ()


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024

VALUES = [
    ({"city": "Bonn"}, "tuple(sorted(value.items()))"),
    ({"city": {"name": "Bonn"}}, "json.dumps(value, sort_keys=True)"),
    ([1, 2], "tuple(value)"),
    ([1, [2]], "json.dumps(value)"),
    ({3, 1}, "tuple(sorted(value))"),
    (frozenset("ab"), "tuple(sorted(value))"),
    (Point(1, 2), "tuple(value)"),
    (dt.timedelta(hours=1), "value.total_seconds()"),
    (dt.time(1), "value.isoformat()"),
    (Colour.RED, "value.value"),
    (Colour.ODD, "value.name"),
    (Word.A, "value.value"),
    (decimal.Decimal("1.5"), "str(value)"),
    (uuid.UUID(int=1), "str(value)"),
    (pathlib.Path("a"), "str(value)"),
    (bytearray(b"a"), "bytes(value)"),
    (np.int64(1), "value.item()"),
    (np.timedelta64(1, "s"), "value.item().total_seconds()"),
    (np.complex128(1j), "str(value)"),
    (np.arange(4).reshape(2, 2), "(value.dtype.str, value.shape, value.tobytes())"),
    (np.array([object()]), None),
    (pd.Timestamp("2026-01-01 00:00:00.000000001"), "value.isoformat()"),
    (pd.Timedelta("1 ns"), "value.isoformat()"),
    ({1: {}}, None),
    ([1, (2, object())], None),
    (memoryview(b"a"), None),
    (Text("a"), None),
    (object(), None),
]


@pytest.mark.parametrize(("value", "way"), VALUES, ids=lambda it: str(it)[:20])
def test_what_is_advised_is_taken(log_dir, value, way):
    for key in (value, (value,), ("a", (value,))):
        with pytest.raises(TypeError, match="key") as error:
            respool.named("trips", Source().reader, key=key, directory=log_dir)
        if way is None:
            assert "give a text, or bytes" in str(error.value)
            continue
        assert way in str(error.value)
        shown = (
            re.search(r"give it as key=(.*)$", str(error.value))[1] if key is value else f"({way},)"
        )
        taken = eval(shown, {"value": value, "json": json})  # noqa: S307 - that is what is shown
        respool.named("trips", Source().reader, key=taken, directory=log_dir).close()


@pytest.mark.parametrize("value", [1, b"a", 1.5, True, dt.date(2026, 1, 1)])
def test_a_single_value_goes_into_a_tuple(log_dir, value):
    with pytest.raises(TypeError, match=r"key=\(value,\)$"):
        respool.named("trips", Source().reader, key=value, directory=log_dir)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00"])
def test_a_moment_that_utc_has_no_date_for_is_refused(text):
    with pytest.raises(ValueError, match="in UTC"):
        respool.named("trips", pytest.fail, key=(dt.datetime.fromisoformat(text),))
