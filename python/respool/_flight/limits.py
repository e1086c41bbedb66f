"""What one client can take of a server."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from respool._flight import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

_MOST_OF_FLIGHT = (1 << 31) - (1 << 20)
"""A message of Flight has less than 2 GiB."""


@dataclass(frozen=True)
class Limits:
    """`message`: bytes of a batch; `wait`: seconds after which a stream without news ends; `range_bytes`: of an endpoint."""

    message: int = 1 << 30
    wait: float = 2.0
    range_bytes: int = 256 << 20

    def check(self, batches: list[pa.RecordBatch]) -> None:
        """Refuse a batch that is too large to be sent.

        Raises
        ------
        FlightError
        """
        most = min(self.message, _MOST_OF_FLIGHT)
        for batch in batches:
            if batch.nbytes > most:
                raise told.refusal(
                    f"a batch has {batch.nbytes} bytes, and this server sends no more than {most} at once: select "
                    "fewer columns, or cache it with batch_rows="
                )


class Places:
    """So many streams at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._used = 0
        self.are_closed = False

    @property
    def used(self) -> int:
        """How many streams there are now."""
        return self._used

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place.

        Raises
        ------
        FlightError
            If all are taken.
        """
        with self._lock:
            if self.are_closed:
                raise told.refusal("the server is being closed", "closing")
            if self._used >= self._most:
                raise told.refusal(
                    f"all {self._most} places of this server are taken: try again later", "busy"
                )
            self._used += 1
        try:
            yield
        finally:
            with self._lock:
                self._used -= 1

    def close(self) -> None:
        """Give no place any more."""
        with self._lock:
            self.are_closed = True
