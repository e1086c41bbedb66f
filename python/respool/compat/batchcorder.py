"""batchcorder 0.1.3's three names, kept by respool's cache.

Change ``from batchcorder import StreamCache`` to
``from respool.compat.batchcorder import StreamCache`` and nothing else.

Names, positions, exception types and the hard cap of ``max_readers`` are batchcorder's. What differs
is on purpose: an error of the source stays an error in every later read, a batch that did not fit is
kept and tried again, and the files have no name, so nothing is left behind by a killed process.

Examples
--------
>>> import pyarrow as pa
>>> from respool.compat.batchcorder import StreamCache
>>> cache = StreamCache(pa.table({"id": [1, 2, 3]}))
>>> cache.upstream_exhausted
False
>>> cache.ingest_all()
1
>>> [pa.table(cache).num_rows for _ in range(3)]
[3, 3, 3]
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import respool
from respool.exceptions import DiskCapacityError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from respool import typing as respool_typing

__all__ = ["CastingStreamCache", "StreamCache", "StreamCacheReader"]


@contextmanager
def _quota_as_memory_error() -> Iterator[None]:
    """Raise ``MemoryError`` where the disk quota is reached, as batchcorder does."""
    try:
        yield
    except DiskCapacityError as error:
        raise MemoryError(f"disk capacity: {error}") from error


class StreamCache:
    """A cached Arrow stream, with batchcorder's constructor and methods.

    Parameters
    ----------
    reader
        Any object with ``__arrow_c_stream__``. It is read lazily and once.
    memory_capacity
        Bytes kept in memory; all of them when there is no disk tier.
    disk_path
        Directory of the log, made where it is missing. Together with ``disk_capacity`` or not at all.
    disk_capacity
        Bytes that the log may take.
    write_policy
        ``"on_insertion"`` writes each batch at once, ``"on_eviction"`` when memory overflows.
    max_readers
        The number of readers that may ever be made; ``None`` for any number.
    """

    def __init__(
        self,
        reader: respool_typing.Source,
        memory_capacity: int | None = None,
        disk_path: str | None = None,
        disk_capacity: int | None = None,
        write_policy: Literal["on_insertion", "on_eviction"] = "on_insertion",
        max_readers: int | None = None,
    ) -> None:
        if max_readers is not None and max_readers < 1:
            raise ValueError(f"max_readers must be at least 1, not {max_readers}")
        if disk_path is not None and disk_capacity is not None:
            Path(disk_path).mkdir(parents=True, exist_ok=True)
        self._cache = respool.StreamCache(
            reader, memory_capacity, disk_path, disk_capacity, write_policy, max_readers
        )
        self._readers = _ReaderCount(max_readers)

    @property
    def schema(self) -> pa.Schema:
        """The schema of every batch."""
        return self._cache.schema

    @property
    def ingested_count(self) -> int:
        """The number of batches pulled from the source so far, or before it was closed."""
        cache = self._cache
        return cache.metrics()["batches"] if cache.closed else cache.ingested_count

    @property
    def upstream_exhausted(self) -> bool:
        """Whether the source has said its end."""
        return self._cache.upstream_exhausted

    def reader(self, from_start: bool = True) -> StreamCacheReader:
        """Make an independent reader.

        Parameters
        ----------
        from_start
            At the first batch, or else behind the last one ingested.

        Raises
        ------
        ValueError
            If ``max_readers`` readers have been made, or the cache is closed.
        """
        with self._readers.one_more():
            return StreamCacheReader(self._cache.reader(from_start))

    def cast(self, target_schema: respool_typing.ArrowSchemaExportable) -> CastingStreamCache:
        """Make a replayable view with other column types."""
        return CastingStreamCache(self._cache.cast(target_schema), self._readers)

    def ingest_all(self) -> int:
        """Pull all that the source has, and return the number of batches."""
        with _quota_as_memory_error():
            return self._cache.ingest_all()

    def close(self) -> None:
        """Give back memory and disk; every later read is a ``ValueError``."""
        self._cache.close()

    def __iter__(self) -> StreamCacheReader:
        return self.reader()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        with self._readers.one_more():
            return self._cache.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._cache.__arrow_c_schema__()


class CastingStreamCache:
    """A replayable cast of a :class:`StreamCache`, made by its ``cast``."""

    def __init__(self, view: respool.StreamCacheView, readers: _ReaderCount) -> None:
        self._view = view
        self._readers = readers

    @property
    def schema(self) -> pa.Schema:
        """The schema after the cast."""
        return self._view.schema

    def cast(self, target_schema: respool_typing.ArrowSchemaExportable) -> CastingStreamCache:
        """Cast once more."""
        return CastingStreamCache(self._view.cast(target_schema), self._readers)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        with self._readers.one_more():
            return self._view.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._view.__arrow_c_schema__()


class StreamCacheReader:
    """One replay of a :class:`StreamCache`, made by its ``reader``."""

    def __init__(self, reader: respool.StreamCacheReader) -> None:
        self._reader = reader

    @property
    def schema(self) -> pa.Schema:
        """The schema of every batch."""
        return self._reader.schema

    @property
    def closed(self) -> bool:
        """Whether this reader has been consumed."""
        return self._reader.closed

    def cast(self, target_schema: respool_typing.ArrowSchemaExportable) -> pa.RecordBatchReader:
        """Hand the rest over as a ``pyarrow.RecordBatchReader`` with other column types."""
        return self._reader.cast(target_schema)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> pa.RecordBatch:
        with _quota_as_memory_error():
            return next(self._reader)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._reader.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._reader.__arrow_c_schema__()


class _ReaderCount:
    """The readers made from one cache and all its casts; a slot is never given back."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._made = 0
        self._lock = threading.Lock()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a reader that is made inside; one that could not be made does not count."""
        with self._lock:
            if self._most is not None and self._made >= self._most:
                raise ValueError(f"Maximum number of readers reached: {self._most}")
            self._made += 1
        try:
            yield
        except BaseException:
            with self._lock:
                self._made -= 1
            raise
