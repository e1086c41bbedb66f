"""The shapes of what goes in and comes out, for annotations.

Examples
--------
>>> import pyarrow as pa, respool
>>> from respool.typing import Metrics, Source
>>> def bytes_of(source: Source) -> int:
...     metrics: Metrics = respool.cache(source).metrics()
...     return metrics["bytes"]
>>> bytes_of(pa.table({"x": [1, 2]}))
0
"""

import os
from collections.abc import Iterable
from typing import Protocol, TypeAlias, TypedDict


class ArrowStreamExportable(Protocol):
    """Anything that exports an Arrow C stream: a reader, a table, a relation, a data frame."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class ArrowArrayExportable(Protocol):
    """Anything that exports one Arrow C array: a record batch."""

    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...


class ArrowSchemaExportable(Protocol):
    """Anything that exports an Arrow C schema: ``pyarrow.Schema`` and its likes."""

    def __arrow_c_schema__(self) -> object: ...


class ReaderMaker(Protocol):
    """A pyarrow Scanner."""

    def to_reader(self) -> ArrowStreamExportable:
        """Return what it scans as a stream."""


class Scannable(Protocol):
    """A pyarrow Dataset."""

    def scanner(self) -> ReaderMaker:
        """Return a scanner of all of it."""


class Collectable(Protocol):
    """A polars LazyFrame."""

    def collect_batches(self) -> object:
        """Return its result batch by batch."""


Source: TypeAlias = (
    ArrowStreamExportable
    | ArrowArrayExportable
    | Scannable
    | ReaderMaker
    | Collectable
    | Iterable[ArrowArrayExportable | ArrowStreamExportable]
)
"""What can be cached."""

ByteSize: TypeAlias = int | str
"""A number of bytes, or text: ``"64 MiB"``, ``"25%"`` of the memory or of the free disk."""

BatchRows: TypeAlias = tuple[int | None, int | None]
"""The least and the most rows of a batch; None is no bound."""

PathLike: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""A file or a directory; ``~`` is the home of a user."""


class Metrics(TypedDict):
    """What ``StreamCache.metrics()`` returns; sizes in bytes, times in seconds."""

    batches: int
    rows: int
    bytes: int
    pulls: int
    source_seconds: float
    store_seconds: float
    batches_in_memory: int
    memory_bytes: int
    memory_capacity: int | None
    batches_in_log: int
    log_bytes: int
    log_capacity: int | None
    memory_hits: int
    log_reads: int
    readers: int
    encoded_memory_bytes: int
    encoded_log_bytes: int


class BudgetMetrics(TypedDict):
    """What ``Budget.metrics()`` returns; sizes in bytes, of all its caches together."""

    caches: int
    memory_bytes: int
    memory_capacity: int | None
    log_bytes: int
    log_capacity: int | None
