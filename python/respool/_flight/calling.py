"""A call that gives one answer, made by a thread of its own.

Who waits for it can be interrupted: a call of Flight can't be, by Ctrl-C or anything else. Its thread stays for as long
as the call may take, and keeps nobody: not who gave it up, and the end of Python for a moment only.
"""

from __future__ import annotations

import atexit
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from respool import _fork
from respool._flight import reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from respool._flight.library import flight

Answer = TypeVar("Answer")

_PATIENCE = 2.0
"""Seconds for which all calls are waited for where Python ends."""
_UNDER_WAY: set[threading.Thread] = set()


def called(
    connect: Callable[[], flight.FlightClient], call: Callable[[flight.FlightClient], Answer]
) -> Answer:
    """Connect, call and return the answer.

    Raises
    ------
    BaseException
        What the call raised, or Ctrl-C.
    """
    answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def work() -> None:
        try:
            reading.check_end()
            # A client that is closed in the middle of its call would be pulled from under it.
            with connect() as client:
                answers.put((call(client), None))
        except BaseException as error:  # noqa: BLE001 - it is for who waits
            answers.put((None, error))
        finally:
            _UNDER_WAY.discard(thread)

    thread = threading.Thread(target=work, name="respool-flight-call", daemon=True)
    _UNDER_WAY.add(thread)
    try:
        thread.start()
    except BaseException:
        _UNDER_WAY.discard(thread)
        raise
    answer, error = answers.get()
    if error is not None:
        try:
            raise error
        finally:
            # Its frames know it.
            del error
    made: Answer = answer
    return made


# A forked child has none of their threads.
_fork.in_child(_UNDER_WAY.clear)


@atexit.register
def _let_out() -> None:
    """Wait for calls: Python would end who comes back from one, in the middle of frames of C++, which abort."""
    reading.ENDING.set()
    end = time.monotonic() + _PATIENCE
    for thread in list(_UNDER_WAY):
        if thread.ident is not None:
            thread.join(max(0.0, end - time.monotonic()))
