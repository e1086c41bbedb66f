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

    Examples
    --------
    >>> import pyarrow as pa, respool
    >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}), 1)
    >>> try:
    ...     pa.table(cache)
    ... except MemoryError as error:
    ...     isinstance(error, respool.exceptions.RespoolError)
    False
    >>> try:
    ...     cache.ingest_all()
    ... except respool.exceptions.RespoolError as error:
    ...     isinstance(error, MemoryError)
    True
    """


class MemoryCapacityError(RespoolError, MemoryError):
    """The next batch does not fit the memory bound and the cache has no log.

    The batch is kept: after ``resize`` the next read goes on with it.

    Examples
    --------
    >>> import pyarrow as pa, respool
    >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}), 1)
    >>> try:
    ...     cache.ingest_all()
    ... except respool.exceptions.MemoryCapacityError:
    ...     cache.resize(memory="1 MiB")
    >>> cache.ingest_all()
    1
    """


class DiskCapacityError(RespoolError, OSError):
    """The log's quota does not allow the next batch; ``errno`` is ENOSPC, ``filename`` the directory.

    The batch is kept: after ``resize`` the next read goes on with it.

    Examples
    --------
    >>> import errno
    >>> import pyarrow as pa, respool
    >>> cache = respool.cache(pa.table({"x": [1, 2, 3]}), memory=0, disk=1, directory=".")
    >>> try:
    ...     cache.ingest_all()
    ... except respool.exceptions.DiskCapacityError as error:
    ...     assert error.errno == errno.ENOSPC
    ...     cache.resize(disk="1 MiB")
    >>> cache.ingest_all()
    1
    """


class CorruptLogError(RespoolError, OSError):
    """The bytes of a log are not what was written; ``errno`` is EIO, ``filename`` the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pyarrow as pa, respool
    >>> path = Path(tempfile.mkdtemp(dir=".")) / "numbers"
    >>> with respool.cache(pa.table({"x": [1, 2, 3]}), path=path) as cache:
    ...     cache.ingest_all()
    1
    >>> for segment in path.glob("*.arrow"):
    ...     _ = segment.write_bytes(bytes(segment.stat().st_size))
    >>> try:
    ...     respool.open(path).to_arrow()
    ... except respool.exceptions.CorruptLogError as error:
    ...     Path(error.filename).name
    '00000000.arrow'
    """


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

    Examples
    --------
    >>> import os, tempfile
    >>> import pyarrow as pa, respool
    >>> path = os.path.join(tempfile.mkdtemp(dir="."), "numbers")
    >>> with respool.cache(pa.table({"x": [1, 2, 3]}).to_reader(2), path=path) as cache:
    ...     cache.head(2).num_rows  # and no more is read
    2
    >>> again = respool.open(path)
    >>> try:
    ...     again.to_arrow()
    ... except respool.exceptions.IncompleteStreamError as error:
    ...     error.batches, error.rows
    (1, 2)
    >>> again.prefix().to_arrow()["x"].to_pylist()
    [1, 2]
    """

    batches: int | None = None
    rows: int | None = None

    def __init__(self, message: str = "", counts: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        if counts is not None:
            self.batches, self.rows = counts
