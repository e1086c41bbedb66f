"""The constants of a filter in JSON: a type in words, and values that JSON has.

Floats go as their hexadecimal text, which loses nothing; times as the integers that they are kept as.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMED = {
    **{
        f"{sign}int{bits}": getattr(pa, f"{sign}int{bits}")()
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
    "bool": pa.bool_(),
    "null": pa.null(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "binary": pa.binary(),
    "large_binary": pa.large_binary(),
    "binary_view": pa.binary_view(),
    "date32": pa.date32(),
    "date64": pa.date64(),
}
_PLAIN = {str(kind): name for name, kind in _NAMED.items()}
_MEASURED: dict[str, Callable[..., Any]] = {
    "time32": pa.time32,
    "time64": pa.time64,
    "timestamp": pa.timestamp,
    "duration": pa.duration,
}
_DECIMALS: dict[str, Callable[..., Any]] = {
    "decimal128": pa.decimal128,
    "decimal256": pa.decimal256,
}

_MOST_FIXED = 64 << 10
"""Bytes of values of a fixed size, of which a null takes as many as any: a ticket holds no more of others."""


class ConstantError(ValueError):
    """A constant that can't be sent, or is none."""


def to_json(values: pa.Array[Any]) -> list[Any]:
    """Return a type and values as JSON has them."""
    kind: Any = values.type
    return [_type_to_json(kind), [_value_to_json(kind, value) for value in _plain(values)]]


def from_json(form: Any) -> pa.Array[Any]:  # noqa: ANN401 - anybody's JSON
    """Return the array that was written.

    Raises
    ------
    ConstantError
        If it is none.
    """
    try:
        kind, values = form
        if not isinstance(values, list):
            raise ConstantError("values are a list")
        known = _type_from_json(kind)
        if pa.types.is_fixed_size_binary(known) and known.byte_width * len(values) > _MOST_FIXED:
            raise ConstantError("no ticket has room for such values")
        return _array(known, values)
    except (ArithmeticError, LookupError, TypeError, ValueError, binascii.Error) as error:
        raise ConstantError("a constant of the filter is none") from error
    except pa.ArrowException as error:
        raise ConstantError("a constant of the filter is none of its type") from error


def _type_to_json(kind: Any) -> object:  # noqa: ANN401 - pyarrow's stubs know less of types
    if (name := _PLAIN.get(str(kind))) is not None:
        return name
    if pa.types.is_timestamp(kind):
        return ["timestamp", kind.unit, kind.tz]
    if pa.types.is_time(kind):
        return [f"time{kind.bit_width}", kind.unit]
    if pa.types.is_duration(kind):
        return ["duration", kind.unit]
    if pa.types.is_decimal128(kind) or pa.types.is_decimal256(kind):
        return [f"decimal{kind.bit_width}", kind.precision, kind.scale]
    if pa.types.is_fixed_size_binary(kind):
        return ["fixed_size_binary", kind.byte_width]
    raise ConstantError(
        f"cannot send a filter with a constant of {kind}: filter what comes instead"
    )


def _type_from_json(form: Any) -> Any:  # noqa: ANN401 - anybody's JSON
    if isinstance(form, str):
        return _NAMED[form]
    name, *details = form
    if name in _MEASURED:
        return _MEASURED[name](*details)
    if name in _DECIMALS:
        return _DECIMALS[name](*map(_whole, details))
    if name == "fixed_size_binary":
        (width,) = details
        return pa.binary(_whole(width))
    raise ConstantError("no such type")


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConstantError("no integer")
    return value


def _plain(values: pa.Array[Any]) -> list[Any]:
    if pa.types.is_temporal(values.type):
        width = pa.int32() if values.type.bit_width == 32 else pa.int64()  # noqa: PLR2004
        values = values.view(width)
    found: list[Any] = values.to_pylist()
    return found


def _value_to_json(kind: Any, value: Any) -> object:  # noqa: ANN401 - as above
    if value is None:
        return None
    if pa.types.is_floating(kind):
        return float(value).hex()
    if pa.types.is_decimal(kind):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _array(kind: Any, values: list[Any]) -> pa.Array[Any]:  # noqa: ANN401 - as above
    known: Any = values
    if pa.types.is_temporal(kind):
        width = pa.int32() if kind.bit_width == 32 else pa.int64()  # noqa: PLR2004
        counted: Any = pa.array(_each(_whole, values), width)
        known = counted.view(kind)
    elif pa.types.is_floating(kind):
        known = _each(float.fromhex, values)
    elif pa.types.is_decimal(kind):
        text: Any = pa.array(values, pa.string())
        known = text.cast(kind)
    elif _is_binary(kind):
        known = _each(lambda value: base64.b64decode(value, validate=True), values)
    elif pa.types.is_integer(kind):
        known = _each(_whole, values)
    made: pa.Array[Any] = known if isinstance(known, pa.Array) else pa.array(known, kind)
    return made


def _each(read: Callable[[Any], object], values: list[Any]) -> list[object]:
    return [None if value is None else read(value) for value in values]


def _is_binary(kind: Any) -> bool:  # noqa: ANN401 - as above
    types: Any = pa.types
    tests = (
        types.is_binary,
        types.is_large_binary,
        types.is_binary_view,
        types.is_fixed_size_binary,
    )
    return any(test(kind) for test in tests)
