"""What to hand DuckDB in place of a view: the best that the DuckDB at hand understands."""

import pyarrow as pa

from respool import StreamCacheView
from respool._duckdb import unscannable


def scannable(view: StreamCacheView, *, optimize: bool = False) -> object:
    """Return an object that DuckDB scans as the view.

    With DuckDB 2 a source that knows row counts, columns and filters. Otherwise a table that shares
    the view's buffers, if all of it is in memory, or else the view itself, a plain stream.
    """
    unscannable.check(view.schema)
    try:
        # Private to DuckDB, and new in DuckDB 2: it may be missing, and it may move.
        from respool._duckdb.source import ViewSource  # noqa: PLC0415
    except ImportError:
        if view._place == "memory":  # noqa: SLF001
            return pa.table(view)
        return view
    return ViewSource(view, optimize=optimize)
