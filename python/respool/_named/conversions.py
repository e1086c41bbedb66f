"""How what is no key becomes one, for messages: nothing that loses a part of it, or is refused in turn."""

import datetime as dt
import enum
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any


def conversion(value: object, is_plain: Callable[[object], bool]) -> tuple[str, object] | None:
    """Return code that makes a plain value of ``value``, and what it gives; None if none is known."""
    for code, convert in _ways(value):
        # What `value` is, nobody knows: its methods may raise anything.
        with suppress(Exception):
            plain = convert(value)
            if is_plain(plain):
                return code, plain
    return None


def _ways(value: Any) -> Iterator[tuple[str, Callable[[Any], object]]]:  # noqa: ANN401, C901
    if isinstance(value, enum.Enum):
        yield "value.value", lambda it: it.value
        yield "value.name", lambda it: it.name
    elif hasattr(value, "isoformat"):  # Pandas has nanoseconds, which a datetime would lose
        yield "value.isoformat()", lambda it: it.isoformat()
    elif isinstance(value, dt.timedelta):
        yield "value.total_seconds()", lambda it: it.total_seconds()
    elif isinstance(value, Mapping):
        yield "tuple(sorted(value.items()))", lambda it: tuple(sorted(it.items()))
        yield "json.dumps(value, sort_keys=True)", partial(_json, sort_keys=True)
    elif isinstance(value, set | frozenset):
        yield "tuple(sorted(value))", lambda it: tuple(sorted(it))
    elif isinstance(value, list | tuple):
        yield "tuple(value)", tuple
        yield "json.dumps(value)", _json
    elif getattr(value, "shape", None) == () and hasattr(value, "item"):  # a scalar of NumPy
        yield "value.item()", lambda it: it.item()
        yield "value.item().total_seconds()", lambda it: it.item().total_seconds()
        yield "str(value)", str
    elif hasattr(value, "tobytes") and not getattr(
        getattr(value, "dtype", None), "hasobject", True
    ):
        array = "(value.dtype.str, value.shape, value.tobytes())"
        yield array, lambda it: (it.dtype.str, it.shape, it.tobytes())
    elif isinstance(value, bytes | bytearray):
        yield "bytes(value)", bytes
    elif isinstance(value, int):
        yield "int(value)", int
    elif isinstance(value, float):
        yield "float(value)", float
    elif type(value).__module__ in _EXACT:
        yield "str(value)", str


def _json(value: object, **options: bool) -> str:
    text = json.dumps(value, **options)  # type: ignore[arg-type]
    if json.loads(text) != value:
        raise ValueError("JSON has no such types")
    return text


_EXACT = {"decimal", "fractions", "ipaddress", "pathlib", "uuid"}
"""Modules of Python whose values are equal where their texts are."""
