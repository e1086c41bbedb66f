"""Ray Data's door: logs as Datasets that every node reads where they lie, and logs of what can be read once.

Ray's own readers of streams (`from_arrow`, `materialize`) put all of it into the object store. A Dataset from
here has tasks that say which rows of which log; the worker maps these, and a map that is fused with the read gets
pointers into the pages of the file.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from respool._extras import missing

try:
    import ray
    import ray.data
except ImportError as error:
    raise missing("ray", error) from None

from respool import _native
from respool._numbers import from_on
from respool._ray.datasource import LogDatasource, cpus
from respool._scan.columns import checked
from respool._scan.place import found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from respool import StreamCache
    from respool.typing import PathLike, Source

__all__ = ["cache", "read"]

BLOCKS_PER_CPU = 2
"""More even out workers that are slower than others; each costs some milliseconds."""


def read(
    where: PathLike,
    *,
    columns: Sequence[str] | None = None,
    filter: object | None = None,  # noqa: A002 - as views call it
    blocks: int | None = None,
    shared: bool = True,
    prefix: bool = False,
    directory: PathLike | None = None,
    **options: Any,  # noqa: ANN401 - as there
) -> ray.data.Dataset:
    """Read a log by Ray Data, on every node that sees its files.

    The plan is made from the index: no batch is looked at here. A worker opens the log at the same path
    and gives batches that are pointers into its map; they are copied only where Ray has to hand them to another
    process. So let the first step after this one be a map over batches, which Ray runs in the same task:
    ``read(path).map_batches(f, batch_format="pyarrow", batch_size=None, zero_copy_batch=True)``.

    Parameters
    ----------
    where
        The path of a log; or the name of a cache, as :func:`respool.named` takes it.
    columns
        The names of those to read; all if None. ``select_columns`` of the Dataset reads as little.
    filter
        The rows to read, as ``cache.filter`` takes it. ``Dataset.filter(expr=...)`` is as good where it can be
        told exactly; else Ray filters.
    blocks
        How many tasks read. If None, two for each CPU of the cluster as it is now, and no more than there are
        batches. Ray splits and copies the blocks of a read that is asked for more than it has: so
        ``override_num_blocks`` is not an option here.
    shared
        False: the files are on this machine only, and its workers alone read them.
    prefix
        True: read what there is now of a log that is being written, was left or failed.
    directory
        Where named caches are, if not in the usual place.
    options
        As for :func:`ray.data.read_datasource`: ``num_cpus``, ``concurrency``, ``label_selector`` and others.

    Returns
    -------
    ray.data.Dataset
        Each time it is executed it reads the log. It holds the log, on this machine.

    Raises
    ------
    FileNotFoundError
        If there is no such log. A worker that finds none at the path, or another one, raises it too.
    IncompleteStreamError
        If the log is not whole, and ``prefix`` is false.
    ValueError
        If a column is not there, the filter can't be told exactly, or ``blocks`` is below 1.
    TypeError
        If an argument is of another kind than it says, or an option is not one of Ray's.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa, respool.ray
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     orders = respool.named("orders", lambda: pa.table({"id": [1, 2, 3]}), directory=directory)
    ...     orders.ingest_all()
    ...     respool.ray.read(orders.path, filter=[("id", ">", 1)]).count()
    1
    2
    """
    if "override_num_blocks" in options or "parallelism" in options:
        raise TypeError("the number of blocks is blocks=")
    # Ray hands what it does not know to the source, which has no more arguments: a filter would be lost.
    taken = inspect.signature(ray.data.read_datasource).parameters
    for name in options:
        if name not in taken:
            raise TypeError(
                f"read() has no argument {name!r}, and neither has ray.data.read_datasource"
            )
    if blocks is not None:
        blocks = from_on(blocks, 1, "blocks is a number")
    log = found(where, directory, prefix=prefix)
    names = checked(columns, log.cache.schema)
    source = LogDatasource(log, names, filter, shared=shared)
    if blocks is None:
        blocks = max(1, min(log.batches, BLOCKS_PER_CPU * cpus(shared=shared)))
    return ray.data.read_datasource(source, override_num_blocks=blocks, **options)


def cache(
    source: ray.data.Dataset | Source,
    path: PathLike,
    *,
    ingest: bool = False,
    **options: Any,  # noqa: ANN401
) -> StreamCache:
    """Keep what can be read once, or what a Dataset computes, in a log that all nodes read.

    One process writes: this one. It reads the source as the cache is read, and once. Others on this machine
    follow meanwhile with ``respool.open(path)``, and read from anywhere what is there with
    ``respool.ray.read(path, prefix=True)``; whole, it is read by ``respool.ray.read(path)`` as often as you like.

    Parameters
    ----------
    source
        A Dataset, which is executed once, as a stream; or what :func:`respool.cache` takes. Blocks of a Dataset have
        the columns of the first one; where a column has no value in that, say ``schema=``.
    path
        Where the log shall be: on storage that all nodes see at this path.
    ingest
        True: read the source to its end before this returns.
    options
        As for :func:`respool.cache`.

    Returns
    -------
    StreamCache

    Raises
    ------
    FileExistsError
        If there is something at the path.
    TypeError
        If there is no path, or the source is nothing that can be read.
    BaseException
        With ``ingest`` what the source or Ray raised. What came until then stays in the log.

    Examples
    --------
    >>> import tempfile
    >>> import ray, respool.ray
    >>> squares = ray.data.range(100).map_batches(lambda batch: {"n": batch["id"] ** 2})
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     kept = respool.ray.cache(squares, directory + "/squares", ingest=True)
    ...     kept.num_rows, respool.ray.read(kept.path).sum("n")
    (100, 328350)
    """
    if path is None:
        raise TypeError(
            "path is where the log shall be, not None: without one it is respool.cache, which nobody else reads"
        )
    if isinstance(source, ray.data.Dataset):
        schema = options.setdefault("schema", "first")
        source = _batches(source, schema if isinstance(schema, pa.Schema) else None)
    kept = _native.cache(source, path=path, **options)
    if ingest:
        kept.ingest_all()
    return kept


def _batches(dataset: ray.data.Dataset, schema: pa.Schema | None) -> Iterator[pa.RecordBatch]:
    """Execute a Dataset, and give what it computes as it comes."""
    is_empty = True
    for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        is_empty = is_empty and table.num_rows == 0
        for batch in table.to_batches():
            schema = schema or batch.schema
            yield _typed(batch, schema)
    if is_empty and (known := dataset.schema(fetch_if_missing=False)) is not None:
        arrow: Any = known.base_schema
        if isinstance(arrow, pa.Schema):
            yield from arrow.empty_table().to_batches() or [pa.RecordBatch.from_pylist([], arrow)]


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give columns their type that have no value in this block: Ray infers one for each, and there it is null."""
    for i, field in enumerate(batch.schema):
        place = schema.get_field_index(field.name)
        wanted = field if place == -1 else schema.field(place)
        if pa.types.is_null(field.type) and wanted.nullable:
            batch = batch.set_column(i, wanted, pa.nulls(batch.num_rows, wanted.type))
    return batch
