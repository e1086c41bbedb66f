"""Batches from a server, again and again until there are all of them.

Where a stream breaks off it is asked for from the last mark on, and as many batches as came after that are passed over:
what a range holds never changes, so none is lost and none comes twice. Another log in its place is refused by the
server, because the ticket names the one that is meant.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from respool._flight import fork, marks, tickets
from respool._flight.attempts import Attempts
from respool._flight.calling import called
from respool._flight.library import flight
from respool._flight.reading import Closed, Reading, Silent
from respool.exceptions import IncompleteStreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from respool._flight.marks import Mark
    from respool._flight.tickets import Ticket, Wanted

SILENCE = 30.0
"""Seconds after which a stream is broken: a server says something every few seconds."""
_LOOK = 0.5
_CALL = 20.0
"""Seconds that a call other than a stream may take."""
_STREAM = 3600.0
"""Seconds that a stream may take. It goes on in another one; a server that answers nothing holds a thread no longer."""
_MOST = 2
"""Threads that wait for a server to answer, at most: before it does, nothing but time ends a call."""
_CHANNEL: list[tuple[str, int | str]] = [
    # Of its own, as one that is shared waits for minutes once a server was gone.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


@dataclass(frozen=True)
class Server:
    """How a server is reached."""

    uri: str
    token: str | None = field(repr=False)
    tls_root_certs: bytes | None
    retry: float
    """Seconds without a batch for which a broken connection is made again."""

    def connect(self) -> flight.FlightClient:
        """Make a client. Reaches for nothing yet."""
        make: Any = flight.FlightClient
        client: flight.FlightClient = make(
            self.uri, tls_root_certs=self.tls_root_certs, generic_options=_CHANNEL
        )
        fork.keep(client)
        return client

    def options(self, timeout: float | None = None) -> flight.FlightCallOptions:
        """Return the options of a call."""
        headers: Any = []
        if self.token is not None:
            headers = [(b"authorization", f"Bearer {self.token}".encode())]
        return flight.FlightCallOptions(timeout=timeout, headers=headers)

    def info(self, wanted: Wanted) -> Info:
        """Ask what there is, as often as the server can't be reached.

        Raises
        ------
        ConnectionError, PermissionError, ValueError
            If it can't be reached, does not let us in, or has nothing of the kind.
        """
        descriptor = flight.FlightDescriptor.for_command(wanted.encode())
        attempts = Attempts(self)
        while True:
            try:
                given = called(
                    self.connect,
                    lambda client: client.get_flight_info(descriptor, self.options(_CALL)),
                )
                return _info(given)
            except (flight.FlightError, pa.ArrowException) as error:
                attempts.failed(error, None, 0)
            attempts.pause(lambda: False)


@dataclass(frozen=True)
class Info:
    """What a server says of a cache."""

    schema: pa.Schema
    name: str
    identity: str
    tickets: list[Ticket]
    batches: int | None
    """Of all, where that is known."""


def _info(given: flight.FlightInfo) -> Info:
    try:
        about: Any = json.loads(given.app_metadata)
        found = [tickets.decode(endpoint.ticket.ticket) for endpoint in given.endpoints]
        name, identity, state = (str(about[member]) for member in ("name", "identity", "state"))
        is_ours = about["respool"] == 1
        batches = int(about["batches"])
    except (LookupError, TypeError, ValueError):
        is_ours = False
    if not is_ours:
        raise ValueError("what is there is no server of respool, or one of another version")
    return Info(given.schema, name, identity, found, batches if state == "complete" else None)


class Fetch:
    """The batches that an :class:`Info` speaks of, in order."""

    def __init__(self, server: Server, info: Info) -> None:
        self._server = server
        self._info = info
        self._is_unwanted: Callable[[], bool] = lambda: False
        self._got, self._rows = 0, 0
        self._asked_for: list[Reading] = []

    def until(self, is_unwanted: Callable[[], bool]) -> None:
        """Give up once this says so: a cache that was closed waits for nothing."""
        self._is_unwanted = is_unwanted

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield them.

        Raises
        ------
        BaseException
            What the source raised, after all batches before it.
        IncompleteStreamError
            If there is another log now.
        ConnectionError
            If the server could not be reached for too long.
        """
        position = 0
        for ticket in self._info.tickets:
            mark = yield from self._range(ticket)
            position = mark.next
            if mark.how == "end":
                break
        wanted = self._info.batches
        if wanted is not None and position != wanted:
            raise IncompleteStreamError(
                f"the server ended after {position} of {wanted} batches", (self._got, self._rows)
            )

    def _range(self, ticket: Ticket) -> Generator[pa.RecordBatch, None, Mark]:
        """Yield what a ticket gets, and return the mark at its end."""
        attempts = Attempts(self._server)
        place = _Place(ticket.first)
        while True:
            before, began = (place.came, place.position), time.monotonic()
            try:
                reading = self._asked(ticket.after(place.position))
                try:
                    mark = yield from self._read(reading, place)
                finally:
                    reading.close()
                    if reading.has_begun:
                        reading.join(_CALL)
                if mark.how != "wait":
                    return mark
                attempts = Attempts(self._server)
                continue
            except (flight.FlightError, pa.ArrowException, Silent, _CutShort) as error:
                if (place.came, place.position) != before:
                    attempts = Attempts(self._server)
                    if _is_long_enough(error, began):
                        continue
                attempts.failed(error, self._got, self._rows)
            attempts.pause(self._is_unwanted)

    def _asked(self, ticket: Ticket) -> Reading:
        """Ask for a stream, unless earlier ones still wait for the server to answer.

        Raises
        ------
        Silent
            If they do.
        """
        self._asked_for = [reading for reading in self._asked_for if reading.is_alive]
        if len(self._asked_for) >= _MOST:
            raise Silent
        reading = Reading(self._server.connect, ticket.encode(), self._server.options(_STREAM))
        self._asked_for.append(reading)
        return reading

    def _read(self, reading: Reading, place: _Place) -> Generator[pa.RecordBatch, None, Mark]:
        """Yield what comes after a place in one stream, and return its last mark."""
        # As many as came after the mark came in any stream: this one may break off before it is there again.
        passed_over, since = place.since, 0
        batches = rows = 0
        is_first = True
        while True:
            message = self._next(reading)
            if message is None:
                raise _CutShort("the stream ended without its end")
            batch, beside = message
            if is_first:
                if reading.schema is None or not reading.schema.equals(
                    self._info.schema, check_metadata=True
                ):
                    raise IncompleteStreamError(
                        "the server sends another schema than it said", (self._got, self._rows)
                    )
                is_first = False
                continue
            if beside is None and batch is not None:
                batches += 1
                rows += batch.num_rows
                since += 1
                if since > passed_over:
                    place.since = since
                    place.came += 1
                    self._got += 1
                    self._rows += batch.num_rows
                    yield batch
                continue
            mark = _mark(beside)
            if (mark.batches, mark.rows) != (batches, rows) or since < passed_over:
                # No broken wire does that, and what came may be what is wrong.
                raise IncompleteStreamError(
                    f"of {mark.batches} batches ({mark.rows} rows) of a range {batches} ({rows} rows) came",
                    (self._got, self._rows),
                )
            place.position, place.since, passed_over, since = mark.next, 0, 0, 0
            if mark.how is not None:
                return mark

    def _next(self, reading: Reading) -> tuple[pa.RecordBatch | None, bytes | None] | None:
        end = time.monotonic() + SILENCE
        while True:
            try:
                return reading.take(_LOOK)
            except Silent:
                if self._is_unwanted():
                    raise Closed from None
                if time.monotonic() > end:
                    raise


@dataclass
class _Place:
    """The last mark, the batches that came after it, and those that came at all."""

    position: int
    since: int = 0
    came: int = 0


class _CutShort(Exception):  # noqa: N818 - it is caught here
    """A stream is not whole."""


def _is_long_enough(error: BaseException, began: float) -> bool:
    """Tell whether a stream ended since it may take no longer, and nothing failed."""
    return isinstance(error, flight.FlightTimedOutError) and time.monotonic() - began >= _STREAM


def _mark(beside: bytes | None) -> Mark:
    try:
        return marks.decode(beside or b"")
    except (LookupError, TypeError, ValueError) as error:
        raise _CutShort("what came is no mark") from error
