"""What a client asks for: JSON of a few known members, looked at member by member.

A ticket is `{"identity", "first", "last", "columns", "predicate"}`, where `last` is null for what follows the source
to its end. A descriptor's command is `{"name" or "identity", "columns", "predicate"}`.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from respool._flight.predicates import to_expression

MAX_BYTES = 64 << 10
"""The longest ticket or command."""

_IDENTITY = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_MOST = 1 << 62


class TicketError(ValueError):
    """What is not a ticket of ours; the message tells nothing that the sender did not say."""


@dataclass(frozen=True)
class Shown:
    """What is shown of a cache: columns by name or number, and a filter as `predicates` writes it; None is all."""

    columns: list[str | int] | None = None
    predicate: list[Any] | None = None


@dataclass(frozen=True)
class Ticket:
    """Batches `first` to `last` of one log, by their numbers there."""

    identity: str
    first: int
    last: int | None
    shown: Shown

    def encode(self) -> bytes:
        """Return it as a ticket."""
        form = {
            "identity": self.identity,
            "first": self.first,
            "last": self.last,
            **asdict(self.shown),
        }
        return _encode(form)

    def after(self, position: int) -> Ticket:
        """Return the ticket of what comes from this batch on."""
        return replace(self, first=position)


@dataclass(frozen=True)
class Wanted:
    """What a descriptor names; neither a name nor an identity is the only one that is served."""

    name: str | None
    identity: str | None
    shown: Shown

    def encode(self) -> bytes:
        """Return it as a command."""
        return _encode({"name": self.name, "identity": self.identity, **asdict(self.shown)})


def decode(given: bytes) -> Ticket:
    """Read a ticket.

    Raises
    ------
    TicketError
        If it is none of ours.
    """
    form = _members(given, {"identity", "first", "last", "columns", "predicate"}, "ticket")
    first, last = _number(form["first"]), form["last"]
    if last is not None and _number(last) < first:
        raise TicketError("this ticket is none of respool: its range ends before it begins")
    return Ticket(_identity(form["identity"]), first, last, _shown(form))


def decode_command(given: bytes) -> Wanted:
    """Read the command of a descriptor.

    Raises
    ------
    TicketError
        If it is none of ours.
    """
    form = _members(given, {"name", "identity", "columns", "predicate"}, "command")
    name, identity = form["name"], form["identity"]
    return Wanted(
        None if name is None else _name(name),
        None if identity is None else _identity(identity),
        _shown(form),
    )


def by_text(text: str) -> Wanted:
    """Read a name, or an identity, that stands alone.

    Raises
    ------
    TypeError, TicketError
        If it is neither.
    """
    if not isinstance(text, str):
        raise TypeError(f"a name is text, not {type(text).__name__}")
    if _IDENTITY.fullmatch(text):
        return Wanted(None, text, Shown())
    return Wanted(_name(text), None, Shown())


def _encode(form: dict[str, Any]) -> bytes:
    encoded = json.dumps(form, separators=(",", ":")).encode()
    if len(encoded) > MAX_BYTES:
        raise TicketError(
            f"what is asked for takes {len(encoded)} bytes, and {MAX_BYTES} is the most: select fewer columns by "
            "name, or filter what comes"
        )
    return encoded


def _members(given: bytes, members: set[str], kind: str) -> dict[str, Any]:
    if len(given) > MAX_BYTES:
        raise TicketError(f"this {kind} is none of respool: it has more than {MAX_BYTES} bytes")
    try:
        form = json.loads(given)
    except (ValueError, RecursionError):
        form = None
    if not isinstance(form, dict) or set(form) != members:
        raise TicketError(f"this {kind} is none of respool")
    return form


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise TicketError("this ticket is none of respool: batches are numbered from 0")
    return value


def _identity(value: object) -> str:
    if not isinstance(value, str) or not _IDENTITY.fullmatch(value):
        raise TicketError("an identity is 32 hexadecimal digits")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise TicketError(
            "a name is an id: up to 128 letters, digits, '.', '_' and '-', and not a path"
        )
    return value


def _shown(form: dict[str, Any]) -> Shown:
    columns, predicate = form["columns"], form["predicate"]
    if columns is not None and not (
        isinstance(columns, list) and all(type(column) in (str, int) for column in columns)
    ):
        raise TicketError("columns are a list of names and numbers, or null")
    if predicate is not None:
        try:
            to_expression(predicate)
        except (ValueError, RecursionError) as error:
            raise TicketError("the filter is none that is known") from error
    return Shown(columns, predicate)
