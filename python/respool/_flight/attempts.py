"""What is tried again, for how long, and what is an error at once."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING

import pyarrow as pa

from respool._flight import told, trust
from respool._flight.library import flight
from respool._flight.reading import Closed, Silent, ends_within
from respool.exceptions import IncompleteStreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from respool._flight.fetch import Server

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_STRANGER = (flight.FlightUnauthenticatedError, flight.FlightUnauthorizedError)
_FOREIGN = (pa.ArrowNotImplementedError, pa.ArrowTypeError)


class Attempts:
    """How often and how long something is tried again."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._end = time.monotonic() + server.retry
        self._pause = _FIRST_PAUSE

    def failed(self, error: BaseException, batches: int | None, rows: int) -> None:
        """Return if it is worth another attempt.

        Parameters
        ----------
        error
            What came instead of an answer.
        batches, rows
            How much had come; None where no cache has been opened yet.

        Raises
        ------
        BaseException
            What the server said, or that it can't be reached.
        """
        said = told.read(error)
        if said is not None and said.kind not in ("busy", "closing"):
            raised = told.raised(said, batches or 0, rows)
            if said.kind == "source":
                # Its traceback ends here, and the code that raised it is elsewhere.
                came = "" if batches is None else f", after {_amount(batches, rows)}"
                raised.add_note(f"The source raised it on the server at {self._server.uri}{came}.")
            raise raised from None
        if isinstance(error, _FOREIGN):
            text = (
                f"what is at {self._server.uri} is no server of respool, or one of another version"
            )
            raise (
                IncompleteStreamError(text, (batches, rows)) if batches else ValueError(text)
            ) from None
        if isinstance(error, _STRANGER):
            raise PermissionError(
                errno.EACCES,
                f"the server at {self._server.uri} does not let us in: {_short(error)}",
            ) from None
        if said is None and (fault := trust.fault(self._server.uri, _short(error))) is not None:
            came = f"; after {_amount(batches, rows)}" if batches else ""
            raise ConnectionError(fault + came) from None
        if time.monotonic() >= self._end:
            after, then = "", ""
            if batches is not None:
                after = f", after {_amount(batches, rows)}"
                then = (
                    "; open it again, and a log with path= goes on by respool.resume(path, "
                    "respool.flight.open(...))"
                )
            raise ConnectionError(
                f"the server at {self._server.uri} could not be reached for {self._server.retry:g} s{after}: "
                f"{_short(error)}; see whether it runs, and whether both sides say the same of TLS (grpc+tls://, "
                f"tls_root_certs=){then}"
            ) from None

    def pause(self, is_unwanted: Callable[[], bool]) -> None:
        """Wait a little, longer from time to time."""
        if is_unwanted() or ends_within(self._pause):
            raise Closed
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


def _amount(batches: int, rows: int) -> str:
    return f"{batches} {'batch' if batches == 1 else 'batches'} ({rows} rows)"


def _short(error: BaseException) -> str:
    """Return what an error says, without what gRPC adds to it."""
    if isinstance(error, Silent):
        return "it said nothing"
    return str(error).partition(" gRPC client debug context")[0].partition(". Detail:")[0]
