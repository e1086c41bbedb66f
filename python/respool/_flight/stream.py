"""What a ticket gets: batches, marks between them, and the error of the source at its place."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from respool._flight import marks, told
from respool._flight.library import flight
from respool._flight.marks import How, Mark
from respool._flight.ranges import Range
from respool.exceptions import RespoolError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from respool._flight.limits import Limits, Places
    from respool._flight.served import Served
    from respool._flight.tickets import Ticket

LOGGER = logging.getLogger("respool.flight")
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
    with served.open_for("another"):
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
        with served.open_for("another"):
            yield from parts
    except (flight.FlightError, GeneratorExit):
        raise
    except BaseException as error:
        if not isinstance(error, RespoolError) and _is_of_source(served, error):
            # A slice met it by itself.
            raise _failure(served) from None
        LOGGER.exception("a stream failed")
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
) -> Generator[Any, None, How]:
    """Yield what there is and what comes; return how that ended."""
    last_sent = time.monotonic()
    while True:
        extent = served.extent()
        end = extent.batches if ticket.last is None else min(extent.batches, ticket.last)
        if batches.position < end:
            for chunk, position in batches.take(end, ticket.last):
                yield from _chunk(batches.schema, limits, chunk, sent)
                yield empty, Mark(position, None, sent.batches, sent.rows).encode()
            last_sent = time.monotonic()
            continue
        if ticket.last is not None and batches.position >= ticket.last:
            return "range"
        if extent.state == "complete":
            return "end"
        if extent.state == "failed":
            raise _failure(served)
        places.check_open()
        if context.is_cancelled() or time.monotonic() - last_sent > limits.wait:
            return "wait"
        # One batch after the other: a ticket may name one that never comes, and its client goes.
        served.pull.wait_for(min(batches.position, extent.batches), _LOOK)


def _chunk(
    schema: pa.Schema, limits: Limits, chunk: list[pa.RecordBatch], sent: _Sent
) -> Iterator[pa.RecordBatchReader]:
    good = limits.fitting(chunk)
    if good:
        yield pa.RecordBatchReader.from_batches(schema, good)
        sent.batches += len(good)
        sent.rows += sum(batch.num_rows for batch in good)
    if len(good) < len(chunk):
        raise limits.refusal(chunk[len(good)])


def _is_of_source(served: Served, error: BaseException) -> bool:
    """Tell whether a source raised it. Each who asks for the error of a cache gets a copy."""
    of_source = served.cache.error
    return type(error) is type(of_source) and str(error) == str(of_source)


def _failure(served: Served) -> flight.FlightError:
    """Tell what the source raised, and how much there is before it."""
    cache = served.cache
    error = cache.error
    whole = cache.prefix()
    return told.of_source(error or EOFError(), whole.num_batches, whole.num_rows, served.hidden)
