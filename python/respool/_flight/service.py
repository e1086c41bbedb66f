"""The calls of Flight, answered from a shelf. What is not ours to answer is refused, in our words."""

from __future__ import annotations

import functools
import itertools
import json
import logging
import struct
import time
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import pyarrow as pa

from respool._flight import ranges, told
from respool._flight.library import flight
from respool._flight.stream import stream
from respool._flight.tickets import (
    Shown,
    Ticket,
    TicketError,
    Wanted,
    by_text,
    decode,
    decode_command,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from respool._flight.limits import Limits, Places
    from respool._flight.served import Extent, Served
    from respool._flight.shelf import Shelf

LOGGER = logging.getLogger("respool.flight")

_VALID = 3600
"""Seconds for which a range may be asked for again, as far as is promised; it holds for as long as the log is there."""
_MOST_ENDPOINTS = 1024
_MOST_NAMES = 10
"""Names that are told to who asks for none of them."""
Call = TypeVar("Call", bound="Callable[..., Any]")


def _guarded(call: Call) -> Call:
    """Tell a client of an error only what was made for it to see; the others name files and lines."""

    @functools.wraps(call)
    def answered(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - those of the call
        try:
            return call(*args, **kwargs)
        except TicketError as error:
            raise told.refusal(str(error)) from None
        except flight.FlightError:
            raise
        except Exception as error:
            LOGGER.exception("a call failed")
            raise told.of_trouble(error) from None

    return cast("Call", answered)


class Service(flight.FlightServerBase):
    """Serves a shelf.

    Not ``get_schema``: pyarrow tells its caller where in which file an error of that call arose. The schema is in
    what ``get_flight_info`` gives.
    """

    def __init__(
        self,
        shelf: Shelf,
        limits: Limits,
        places: Places,
        *,
        may_list: bool,
        **options: Any,  # noqa: ANN401 - those of pyarrow
    ) -> None:
        # Before the base class, which answers calls from then on.
        self._shelf = shelf
        self._limits = limits
        self._places = places
        self._may_list = may_list
        super().__init__(**options)

    @_guarded
    def list_flights(
        self, context: flight.ServerCallContext, criteria: object
    ) -> Iterator[flight.FlightInfo]:
        """List the names, for who has a token."""
        del context
        if not self._may_list:
            raise told.refusal("this server lists nothing: it has no token to ask for")
        if criteria:
            raise told.refusal("this server lists all there is: it knows no criteria")
        served = [self._shelf.by_name(name) for name in self._shelf.names()]
        infos = [
            self._info(one, Shown(), flight.FlightDescriptor.for_path(one.name))
            for one in served
            if one is not None and not one.cache.closed
        ]
        return iter(infos)

    @_guarded
    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """Tell the ranges of a cache, in their order."""
        del context
        wanted = _wanted(descriptor)
        return self._info(self._found(wanted), wanted.shown, descriptor)

    @_guarded
    def do_get(
        self, context: flight.ServerCallContext, ticket: flight.Ticket
    ) -> flight.FlightDataStream:
        """Send the batches of a ticket."""
        asked = decode(ticket.ticket)
        served = self._shelf.by_identity(asked.identity)
        if served is None:
            raise told.refusal(
                "this server has no such log: it was replaced or removed, or another server gave the ticket",
                "another",
            )
        return stream(context, served, asked, self._limits, self._places)

    @_guarded
    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> NoReturn:
        """Refuse all actions."""
        del context, action
        raise told.refusal("this server has no actions")

    @_guarded
    def list_actions(self, context: flight.ServerCallContext) -> list[Any]:
        """Return no actions: there are none."""
        del context
        return []

    @_guarded
    def do_put(
        self, context: object, descriptor: object, reader: object, writer: object
    ) -> NoReturn:
        """Refuse all data."""
        del context, descriptor, reader, writer
        raise told.refusal("this server only gives")

    @_guarded
    def do_exchange(
        self, context: object, descriptor: object, reader: object, writer: object
    ) -> NoReturn:
        """Refuse all data."""
        del context, descriptor, reader, writer
        raise told.refusal("this server only gives")

    def _found(self, wanted: Wanted) -> Served:
        if wanted.identity is not None:
            served = self._shelf.by_identity(wanted.identity)
        elif wanted.name is not None:
            served = self._shelf.by_name(wanted.name)
        else:
            names = self._shelf.names()
            if not names:
                raise told.refusal("this server has no caches yet")
            if len(names) != 1:
                raise told.refusal(
                    f"this server has {len(names)} caches: ask for one by its name: {_some(names)}"
                )
            served = self._shelf.by_name(names[0])
        if served is None:
            raise told.refusal(_nothing(wanted, self._shelf.names()))
        return served

    def _info(
        self, served: Served, shown: Shown, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        with served.open_for("refused"):
            return self._info_of_open(served, shown, descriptor)

    def _info_of_open(
        self, served: Served, shown: Shown, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        extent = served.extent()
        schema = _schema(served, shown)
        is_all = shown == Shown() and extent.state == "complete"
        rows = served.view._rows if is_all and not served.view._is_filtered else -1  # noqa: SLF001
        size = served.cache.nbytes if is_all and served.is_whole else -1
        expires = _in(_VALID)
        endpoints = [
            flight.FlightEndpoint(
                Ticket(served.identity, first, last, shown).encode(),
                [],
                expires,
                json.dumps([first, last]),
            )
            for first, last in _split(served, extent, self._limits)
        ]
        about = {
            "respool": 1,
            "name": served.name,
            "identity": served.identity,
            "state": extent.state,
            "batches": extent.batches,
        }
        return flight.FlightInfo(
            schema, descriptor, endpoints, rows, size, ordered=True, app_metadata=json.dumps(about)
        )


def _in(seconds: float) -> Any:  # noqa: ANN401 - a scalar of pyarrow
    """Return a time from now. Made of bytes: from anything else pyarrow makes one with pandas, imported for that."""
    microseconds = round((time.time() + seconds) * 1_000_000)
    given = pa.py_buffer(struct.pack("=q", microseconds))
    return pa.Array.from_buffers(pa.timestamp("us", "UTC"), 1, [None, given])[0]


def _wanted(descriptor: flight.FlightDescriptor) -> Wanted:
    if descriptor.descriptor_type == flight.DescriptorType.CMD:
        return decode_command(descriptor.command or b"")
    path = descriptor.path or []
    if len(path) == 1:
        return by_text(path[0].decode("utf-8", "replace"))
    raise TicketError("a descriptor is a name, an identity or a command of respool")


def _nothing(wanted: Wanted, names: list[str]) -> str:
    """Say to who may ask that there is nothing of the kind, and what there is."""
    what = "log of that identity" if wanted.name is None else f"cache named {wanted.name!r}"
    return f"this server has no {what}; it has {_some(names)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "") or "none"


def _schema(served: Served, shown: Shown) -> pa.Schema:
    try:
        return ranges.shown(served.view, shown).schema
    except ValueError as error:
        raise told.refusal(str(error)) from None


def _split(served: Served, extent: Extent, limits: Limits) -> Iterator[tuple[int, int | None]]:
    """Yield ranges of about so many bytes; the last one of what is not complete follows it."""
    batches = extent.batches
    size = served.cache.nbytes
    ranges_wanted = max(1, min(size // limits.range_bytes, batches, _MOST_ENDPOINTS))
    bounds = [batches * i // ranges_wanted for i in range(ranges_wanted + 1)] if batches else [0]
    yield from itertools.pairwise(bounds)
    if extent.state != "complete":
        yield batches, None
    elif not batches:
        # Not to the end of a source that a slice of no rows does not need.
        yield 0, 0
