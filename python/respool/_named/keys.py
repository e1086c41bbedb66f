"""Keys: plain values as bytes, the same bytes for the same value and no other.

A value is a letter for its type and then its content, so ``1``, ``True``, ``1.0`` and ``"1"`` differ.
Nothing else goes into a key: no hash of code, no name of a class, nothing that unpickling would run.
"""

import datetime as dt
import math
import struct
from collections.abc import Callable
from typing import TypeAlias, Union

from respool._named.conversions import conversion

Plain: TypeAlias = Union[  # noqa: UP007 - a string in it refers to itself
    bool, int, float, str, bytes, dt.date, dt.datetime, tuple["Plain", ...], None
]
"""What a key may hold. A ``datetime`` with a time zone counts as its moment, wherever it was taken."""

_LONGEST = 1 << 16
"""Bytes: the key is read whenever a cache is looked at."""

_DEEPEST = 32

_OTHERWISE = "give a text, or bytes, that are other ones where it is another"


def encode(key: str | tuple[Plain, ...] | None) -> bytes | None:
    """Return a key as bytes; None if there is none.

    Raises
    ------
    TypeError
        If it is neither text nor a tuple, or something in it is not plain.
    ValueError
        If it is too long, or tuples in it are too deep.
    """
    if key is None:
        return None
    if type(key) not in {str, tuple}:
        raise TypeError(
            f"a key is a str or a tuple of plain values, not {_name(key)}: {_as_key(key)}"
        )
    encoded = _encode(key, _DEEPEST)
    if len(encoded) > _LONGEST:
        raise ValueError(
            f"a key has at most {_LONGEST} bytes, not {len(encoded)}: "
            "give a hash of what is long, such as hashlib.sha256(...).digest()"
        )
    return encoded


def decode(encoded: bytes) -> Plain:
    """Return the key again.

    Raises
    ------
    ValueError
        If these are not the bytes of a key.
    """
    try:
        value, end = _decode(encoded, 0, _DEEPEST)
    except struct.error as error:
        raise ValueError("not a key: it ends early") from error
    if end != len(encoded):
        raise ValueError("not a key: something follows")
    return value


def _encode(value: object, depth: int) -> bytes:  # noqa: C901, PLR0911 - one for each type
    if depth == 0:
        raise ValueError(f"tuples in a key are at most {_DEEPEST} deep")
    # The exact type: what is derived from it may hold, and compare, more than is seen here.
    if value is None:
        return b"N"
    if type(value) is bool:
        return b"T" if value else b"F"
    if type(value) is int:
        return _sized(b"i", b"%d" % value)
    if type(value) is float:
        return b"f" + struct.pack(">d", _canonical(value))
    if type(value) is str:
        return _sized(b"s", value.encode("utf-8", "surrogatepass"))
    if type(value) is bytes:
        return _sized(b"b", value)
    if type(value) is dt.datetime:
        return _sized(b"d", _moment(value).isoformat().encode())
    if type(value) is dt.date:
        return _sized(b"D", value.isoformat().encode())
    if type(value) is tuple:
        items = b"".join(_encode(item, depth - 1) for item in value)
        return b"t%d:" % len(value) + items
    way = conversion(value, _is_plain)
    raise TypeError(
        f"a key can't hold {_name(value)}: it holds None, bool, int, float, str, bytes, date, "
        f"datetime and tuples of them; {_OTHERWISE if way is None else f'convert it, with {way[0]}'}"
    )


def _as_key(value: object) -> str:
    code, plain = (
        ("value", value) if _is_plain(value) else conversion(value, _is_plain) or ("", None)
    )
    if not code:
        return _OTHERWISE
    single = code if type(plain) in {str, tuple} else f"({code},)"
    return f"give it as key={single}"


def _is_plain(value: object) -> bool:
    try:
        _encode(value, _DEEPEST)
    except (TypeError, ValueError):
        return False
    return True


def _sized(kind: bytes, content: bytes) -> bytes:
    return kind + b"%d:" % len(content) + content


def _canonical(value: float) -> float:
    if math.isnan(value):
        return math.nan
    return value or 0.0  # -0.0 is equal to it


def _moment(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        return value
    try:
        return value.astimezone(dt.UTC)
    except OverflowError:
        raise ValueError(
            f"a key can't hold {value}: a datetime with a time zone counts as its moment in UTC, where "
            "the calendar has no such one"
        ) from None


def _decode(encoded: bytes, at: int, depth: int) -> tuple[Plain, int]:
    if depth == 0:
        raise ValueError("not a key: too deep")
    kind = encoded[at : at + 1]
    at += 1
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], at
    if kind == b"f":
        (number,) = struct.unpack_from(">d", encoded, at)
        return float(number), at + 8
    end = encoded.index(b":", at)
    size = int(encoded[at:end])
    at = end + 1
    if kind == b"t":
        items = []
        for _ in range(size):
            item, at = _decode(encoded, at, depth - 1)
            items.append(item)
        return tuple(items), at
    content = encoded[at : at + size]
    if kind not in _READERS or len(content) != size:
        raise ValueError("not a key: a value is not whole")
    return _READERS[kind](content), at + size


_CONSTANTS: dict[bytes, Plain] = {b"N": None, b"T": True, b"F": False}
_READERS: dict[bytes, Callable[[bytes], Plain]] = {
    b"i": int,
    b"s": lambda content: content.decode("utf-8", "surrogatepass"),
    b"b": bytes,
    b"d": lambda content: dt.datetime.fromisoformat(content.decode()),
    b"D": lambda content: dt.date.fromisoformat(content.decode()),
}


def _name(value: object) -> str:
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return module + kind.__qualname__
