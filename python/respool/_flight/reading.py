"""One stream, read by a thread of its own.

Who waits for it can be interrupted, can give up, and can be gone: a read of Flight can't be interrupted by Ctrl-C. The
thread holds a few messages at most.
"""

from __future__ import annotations

import atexit
import queue
import threading
from typing import TYPE_CHECKING
from weakref import WeakSet

from respool._flight import fork

if TYPE_CHECKING:
    import pyarrow as pa

    from respool._flight.library import flight

_AHEAD = 2
"""Messages that are read before somebody asks."""
_LOOK = 0.5


class Silent(Exception):  # noqa: N818 - it is caught here and becomes an error of ours
    """Nothing came for too long."""


class Reading:
    """The messages of a stream."""

    def __init__(
        self, client: flight.FlightClient, ticket: bytes, options: flight.FlightCallOptions
    ) -> None:
        from respool._flight.library import flight  # noqa: PLC0415 - for its class alone

        self._stream = client.do_get(flight.Ticket(ticket), options)
        fork.keep(self._stream)
        self._messages: queue.Queue[
            tuple[pa.RecordBatch | None, bytes | None] | BaseException | None
        ] = queue.Queue(_AHEAD)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="respool-flight-read", daemon=True)
        self._thread.start()
        _OPEN.add(self)

    @property
    def schema(self) -> pa.Schema:
        """The schema of the stream; waits for it."""
        return self._stream.schema

    def take(self, patience: float) -> tuple[pa.RecordBatch | None, bytes | None] | None:
        """Return the next batch and what stands beside it; None at the end.

        Raises
        ------
        Silent
            If nothing came for so many seconds.
        BaseException
            What ended the stream.
        """
        try:
            message = self._messages.get(timeout=patience)
        except queue.Empty:
            raise Silent from None
        if isinstance(message, BaseException):
            raise message
        return message

    def close(self) -> None:
        """End the stream, wherever it is."""
        if not self._is_over.is_set():
            self._is_over.set()
            self._stream.cancel()
        _OPEN.discard(self)

    def join(self, seconds: float) -> None:
        """Wait for the thread."""
        self._thread.join(seconds)

    def _read(self) -> None:
        last: BaseException | None = None
        try:
            while not self._is_over.is_set():
                chunk = self._stream.read_chunk()
                beside = chunk.app_metadata
                self._put((chunk.data, None if beside is None else beside.to_pybytes()))
        except StopIteration:
            pass
        except BaseException as error:  # noqa: BLE001 - it is for who takes
            last = error
        self._put(last)

    def _put(
        self, message: tuple[pa.RecordBatch | None, bytes | None] | BaseException | None
    ) -> None:
        while not self._is_over.is_set():
            try:
                self._messages.put(message, timeout=_LOOK)
            except queue.Full:
                continue
            return


_OPEN: WeakSet[Reading] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Let no thread come back from gRPC when there is no Python any more."""
    reading = list(_OPEN)
    for one in reading:
        one.close()
    for one in reading:
        one.join(2)
