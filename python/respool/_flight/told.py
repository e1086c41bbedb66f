"""Errors on their way: what the server says of one, and what the client makes of that.

What the source raised goes as its class, text and numbers, and comes out as the same class where that is one that
every Python has. What else goes wrong is told without paths: those of the server are nobody's business.
"""

from __future__ import annotations

import builtins
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa

from respool import exceptions
from respool._flight.library import flight
from respool.exceptions import IncompleteStreamError, RespoolError

MAX_TEXT, _MAX_MESSAGE = 1500, 400
"""Bytes of a text that are sent, and of the message beside it: both have to fit the 8 KiB of gRPC's trailers."""

Kind = Literal["refused", "another", "busy", "source", "trouble", "closing"]
_MODULES: dict[str, Any] = {
    "builtins": builtins,
    "respool.exceptions": exceptions,
    "pyarrow.lib": pa,
}


@dataclass(frozen=True)
class Told:
    """What is said of an error; `kind` is what the client has to know."""

    kind: Kind
    text: str
    module: str = "builtins"
    name: str = ""
    number: int | None = None
    batches: int | None = None
    rows: int | None = None


def refusal(text: str, kind: Kind = "refused") -> flight.FlightError:
    """Make the error of what the server does not do."""
    is_for_now = kind in ("busy", "closing")
    make = flight.FlightUnavailableError if is_for_now else flight.FlightServerError
    text = _cut(text, MAX_TEXT)
    return _error(make, text, Told(kind, text))


def of_source(
    error: BaseException, batches: int, rows: int, hidden: dict[str, str]
) -> flight.FlightError:
    """Make the error that tells what the source raised, after so many good batches."""
    told = _told("source", error, hidden)
    told = Told(**{**asdict(told), "batches": batches, "rows": rows})
    text = f"after {batches} batches ({rows} rows) the source failed: {told.name}: {told.text}"
    return _error(flight.FlightServerError, text, told)


def of_trouble(error: BaseException, hidden: dict[str, str] | None = None) -> flight.FlightError:
    """Make the error of what went wrong on the server, with neither its source nor its client to blame.

    What is none of respool or of the system has a text that may say anything, so it is not told.
    """
    if isinstance(error, (RespoolError, OSError)):
        told = _told("trouble", error, hidden or {})
    else:
        told = Told(
            "trouble",
            "the server could not do that; its own log says why",
            name=type(error).__name__,
        )
    return _error(flight.FlightServerError, f"{told.name}: {told.text}", told)


def read(error: BaseException) -> Told | None:
    """Return what the server said; None if it was not it who spoke."""
    info = getattr(error, "extra_info", None)
    try:
        form: Any = json.loads(info or b"")
        return Told(**form)
    except (TypeError, ValueError):
        return None


def raised(told: Told, batches: int, rows: int) -> BaseException:
    """Make the exception of what was told, for a client that got so many batches and rows."""
    if told.kind in ("refused", "another"):
        if batches or told.kind == "another":
            return IncompleteStreamError(told.text, (batches, rows))
        return ValueError(told.text)
    if told.kind == "trouble" and told.module == "builtins" and not told.number:
        return RuntimeError(f"{told.name}: {told.text}")
    kind = getattr(_MODULES.get(told.module), told.name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        made = _made(kind, told)
        if made is not None:
            return made
    return IncompleteStreamError(
        f"after {batches} batches ({rows} rows) the source failed, on the server: {told.name}: {told.text}",
        (batches, rows),
    )


def _made(kind: type[Exception], told: Told) -> Exception | None:
    try:
        if issubclass(kind, IncompleteStreamError):
            counts = (
                None if told.batches is None or told.rows is None else (told.batches, told.rows)
            )
            return kind(told.text, counts)
        if issubclass(kind, OSError) and told.number is not None:
            return kind(told.number, told.text)
        return kind(told.text)
    except Exception:  # noqa: BLE001 - whatever a class may ask for
        return None


def _told(kind: Kind, error: BaseException, hidden: dict[str, str]) -> Told:
    cls = type(error)
    # What ends a program there is not to end one here.
    if not isinstance(error, Exception):
        cls = IncompleteStreamError
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    if isinstance(error, OSError) and error.strerror is not None:
        # Without the path, which stands beside it.
        text = error.strerror
    elif len(error.args) == 1 and isinstance(error.args[0], str):
        text = error.args[0]
    for path, name in hidden.items():
        text = text.replace(path, name)
    if cls is not type(error):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    text = _cut(text, MAX_TEXT)
    batches, rows = getattr(error, "batches", None), getattr(error, "rows", None)
    counts = (batches, rows) if isinstance(error, IncompleteStreamError) else (None, None)
    return Told(kind, text, cls.__module__, cls.__qualname__, number, *counts)


def _error(kind: Any, text: str, told: Told) -> flight.FlightError:  # noqa: ANN401 - the stubs know of no `extra_info`
    info = json.dumps(asdict(told), ensure_ascii=False).encode("utf-8", "replace")
    made: flight.FlightError = kind(_cut(text, _MAX_MESSAGE), extra_info=info)
    return made


def _cut(text: str, most: int) -> str:
    """Return a text of so many bytes at most, and some dots."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= most else f"{encoded[:most].decode('utf-8', 'ignore')}..."
