"""A call that gives one answer, made by a thread of its own.

Who waits for it can be interrupted: a call of Flight can't be, by Ctrl-C or anything else. Its thread stays for as long
as the call may take, and keeps nobody: neither who gave it up nor the end of Python.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from respool._flight.library import flight

Answer = TypeVar("Answer")


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
            # A client that is closed in the middle of its call would be pulled from under it.
            with connect() as client:
                answers.put((call(client), None))
        except BaseException as error:  # noqa: BLE001 - it is for who waits
            answers.put((None, error))

    threading.Thread(target=work, name="respool-flight-call", daemon=True).start()
    answer, error = answers.get()
    if error is not None:
        try:
            raise error
        finally:
            # Its frames know it.
            del error
    made: Answer = answer
    return made
