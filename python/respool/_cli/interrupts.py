"""Ctrl-C, and what else asks the command to end; an engine may keep it to itself, or make another error of it."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_GRACE = 1.0
"""Seconds in which what was begun is tidied up, whoever presses again."""

_AGAIN = 0.05
"""Seconds until an engine is interrupted once more: it forgets that where a query begins."""

_ENDING = {signal.SIGTERM, signal.SIGHUP} if hasattr(signal, "SIGHUP") else {signal.SIGTERM}
"""What would end the process at once, whatever is half done."""


class Terminated(BaseException):
    """A signal other than that of Ctrl-C has to end the process.

    Parameters
    ----------
    number
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


class Pressed:
    """Ctrl-C, as a handler of its signal: pressed twice it is one, or the second would end what tidies up."""

    def __init__(self) -> None:
        self._raised = -_GRACE

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt."""
        now = time.monotonic()
        if now - self._raised >= _GRACE:
            self._raised = now
            signal.default_int_handler(number, frame)


class Interrupts:
    """Whether Ctrl-C came, or what else ends the process."""

    def __init__(self) -> None:
        self.is_noted = False
        self.handle: Callable[[int, FrameType | None], object] = signal.default_int_handler
        self._number: int | None = None
        self._raised = 0.0
        # While handlers are put in their places and taken away, which an exception would leave half done.
        self.is_held = True
        self._is_late = False

    @property
    def came(self) -> bool:
        """Whether any did."""
        return self._number is not None

    def again(self) -> None:
        """Raise what it means, if it came and somebody made nothing of it."""
        if self._number is None:
            return
        self._raised = time.monotonic()
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Terminated(self._number)

    @contextmanager
    def passed_to(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """Have an engine interrupted that computes on threads of its own, while the main one waits for it.

        Python's handlers run when the main thread has come back, which would be at the end of the query. The byte that
        a signal writes is there at once.
        """
        if not self.is_noted:
            yield
            return
        self.is_held = True
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        is_over = threading.Event()
        watcher = threading.Thread(target=_pass_on, args=(ours, interrupt, is_over), daemon=True)
        watcher.start()
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            try:
                self.let_go()
                yield
            finally:
                # What comes before this is the first, and the next is not told so soon.
                self.is_held = True
        finally:
            signal.set_wakeup_fd(before)
            is_over.set()
            # What the watcher reads ends with it.
            theirs.close()
            watcher.join()
            ours.close()
            self.let_go()

    def let_go(self) -> None:
        """Raise what came while it was held, and what comes."""
        self.is_held = False
        if self._is_late:
            self._is_late = False
            self.again()

    def note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal, as its handler, and raise what it means unless that is held."""
        if self._number is not None and time.monotonic() - self._raised < _GRACE:
            return
        self._number, self._raised = number, time.monotonic()
        if self.is_held:
            self._is_late = True
        elif number == signal.SIGINT:
            self.handle(number, frame)
        else:
            self.again()


def _pass_on(
    signals: socket.socket, interrupt: Callable[[], object], is_over: threading.Event
) -> None:
    while numbers := signals.recv(64):
        if not {signal.SIGINT, *_ENDING}.isdisjoint(numbers):
            while not is_over.is_set():
                # It may have ended just now.
                with suppress(Exception):
                    interrupt()
                is_over.wait(_AGAIN)


@contextmanager
def noted() -> Iterator[Interrupts]:
    """Note Ctrl-C and what ends the process, which becomes an error. An error that comes after it is that one.

    DuckDB looks for modules that it can do without, and takes whatever that raises for their absence; of what ends a
    query it makes an error of its own.
    """
    interrupts = Interrupts()
    handle = signal.getsignal(signal.SIGINT)
    if not callable(handle) or threading.current_thread() is not threading.main_thread():
        # Somebody wants it to be ignored.
        yield interrupts
        return
    # Those that nohup, for one, has ignored stay so.
    # Ctrl-C first and last, so that it is held while the others change.
    before: dict[signal.Signals, Any] = {signal.SIGINT: handle}
    before |= {
        number: signal.SIG_DFL for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL
    }
    interrupts.handle = handle
    interrupts.is_noted = True
    try:
        try:
            for number in before:
                signal.signal(number, interrupts.note)
            interrupts.let_go()
            yield interrupts
        except Exception:
            interrupts.again()
            raise
        finally:
            interrupts.is_held = True
    finally:
        for number, handler in reversed(before.items()):
            signal.signal(number, handler)
        interrupts.let_go()


@contextmanager
def held() -> Iterator[None]:
    """Hold Ctrl-C back until the end: in a module that is imported, the exception may end the process."""
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        before(came[0], None)
