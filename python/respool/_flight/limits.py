"""What one client can take of a server."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from respool import _native
from respool._flight import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respool.typing import ByteSize

_MOST_OF_FLIGHT = (1 << 31) - (1 << 20)
"""A message of Flight has less than 2 GiB."""


@dataclass(frozen=True)
class Limits:
    """What a server gives at most.

    Attributes
    ----------
    message
        Bytes of a batch.
    wait
        Seconds after which a stream without news ends.
    range_bytes
        Bytes of an endpoint, about.
    """

    message: int = 1 << 30
    wait: float = 2.0
    range_bytes: int = 256 << 20

    def fitting(self, batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
        """Return the batches before the first that is too large to be sent."""
        for i, batch in enumerate(batches):
            if size_of(batch) > self._most:
                return batches[:i]
        return batches

    def refusal(self, batch: pa.RecordBatch) -> BaseException:
        """Make the error of a batch that is too large."""
        return told.refusal(
            f"a batch has {size_of(batch)} bytes, and this server sends no more than {self._most} at once: select "
            "fewer columns, or cache it with batch_rows="
        )

    @property
    def _most(self) -> int:
        return min(self.message, _MOST_OF_FLIGHT)


def size_of(batch: pa.RecordBatch) -> int:
    """Return the bytes that a batch shows; where an older pyarrow can't tell for a type, those that it holds."""
    try:
        return batch.nbytes
    except pa.ArrowException:
        return batch.get_total_buffer_size()


def size_from(given: ByteSize, what: str) -> int:
    """Return a limit in bytes.

    Raises
    ------
    TypeError, ValueError
        If it is none, or a share: there is nothing that it could be one of.
    """
    try:
        size = _native._bytes_of(given, 0)  # noqa: SLF001
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None
    if size < 1:
        raise ValueError(f"{what}: a limit is at least one byte and no share, not {given!r}")
    return size


class Places:
    """So many streams at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._used = 0
        self._are_closed = False

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
            self.check_open()
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

    def check_open(self) -> None:
        """Refuse what comes to a server that is being closed.

        Raises
        ------
        FlightError
        """
        if self._are_closed:
            raise told.refusal("the server is being closed", "closing")

    def close(self) -> None:
        """Give no place any more."""
        with self._lock:
            self._are_closed = True
