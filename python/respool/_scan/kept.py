"""The log that this process read last, open for some seconds more.

Workers are used again, for the next part and the next query over the same log; a log that was just opened is
verified anew at its first pass. Kept for long, it would be in the way of whoever removes it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from respool import _fork

if TYPE_CHECKING:
    from respool import StreamCacheView

SECONDS = 30.0
"""How long it stays after the last part was begun."""


class _Kept:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a forked child has to: the thread that lets go is the parent's."""
        self.turn = threading.Lock()
        self.cache: StreamCacheView | None = None
        self.timer: threading.Timer | None = None

    def keep(self, cache: StreamCacheView) -> None:
        with self.turn:
            if self.timer is not None:
                self.timer.cancel()
            # The one before goes at once, unless somebody still reads it.
            self.cache = cache
            self.timer = timer = threading.Timer(SECONDS, lambda: self._let_go(timer))
            timer.daemon = True
            timer.start()

    def _let_go(self, timer: threading.Timer) -> None:
        with self.turn:
            if self.timer is timer:
                self.cache = self.timer = None


_kept = _Kept()
_fork.in_child(_kept.forget)

keep = _kept.keep
