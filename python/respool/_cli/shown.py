"""Numbers, sizes and times, as people and as machines read them."""

import base64
import datetime as dt
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from respool._progress import shown

_SECOND = 1_000_000_000
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"))


def number(value: int) -> str:
    """Return ``1,234,567``."""
    return f"{value:,}"


def count(value: int, one: str, many: str | None = None) -> str:
    """Return ``1 row`` or ``1,000 rows``."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def size(value: float) -> str:
    """Return ``1.2 MiB``."""
    return shown(value)


def time(value: dt.datetime) -> str:
    """Return a time to the second, in UTC."""
    return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(value: dt.datetime) -> str:
    """Return how long ago it was, in one unit."""
    seconds = (dt.datetime.now(dt.UTC) - value).total_seconds()
    for length, unit in _SPANS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now" if seconds >= 0 else "in the future"


def span(months: int, days: int, nanos: int) -> str:
    """Return a span of time as ISO 8601 has it: ``P1Y2M3DT4H5M6.5S``.

    The three are kept apart, since months and days have no one length. A span that goes back has a sign before
    it; where only a part does, that part has.
    """
    parts = (months, days, nanos)
    if min(parts) < 0 and max(parts) <= 0:
        return f"-{span(-months, -days, -nanos)}"
    date = _counts(months, (12, "Y"), (1, "M")) + _counts(days, (1, "D"))
    time = _counts(nanos, (3600 * _SECOND, "H"), (60 * _SECOND, "M"))
    if rest := abs(nanos) % (60 * _SECOND):
        whole, part = divmod(rest, _SECOND)
        seconds = f"{whole}.{part:09}".rstrip("0").rstrip(".")
        time += f"{'-' if nanos < 0 else ''}{seconds}S"
    if not date and not time:
        return "PT0S"
    return f"P{date}T{time}" if time else f"P{date}"


def _counts(value: int, *units: tuple[int, str]) -> str:
    text, left = "", abs(value)
    for size, letter in units:
        many, left = divmod(left, size)
        if many:
            text += f"{'-' if value < 0 else ''}{many}{letter}"
    return text


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911 - one kind of value after the other
    """Return what JSON has for a value.

    Bytes are base64, times and spans ISO 8601, decimals text, and so are the three floats that JSON does not have:
    ``"NaN"``, ``"Infinity"``, ``"-Infinity"``.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return span(0, 0, value // dt.timedelta(microseconds=1) * 1000)
    if isinstance(value, Path):
        # What is no text in a path stays as the code that Python has for it.
        return str(value)
    return str(value)


def json_line(value: Any) -> str:  # noqa: ANN401
    """Return a value as one line of JSON, of ASCII letters alone, which no terminal obeys."""
    return json.dumps(plain(value), allow_nan=False) + "\n"
