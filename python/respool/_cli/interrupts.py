"""Ctrl-C, which an engine may keep to itself, or make another error of."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Whether Ctrl-C came."""

    def __init__(self) -> None:
        self.came = False

    def again(self) -> None:
        """Raise KeyboardInterrupt, if it came and somebody made nothing of it."""
        if self.came:
            raise KeyboardInterrupt


@contextmanager
def noted() -> Iterator[Interrupts]:
    """Note Ctrl-C, beside what it does. An error that comes after it is KeyboardInterrupt.

    DuckDB looks for modules that it can do without, and takes whatever that raises for their absence; of what ends a
    query it makes an error of its own.
    """
    interrupts = Interrupts()
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    handle = before

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.came = True
        handle(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupts
    except Exception as error:
        if interrupts.came:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, before)
