"""What respool raises where a built-in exception would say too little.

Each is a subclass of the built-in exception that a caller would expect, so code that catches
``MemoryError`` or ``OSError`` need not know of this module; and of :class:`RespoolError`, for code
that wants to know whether an error is respool's.
"""

__all__ = [
    "CorruptLogError",
    "DiskCapacityError",
    "IncompleteStreamError",
    "MemoryCapacityError",
    "RespoolError",
]


class RespoolError(Exception):
    """The base of respool's own classes of exceptions.

    Not of all that it raises: where a built-in exception says enough, that is raised as it is.
    """


class MemoryCapacityError(RespoolError, MemoryError):
    """The next batch does not fit the memory bound and the cache has no log.

    The batch is kept: after ``resize`` the next read goes on with it.
    """


class DiskCapacityError(RespoolError, OSError):
    """The log's quota does not allow the next batch; ``errno`` is ENOSPC, ``filename`` the directory.

    The batch is kept: after ``resize`` the next read goes on with it.
    """


class CorruptLogError(RespoolError, OSError):
    """The bytes of a log are not what was written; ``errno`` is EIO, ``filename`` the file."""


class IncompleteStreamError(RespoolError, EOFError):
    """What there is is not the whole stream. ``.prefix()`` reads what there is.

    Either the source was interrupted: its cause is a ``KeyboardInterrupt`` or a ``SystemExit`` then. That was
    raised once, where it happened; a later reader is to be told, not to be ended. Or a log was opened
    whose source had failed, or whose writer is gone; the message says which, and :func:`respool.resume`
    goes on with it.

    Attributes
    ----------
    batches, rows : int or None
        How many there are, where that is known.
    """

    batches: int | None = None
    rows: int | None = None

    def __init__(self, message: str = "", counts: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        if counts is not None:
            self.batches, self.rows = counts
