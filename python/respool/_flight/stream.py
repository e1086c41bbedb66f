"""What a ticket gets: batches, marks between them, and the error of the source at its place."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from respool._flight import marks, told
from respool._flight.library import flight
from respool._flight.marks import Mark
from respool._flight.ranges import Range
from respool.exceptions import RespoolError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respool._flight.limits import Limits, Places
    from respool._flight.served import Served
    from respool._flight.tickets import Ticket

_LOOK = 0.25
"""Seconds after which a stream that waits looks whether its client is still there."""


@dataclass
class _Sent:
    batches: int = 0
    rows: int = 0


def stream(
    context: flight.ServerCallContext,
    served: Served,
    ticket: Ticket,
    limits: Limits,
    places: Places,
) -> flight.GeneratorStream:
    """Make the stream of a ticket.

    Raises
    ------
    FlightError
        If the log has no such batches, or can't show what is asked for.
    """
    extent = served.extent()
    if ticket.first > extent.batches and extent.state != "growing":
        raise told.refusal(f"there is no batch {ticket.first}: there are {extent.batches}")
    try:
        batches = Range(served, ticket.shown, ticket.first)
    except ValueError as error:
        raise told.refusal(str(error)) from None
    parts = _told_apart(served, _parts(context, served, ticket, batches, limits, places))
    return flight.GeneratorStream(batches.schema, parts)


def _told_apart(served: Served, parts: Iterator[Any]) -> Iterator[Any]:
    """Let no error out but those that were made for a client to see: the others name files and lines."""
    try:
        yield from parts
    except (flight.FlightError, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a thread of the server, which goes on
        if served.cache.error is not None and not isinstance(error, RespoolError):
            # A view met it by itself.
            raise _failure(served) from None
        raise told.of_trouble(error, served.hidden) from None


def _parts(
    context: flight.ServerCallContext,
    served: Served,
    ticket: Ticket,
    batches: Range,
    limits: Limits,
    places: Places,
) -> Iterator[Any]:
    with places.taken():
        schema = batches.schema
        # It brings the dictionaries; see `marks`.
        empty = marks.empty(schema)
        yield pa.RecordBatchReader.from_batches(schema, [empty])
        sent = _Sent()
        end = yield from _batches(context, served, ticket, batches, limits, places, sent, empty)
        yield empty, Mark(batches.position, end, sent.batches, sent.rows).encode()


def _batches(
    context: flight.ServerCallContext,
    served: Served,
    ticket: Ticket,
    batches: Range,
    limits: Limits,
    places: Places,
    sent: _Sent,
    empty: pa.RecordBatch,
) -> Iterator[Any]:
    """Yield what there is and what comes; return how that ended."""
    last_sent = time.monotonic()
    while True:
        extent = served.extent()
        end = extent.batches if ticket.last is None else min(extent.batches, ticket.last)
        if batches.position < end:
            for chunk, position in batches.take(end, ticket.last):
                if chunk:
                    limits.check(chunk)
                    yield pa.RecordBatchReader.from_batches(batches.schema, chunk)
                    sent.batches += len(chunk)
                    sent.rows += sum(batch.num_rows for batch in chunk)
                yield empty, Mark(position, None, sent.batches, sent.rows).encode()
            last_sent = time.monotonic()
        elif ticket.last is not None and batches.position >= ticket.last:
            return "range"
        elif extent.state == "complete":
            return "end"
        elif extent.state == "failed":
            raise _failure(served)
        elif places.are_closed:
            raise told.refusal("the server is being closed", "closing")
        elif context.is_cancelled():
            return "wait"
        elif time.monotonic() - last_sent > limits.wait:
            return "wait"
        else:
            served.pull.wait_for(batches.position, _LOOK)


def _failure(served: Served) -> flight.FlightError:
    """Tell what the source raised, and how much there is before it."""
    cache = served.cache
    error = cache.error
    whole = cache.prefix()
    return told.of_source(error or EOFError(), whole.num_batches, whole.num_rows, served.hidden)
