"""The shapes of what goes in and comes out, for annotations.

A :data:`Source` is one of :class:`ArrowStreamExportable`, :class:`ArrowArrayExportable`, :class:`Scannable`,
:class:`ReaderMaker`, :class:`Collectable` and iterables. None of these classes has to be inherited from: an
object with the method is one.

Examples
--------
>>> import pyarrow as pa, respool
>>> from respool.typing import ArrowSchemaExportable, BatchRows, ByteSize, Metrics, PathLike, Source
>>> def rows_of(
...     source: Source,
...     schema: ArrowSchemaExportable,
...     memory: ByteSize = "64 MiB",
...     rows: BatchRows = (1000, None),
...     path: PathLike | None = None,
... ) -> int:
...     cache = respool.cache(source, schema=schema, memory=memory, batch_rows=rows, path=path)
...     cache.ingest_all()
...     metrics: Metrics = cache.metrics()
...     return metrics["rows"]
>>> table = pa.table({"x": [1, 2]})
>>> rows_of(table.to_batches(), table.schema)
2
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, TypedDict


class ArrowStreamExportable(Protocol):
    """Anything that exports an Arrow C stream: a reader, a table, a relation, a data frame.

    Examples
    --------
    >>> import pyarrow as pa, respool
    >>> class Twice:
    ...     def __init__(self, table):
    ...         self.table = table
    ...
    ...     def __arrow_c_stream__(self, requested_schema=None):
    ...         return pa.concat_tables([self.table] * 2).__arrow_c_stream__(requested_schema)
    >>> respool.cache(Twice(pa.table({"x": [1, 2]}))).to_arrow()["x"].to_pylist()
    [1, 2, 1, 2]
    """

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class ArrowArrayExportable(Protocol):
    """Anything that exports one Arrow C array: a record batch.

    Examples
    --------
    >>> import pyarrow as pa, respool
    >>> respool.cache(pa.record_batch({"x": [1, 2]})).ingest_all()
    1
    """

    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...


class ArrowSchemaExportable(Protocol):
    """Anything that exports an Arrow C schema: ``pyarrow.Schema`` and its likes, a cache among them.

    Examples
    --------
    >>> import pyarrow as pa, respool
    >>> cache = respool.cache(pa.table({"x": [1, 2]}))
    >>> respool.cache([pa.record_batch({"x": [3]})], schema=cache).to_arrow()["x"].to_pylist()
    [3]
    """

    def __arrow_c_schema__(self) -> object: ...


class ReaderMaker(Protocol):
    """A pyarrow Scanner.

    Examples
    --------
    >>> import pyarrow as pa, pyarrow.dataset, respool
    >>> scanner = pa.dataset.dataset(pa.table({"x": [1, 2], "y": [3, 4]})).scanner(columns=["y"])
    >>> respool.cache(scanner).to_arrow().to_pydict()
    {'y': [3, 4]}
    """

    def to_reader(self) -> ArrowStreamExportable:
        """Return what it scans as a stream."""


class Scannable(Protocol):
    """A pyarrow Dataset.

    Examples
    --------
    >>> import pyarrow as pa, pyarrow.dataset, respool
    >>> respool.cache(pa.dataset.dataset(pa.table({"x": [1, 2]}))).to_arrow().num_rows
    2
    """

    def scanner(self) -> ReaderMaker:
        """Return a scanner of all of it."""


class Collectable(Protocol):
    """A polars LazyFrame.

    Examples
    --------
    >>> import polars as pl, respool
    >>> respool.cache(pl.LazyFrame({"x": [1, 2]}).select(pl.col("x").sum())).to_arrow().to_pydict()
    {'x': [3]}
    """

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
    """What ``StreamCache.metrics()`` returns; sizes in bytes, times in seconds.

    Examples
    --------
    >>> import pyarrow as pa, respool
    >>> metrics = respool.cache(pa.table({"x": [1, 2]})).metrics()
    >>> set(metrics) == set(respool.typing.Metrics.__annotations__)
    True
    """

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
    """What ``Budget.metrics()`` returns; sizes in bytes, of all its caches together.

    Examples
    --------
    >>> import respool
    >>> from respool.typing import BudgetMetrics
    >>> used: BudgetMetrics = respool.Budget(memory="1 MiB", disk=None).metrics()
    >>> used["caches"], used["memory_bytes"]
    (0, 0)
    """

    caches: int
    memory_bytes: int
    memory_capacity: int | None
    log_bytes: int
    log_capacity: int | None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a cache did; what ``on_event=`` is given.

    Events of one cache come one after another and in order, by the thread that caused them or by another one that
    reads the cache, soon after they happened: where a batch was asked for, at the latest after a twentieth of a
    second. The callable may use the cache, but for the reader that is reading; what it raises is handed to
    ``sys.unraisablehook`` and hurts nobody. It is waited for: what takes long belongs into a queue of its own. At the
    end of the process, and in a forked child, nothing is told.

    Attributes
    ----------
    kind
        ``"ingest"``: batches of the source are stored. ``"spill"``: a batch was written to the log, which may come
        before its ingest. ``"evict"``: memory gave up its copy of a batch. ``"error"``: the source failed, or a
        batch could not be stored, which the next read tries again. ``"end"``: the source came to its end.
    batch
        The number of the first batch that it tells of; of an error that of the batch that is not there; of the end
        the number of all.
    batches
        How many it tells of. More than one where a log of another process is followed, at the end, and where
        the source failed: all that are stored.
    rows
        Their rows.
    bytes
        What was stored (as ``nbytes`` counts it), written to the log, or given back by memory.
    seconds
        For how long the source was waited for since the ingest before it, or how long writing took.
    error
        What went wrong, as text.
    dropped
        How many events before it were lost. A few thousand wait where nobody can tell them.

    Examples
    --------
    >>> import pyarrow as pa, respool
    >>> told = []
    >>> cache = respool.cache(pa.table({"x": [1, 2, 3]}), on_event=told.append)
    >>> cache.ingest_all()
    1
    >>> [(event.kind, event.batch, event.rows) for event in told]
    [('ingest', 0, 3), ('end', 1, 3)]
    """

    kind: Literal["ingest", "spill", "evict", "error", "end"]
    batch: int
    batches: int
    rows: int
    bytes: int
    seconds: float
    error: str | None
    dropped: int
