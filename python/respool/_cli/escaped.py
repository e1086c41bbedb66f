"""Text of others, as it may be printed: nothing in it moves a cursor, or turns what is beside it around."""

import re

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls, with those of eight bits
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # which way text runs
    "\u2028\u2029\ufeff"  # ends of lines, and what is not seen
    "\ud800-\udfff"  # bytes of a path that are no text
    "\U000e0000-\U000e007f"  # tags, which are not seen either
    "]"
)

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escaped(text: str) -> str:
    r"""Return a text in one line, with ``\x1b`` and the like for what a terminal would obey."""
    return _UNSAFE.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    letter = found[0]
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - a byte that Python could not decode
        return f"\\x{code - 0xDC00:02x}"
    return _SHORT.get(letter) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004
