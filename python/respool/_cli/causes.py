"""What errors say, as a command tells it: the cause, and nothing that only a program can do about it."""

import os
import re

from respool._cli.escaped import escaped

_OF_PROGRAMS = (
    "; what this batch does not need can still be read",
    ": read on to wait longer",
    "; read what there is with .prefix()",
    "; .prefix() reads what there is",
)
"""Where errors begin to say what a program does next; a command says what to type instead."""

_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n.*", re.DOTALL)

_VERIFIER = re.compile(r"\n\s*while verifying .*", re.DOTALL)
"""Which fields the verifier of an Arrow message was in."""

_FRAME = '  File "'


def why(error: BaseException) -> str:
    """Return what an error says, the file at its beginning, without what only a program asks for."""
    if isinstance(error, OSError) and error.strerror:
        said = tidied(error.strerror)
        return f"{os.fsdecode(error.filename)}: {said}" if error.filename else said
    return tidied(str(error)) or type(error).__name__


def tidied(said: str) -> str:
    """Return what an error says without a library's names of its own errors, and what only a program can do next.

    Of a traceback, which pyarrow makes of what a source in Python raises, it is the error at its end, in a line.
    """
    for step in _OF_PROGRAMS:
        said = said.partition(step)[0]
    if (trace := _TRACEBACK.search(said)) is not None:
        raised = _raised(trace[0])
        said = f"{_before(said[: trace.start()], raised)}{escaped(raised)}"
    said = _VERIFIER.sub("", said)
    return said.replace("Ipc error: bad record: ", "").replace("Ipc error: ", "")


def _before(said: str, raised: str) -> str:
    """Return what stands before a traceback, without what pyarrow says of the error: its end says it again."""
    text = re.escape(raised.partition(": ")[2])
    return re.sub(rf"[A-Z][A-Za-z]*( [a-z]+)?: {text}\. Detail: Python exception: $", "", said)


def _raised(trace: str) -> str:
    """Return what stands behind the last frame and its code: an error, whose text may have several lines."""
    lines = trace.rstrip().split("\n")
    at = 1 + max(i for i, line in enumerate(lines) if i == 0 or line.startswith(_FRAME))
    while at < len(lines) - 1 and lines[at].startswith("    "):
        at += 1
    return "\n".join(lines[at:])
