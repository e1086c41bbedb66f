"""Text of others, as it may be printed: nothing in it moves a cursor, or turns what is beside it around."""

import re

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls, with those of eight bits
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # which way text runs
    "\u2028\u2029"  # ends of lines
    # What is not seen, so that two names would look the same. Signs that join emoji are among it; those that choose
    # a form of the letter before are not, as one sees what they do.
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff"  # bytes of a path that are no text
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
    if code > 0xFFFF:  # noqa: PLR2004
        return f"\\U{code:08x}"
    return _SHORT.get(letter) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004
