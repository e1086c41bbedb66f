"""A server that runs until it is closed."""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING, Self
from weakref import WeakSet

import pyarrow as pa

from respool import _fork
from respool._flight import access, fork
from respool._flight.limits import Limits, Places
from respool._flight.service import Service

if TYPE_CHECKING:
    from types import TracebackType

    from respool._flight.shelf import Shelf

_PATIENCE = 5.0
"""Seconds that streams have to end when the server is closed."""


class Server:
    """What :func:`respool.flight.serve` returns: a running server.

    A context manager that closes it. Caches that were handed over stay open.

    Examples
    --------
    >>> import pyarrow as pa, respool, respool.flight
    >>> cache = respool.cache(pa.table({"n": range(100)}).to_reader())
    >>> server = respool.flight.serve({"numbers": cache})
    >>> server.uri.startswith("grpc://127.0.0.1:"), server.streams, server.closed
    (True, 0, False)
    >>> server.close()
    >>> server.closed, cache.num_rows
    (True, 0)
    """

    def __init__(
        self,
        shelf: Shelf,
        location: str,
        *,
        token: str | None,
        tls: tuple[bytes, bytes] | None,
        limits: Limits,
        max_streams: int,
    ) -> None:
        self._process = os.getpid()
        self._shelf = shelf
        self._places = Places(max_streams)
        self._closed = threading.Event()
        middleware = None if token is None else {"token": access.Bearer(token)}
        try:
            self._service = Service(
                shelf,
                limits,
                self._places,
                may_list=token is not None,
                location=location,
                middleware=middleware,
                tls_certificates=None if tls is None else [tls],
            )
        except pa.ArrowException as error:
            shelf.close()
            causes = ["the port is taken", "the address is not of this machine"]
            if tls is not None:
                causes.append("the certificate and its key can't be read or don't belong together")
            raise OSError(
                f"cannot listen at {location}: {', '.join(causes[:-1])} or {causes[-1]} ({error})"
            ) from None
        fork.keep(self._service)
        fork.not_at_exit(self._service)
        before, _, _ = location.rpartition(":")
        self._uri = f"{before}:{self._service.port}"
        _RUNNING.add(self)

    @property
    def uri(self) -> str:
        """Where it is reached, for :func:`respool.flight.open`.

        With ``0.0.0.0`` or ``[::]`` as the host others name this machine instead, as its certificate does.
        """
        return self._uri

    @property
    def closed(self) -> bool:
        """Whether it was closed, or is the server of the parent process."""
        return self._closed.is_set() or os.getpid() != self._process

    @property
    def streams(self) -> int:
        """How many streams are being sent."""
        return self._places.used

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is closed, or so many seconds; tell whether it is closed. Ctrl-C ends the waiting.

        Parameters
        ----------
        timeout
            Seconds; None is for ever.

        Returns
        -------
        bool

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C.

        Examples
        --------
        >>> import pyarrow as pa, respool, respool.flight
        >>> with respool.flight.serve({"numbers": respool.cache(pa.table({"n": [1]}))}) as server:
        ...     server.wait(0.01)
        False
        """
        return self._closed.wait(timeout)

    def close(self) -> None:
        """End it. Streams that are being sent end with an error that tells their clients to ask again.

        Waits for that 5 seconds at most: for a client that does not read, or a source that a view waits for. Closing
        again does nothing.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C while it waits. It is closed all the same.

        Examples
        --------
        >>> import pyarrow as pa, respool, respool.flight
        >>> server = respool.flight.serve({"numbers": respool.cache(pa.table({"n": [1]}))})
        >>> server.close()
        >>> server
        <respool.flight.Server closed>
        """
        if self.closed:
            return
        self._closed.set()
        self._places.close()
        self._shelf.close()
        # It waits for streams that nobody may read to their end.
        ending = threading.Thread(
            target=self._service.shutdown, name="respool-flight-close", daemon=True
        )
        ending.start()
        ending.join(_PATIENCE)
        if ending.is_alive():
            fork.leave(self._service)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<respool.flight.Server {'closed' if self.closed else self._uri}>"


_RUNNING: WeakSet[Server] = WeakSet()
# They are the parent's to close.
_fork.in_child(_RUNNING.clear)


@atexit.register
def _close_all() -> None:
    for server in list(_RUNNING):
        server.close()
