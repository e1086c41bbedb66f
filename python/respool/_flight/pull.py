"""One thread that pulls a source for all clients who wait for it.

A client's own thread must not: it would hang in the source after its client went, and when the server is closed.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from typing import TYPE_CHECKING

from respool import _fork

if TYPE_CHECKING:
    from respool import StreamCache

_IDLE = 5.0
"""Seconds after which a thread that nobody wants anything of ends."""
_PATIENCE = 2.0
"""Seconds for which a source that stalls is waited for where Python ends."""
_THREADS: dict[threading.Thread, Pull] = {}
"""Those that may be in a source, and for what they are there."""


class Pull:
    """Pulls a cache as far as somebody waits, and no further."""

    def __init__(self, cache: StreamCache) -> None:
        self._cache = cache
        self._changed = threading.Condition()
        self._wanted = -1
        self._runs = False
        self._is_stopped = False
        self._trouble: BaseException | None = None

    def wait_for(self, batch: int, seconds: float) -> None:
        """Wait until a batch is stored or known not to come, or so many seconds.

        Raises
        ------
        BaseException
            What kept the last attempt from storing a batch, if it was not the source.
        """
        with self._changed:
            if self._is_stopped:
                return
            self._wanted = max(self._wanted, batch)
            if not self._runs:
                self._trouble = None
                threading.Thread(target=self._work, name="respool-flight-pull", daemon=True).start()
                # Not before: where no thread can be had, the next who waits tries again.
                self._runs = True
            self._changed.notify_all()
            if not self._is_there(batch):
                self._changed.wait(seconds)
            if self._trouble is not None:
                raise self._trouble

    def stop(self) -> None:
        """Pull nothing more, and wake who waits."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def _is_there(self, batch: int) -> bool:
        cache = self._cache
        return batch < cache.ingested_count or cache.upstream_exhausted or cache.error is not None

    def _work(self) -> None:
        thread = threading.current_thread()
        _THREADS[thread] = self
        try:
            self._run()
        finally:
            _THREADS.pop(thread, None)

    def _run(self) -> None:
        process = os.getpid()
        while True:
            with self._changed:
                if not self._is_stopped and self._is_there(self._wanted):
                    self._changed.wait(_IDLE)
                if self._is_stopped or self._is_there(self._wanted):
                    self._runs = False
                    return
                wanted = self._cache.ingested_count
            trouble = self._pulled(wanted)
            if os.getpid() != process:
                return
            with self._changed:
                self._trouble = trouble
                if trouble is not None:
                    # Whoever waits next tries again.
                    self._wanted = -1
                    self._runs = False
                self._changed.notify_all()
                if trouble is not None:
                    return

    def _pulled(self, batch: int) -> BaseException | None:
        """Pull a batch; what kept it from being stored, but for the end of the source, however it ended."""
        try:
            self._cache.batch(batch)
        except (IndexError, TimeoutError):
            # The end, or a writer in another process that takes its time.
            return None
        except BaseException as error:  # noqa: BLE001 - it is for those who wait
            if self._is_stopped:
                # Nobody waits any more, and where Python ends the cache can't be asked.
                return None
            return None if self._cache.error is not None else error
        return None


# A forked child has none of them, and a thread of its parent may have the lock of one.
_fork.in_child(_THREADS.clear)


@atexit.register
def _let_out() -> None:
    """Wait for who is in a source: Python would end the thread there, in the middle of frames of C++, which abort."""
    threads = list(_THREADS.items())
    for _, pull in threads:
        pull.stop()
    end = time.monotonic() + _PATIENCE
    for thread, _ in threads:
        thread.join(max(0.0, end - time.monotonic()))
