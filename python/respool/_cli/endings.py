"""How the command ends: its exit codes, and errors that have one."""

from enum import IntEnum


class Exit(IntEnum):
    """What the process returns to the shell; documented in the how-to of the command."""

    OK = 0
    FAILED = 1
    """An error that has no code of its own: of the system, of a query, of a newer version."""
    USAGE = 2
    NOT_FOUND = 3
    DAMAGED = 4
    """Bytes of a log are not what was written."""
    UNFINISHED = 5
    """What there is is good, and it is not all."""
    IN_USE = 6
    """Somebody else uses it, so it was not removed."""
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    """Who reads the output has had enough."""


class Ending(Exception):  # noqa: N818 - not each of them is an error
    """Ends the command.

    Parameters
    ----------
    code
        What the process returns.
    said
        What happened.
    then
        What to do next.
    """

    def __init__(self, code: Exit, said: str, *then: str) -> None:
        super().__init__(said)
        self.code = code
        self.said = said
        self.then = then


def worst(codes: list[Exit]) -> Exit:
    """Return the one code of several: damage, and else the highest."""
    # An unfinished log beside a damaged one must not hide it.
    return Exit.DAMAGED if Exit.DAMAGED in codes else max(codes, default=Exit.OK)
