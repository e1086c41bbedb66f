"""Text of a value that is short however large the value is, and safe to stand in HTML."""

from __future__ import annotations

import html
from typing import Any

import pyarrow as pa

_LONG = 48
"""Characters of a value."""

_ITEMS = 3
"""Items of a list or a map, fields of a struct."""

_DEEP = 3

_DIGITS = 8


def escaped(text: object, most: int = 80) -> str:
    """Return text that says what it says in HTML too, in an attribute as well; cut where it is long."""
    return html.escape(cut(str(text), most), quote=True)


def cut(text: str, most: int) -> str:
    """Return the first characters of a text, and a sign where there are more."""
    text = text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
    # What is not shown might turn around or hide what is.
    return "".join(c if c.isprintable() else "\N{SYMBOL FOR SUBSTITUTE}" for c in text)


def number(value: int) -> str:
    """Return a number as people read it."""
    return f"{value:,}"


def text_of(scalar: Any, deep: int = 0) -> str:  # noqa: ANN401 - a pyarrow scalar of any type
    """Return a value in few characters; of a long one no more is decoded than is shown.

    Parameters
    ----------
    scalar
        A ``pyarrow.Scalar``.
    deep
        In how many lists and structs it is.
    """
    if not scalar.is_valid:
        return "null"
    try:
        return cut(_text(scalar, deep), _LONG)
    except Exception:  # noqa: BLE001 - a type that Python has no value for, or a value out of its range
        return cut(f"({scalar.type})", _LONG)


def _text(scalar: Any, deep: int) -> str:  # noqa: ANN401, PLR0911
    if isinstance(scalar, (pa.DictionaryScalar, pa.ExtensionScalar)):
        return text_of(scalar.value, deep)
    if hasattr(scalar, "as_buffer"):
        return _bytes(scalar)
    if isinstance(scalar, pa.StructScalar):
        if deep >= _DEEP:
            return "{\N{HORIZONTAL ELLIPSIS}}"
        names = [field.name for field in scalar.type][:_ITEMS]
        # By number: names need not be unique.
        fields: Any = scalar
        texts = [f"{cut(name, 20)}: {text_of(fields[i], deep + 1)}" for i, name in enumerate(names)]
        return _joined("{", texts, len(scalar.type), "}")
    if isinstance(scalar, pa.ListScalar):
        values: Any = scalar.values
        if deep >= _DEEP:
            return "[\N{HORIZONTAL ELLIPSIS}]"
        texts = [text_of(values[i], deep + 1) for i in range(min(len(values), _ITEMS))]
        return _joined("[", texts, len(values), "]")
    value = scalar.as_py()
    return _short(value) if isinstance(value, float) else str(value)


def _short(value: float) -> str:
    """Return a number as it is, or about."""
    text = repr(value)
    return text if len(text) <= _DIGITS else f"{value:.6g}"


def _bytes(scalar: Any) -> str:  # noqa: ANN401
    buffer = scalar.as_buffer()
    head: bytes = buffer.slice(0, min(buffer.size, 4 * _LONG)).to_pybytes()
    kind = scalar.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        more = "\N{HORIZONTAL ELLIPSIS}" if buffer.size > len(head) else ""
        return head.decode("utf-8", "replace") + more
    most = 8
    more = "\N{HORIZONTAL ELLIPSIS}" if buffer.size > most else ""
    return f"{head[:most].hex(' ')}{more} ({number(buffer.size)} B)" if buffer.size else "(0 B)"


def _joined(begin: str, texts: list[str], count: int, end: str) -> str:
    more = f", \N{HORIZONTAL ELLIPSIS} {number(count)}" if count > len(texts) else ""
    return f"{begin}{', '.join(texts)}{more}{end}"
