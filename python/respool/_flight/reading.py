"""One stream, read by a thread of its own.

Who waits for it can be interrupted, can give up, and can be gone: a read of Flight can't be interrupted by Ctrl-C. The
thread holds a few messages at most.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

from respool import _fork
from respool._flight import fork
from respool._flight.library import flight

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

_AHEAD = 2
"""Messages that are read before somebody asks."""
_LOOK = 0.5
_PATIENCE = 2.0
"""Seconds for which all threads are waited for where Python ends."""


class Silent(Exception):  # noqa: N818 - it is caught, and becomes an error of ours
    """Nothing came for too long."""


class Closed(Exception):  # noqa: N818 - nobody sees it
    """The stream was closed, or Python ends."""


Message = tuple["pa.RecordBatch | None", bytes | None]


class Reading:
    """The messages of a stream."""

    def __init__(
        self,
        connect: Callable[[], flight.FlightClient],
        ticket: bytes,
        options: flight.FlightCallOptions,
    ) -> None:
        self._messages: queue.Queue[Message | BaseException | None] = queue.Queue(_AHEAD)
        self._is_over = threading.Event()
        self._process = os.getpid()
        self._stream: flight.FlightStreamReader | None = None
        self._schema: pa.Schema | None = None
        self._thread = threading.Thread(
            target=self._read,
            args=(connect, ticket, options),
            name="respool-flight-read",
            daemon=True,
        )
        _OPEN.add(self)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether its thread is there."""
        return self._thread.is_alive()

    @property
    def has_begun(self) -> bool:
        """Whether the server has answered. Nothing ends a stream before: its thread stays until then."""
        return self._stream is not None

    @property
    def schema(self) -> pa.Schema | None:
        """The schema of the stream, once a message came."""
        return self._schema

    def take(self, patience: float) -> Message | None:
        """Return the next batch and what stands beside it; None at the end.

        Raises
        ------
        Silent
            If nothing came for so many seconds.
        Closed
            If it was closed.
        BaseException
            What ended the stream.
        """
        if self._is_over.is_set() or ENDING.is_set():
            raise Closed
        try:
            message = self._messages.get(timeout=patience)
        except queue.Empty:
            raise Silent from None
        if isinstance(message, BaseException):
            raise message
        return message

    def close(self) -> None:
        """End the stream, wherever it is. A forked child has nothing to end: the connection is its parent's."""
        if os.getpid() != self._process:
            return
        self._is_over.set()
        stream = self._stream
        if stream is not None:
            stream.cancel()

    def join(self, seconds: float) -> None:
        """Wait for the thread, if it has begun."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _read(
        self,
        connect: Callable[[], flight.FlightClient],
        ticket: bytes,
        options: flight.FlightCallOptions,
    ) -> None:
        last: BaseException | None = None
        try:
            check_end()
            # Closed here and nowhere else: a call may be in it for longer than anybody waits.
            with connect() as client:
                self._read_from(client.do_get(flight.Ticket(ticket), options))
        except StopIteration:
            pass
        except BaseException as error:  # noqa: BLE001 - it is for who takes
            last = error
        self._put(last)
        _OPEN.discard(self)

    def _read_from(self, stream: flight.FlightStreamReader) -> None:
        fork.keep(stream)
        self._stream = stream
        if self._is_over.is_set():
            stream.cancel()
        self._schema = stream.schema
        while not self._is_over.is_set():
            chunk = stream.read_chunk()
            beside = chunk.app_metadata
            self._put((chunk.data, None if beside is None else beside.to_pybytes()))

    def _put(self, message: Message | BaseException | None) -> None:
        while not self._is_over.is_set():
            try:
                self._messages.put(message, timeout=_LOOK)
            except queue.Full:
                continue
            return


ENDING = threading.Event()
"""Whether Python ends: a thread that is in it then must not stay, as it could not come back from where it waits."""

_OPEN: WeakSet[Reading] = WeakSet()


def ends_within(seconds: float) -> bool:
    """Wait so many seconds, or until Python ends; tell whether it does."""
    return ENDING.wait(seconds)


def check_end() -> None:
    """Begin nothing where Python ends.

    Raises
    ------
    Closed
        If it does.
    """
    if ENDING.is_set():
        raise Closed


def _forget() -> None:
    """Begin anew in a forked child: a thread of its parent may have the lock in the event."""
    global ENDING  # noqa: PLW0603
    ENDING = threading.Event()
    _OPEN.clear()


_fork.in_child(_forget)


@atexit.register
def _close_all() -> None:
    ENDING.set()
    # Readings begin and end on other threads while one goes through them.
    reading: list[Reading] = []
    while True:
        with suppress(RuntimeError):
            reading = list(_OPEN)
            break
    for one in reading:
        one.close()
    end = time.monotonic() + _PATIENCE
    for one in reading:
        one.join(max(0.0, end - time.monotonic()))
