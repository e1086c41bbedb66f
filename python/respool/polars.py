"""Polars' door: lazy scans of a cache, and caches of a LazyFrame.

``pl.scan_arrow_c_stream(cache)`` takes the stream when the LazyFrame is made: a second ``collect`` or a
join with itself finds it empty, and says nothing. A scan from here reads the cache each time it is
collected, with the columns and the batches that the query needs and no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respool._extras import missing

try:
    import polars as pl
except ImportError as error:
    raise missing("polars", error) from None

from respool._native import cache
from respool._polars.io_source import io_source
from respool._polars.types import Table
from respool._views import checked

try:
    from respool._polars.resolver import CacheResolver
except ImportError:  # Polars before 2.0, or one that went on without resolvers
    CacheResolver = None  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from respool import StreamCache, StreamCacheView

__all__ = ["from_lazyframe", "scan"]


def scan(cache: StreamCacheView) -> pl.LazyFrame:
    """Scan a cache or a view lazily.

    Nothing is read from the source before the frame is collected, and then as much as the query needs;
    ``explain`` and ``collect_schema`` read nothing. Batches in which zone maps see that no row passes a
    filter are not looked at.

    Parameters
    ----------
    cache
        A cache, or what ``select``, ``cast``, ``slice``, ``filter`` or ``prefix`` make of it.

    Returns
    -------
    polars.LazyFrame
        Collect it as often as you like, with either engine. Frames share the buffers of batches in
        memory and of a mapped log; columns that Polars can't share (``string`` rather than
        ``string_view``) are converted once for each LazyFrame where they are wanted whole, in memory,
        or else for each query or scan.

    Raises
    ------
    ValueError
        If two columns have the same name, or the cache is closed when the frame is collected. A query
        that was collected before, over a stream read to its end, may go on with frames that it holds.
    TypeError
        If it is neither a cache nor a view of one; or when a column is collected that Polars has no type
        for: a union, a calendar interval.

    Examples
    --------
    >>> import polars as pl, pyarrow as pa, respool.polars
    >>> cache = respool.StreamCache(pa.table({"n": [1, 2, 3]}))
    >>> frame = respool.polars.scan(cache)
    >>> frame.filter(pl.col("n") > 1).collect()["n"].to_list()
    [2, 3]
    >>> frame.join(frame, on="n").collect().height
    3
    """
    cache = checked(cache, "scan")
    if CacheResolver is None:
        return io_source(Table(cache))
    resolver = CacheResolver(cache)
    # Polars 2.0 and 2.1 lose track of which columns are taken of a resolver: a window (`over`) panics, and a
    # filter that is always false, behind a slice, gives columns that nobody asked for. A name for each column
    # on the way keeps track, and hides nothing from the optimiser.
    hidden = {name: f"_{name}" for name in resolver.schema()}
    return resolver.lazy().rename(hidden).rename({new: name for name, new in hidden.items()})


def from_lazyframe(lf: pl.LazyFrame, **options: Any) -> StreamCache:  # noqa: ANN401 - as there
    """Cache the result of a LazyFrame, batch by batch.

    The frame is collected by the streaming engine as the cache asks for batches; nothing runs before the
    first one, and no result is materialised but the batches that the cache keeps.

    Parameters
    ----------
    lf
        What to compute once.
    **options
        As for :func:`respool.cache`.

    Returns
    -------
    StreamCache

    Raises
    ------
    TypeError
        If it is no LazyFrame, or an option is none of :func:`respool.cache`.
    polars.exceptions.PolarsError
        If the plan has a fault, as a column that is not there.

    Examples
    --------
    >>> import polars as pl, respool.polars
    >>> numbers = pl.LazyFrame({"n": [1, 2, 3]}).select(pl.col("n") * 2)
    >>> cache = respool.polars.from_lazyframe(numbers, memory="64 MiB")
    >>> cache.lazy().sum().collect().item()
    12
    """
    if not isinstance(lf, pl.LazyFrame):
        raise TypeError(f"from_lazyframe takes a polars LazyFrame, not {type(lf).__name__}")
    return cache(lf, **options)
