"""The next batch of a reader, taken by a thread of its own.

A view that grows gives its next batch when one passes, which may be long after all that is stored: who asks can say
meanwhile that it waits, send what there is, and end.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from respool._flight.pull import in_source

if TYPE_CHECKING:
    import pyarrow as pa

    from respool import StreamCacheReader
    from respool._flight.pull import Pull

    Answer = tuple[pa.RecordBatch | None, int] | BaseException


class Waits(Exception):  # noqa: N818 - it is caught
    """There is no answer yet."""


class Stepping:
    """Takes batches when it is asked to, and none ahead."""

    def __init__(self, reader: StreamCacheReader, pull: Pull) -> None:
        self._reader = reader
        self._pull = pull
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._runs = False
        self.waits = False
        """Whether the thread has the reader."""

    def take(self, seconds: float) -> tuple[pa.RecordBatch | None, int]:
        """Return the next batch, None at the end, and the number of the one after it.

        Raises
        ------
        Waits
            If there is none after so many seconds. The next call waits for the same one.
        BaseException
            What the reader raised.
        """
        if not self._runs:
            threading.Thread(target=self._work, name="respool-flight-step", daemon=True).start()
            self._runs = True
        if not self.waits:
            self._asked.put(True)
            self.waits = True
        try:
            answer = self._answers.get(timeout=seconds)
        except Empty:
            raise Waits from None
        self.waits = False
        if isinstance(answer, BaseException):
            try:
                raise answer
            finally:
                # Its frames know it.
                del answer
        return answer

    def close(self) -> None:
        """Let the thread end, as soon as it is out of the source."""
        self._asked.put(False)

    def _work(self) -> None:
        while self._asked.get():
            try:
                with in_source(self._pull):
                    # Kept by nobody here: the next one may be long in coming.
                    self._answers.put((next(self._reader, None), self._reader.position))
            except BaseException as error:  # noqa: BLE001 - it is for who asked
                self._answers.put(error)
