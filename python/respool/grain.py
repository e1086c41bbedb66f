"""Grain's door: the rows of a cache by their numbers, for a pipeline that shuffles and batches by itself.

Grain asks for rows in an order of its own and counts which it has had, so its checkpoints work as with any source.
It asks for one row at a time; a Grain that asks for those of a batch together, an experiment so far, gets them
gathered at once.

Who only wants shuffled batches of arrays is served much faster by :func:`respool.epochs`, which gives whole steps and
needs no Grain.

Examples
--------
>>> import grain, pyarrow as pa, respool, respool.grain
>>> cache = respool.cache(pa.table({"n": range(6)}).to_reader())
>>> _ = cache.ingest_all()
>>> rows = respool.grain.RowSource(cache)
>>> [step["n"].tolist() for step in grain.MapDataset.source(rows).batch(3)]
[[0, 1, 2], [3, 4, 5]]
"""

from __future__ import annotations

import operator
import os
from typing import TYPE_CHECKING, Any, SupportsIndex

from respool._extras import missing

# Nothing of it is used here; who has none should hear of it now, and not in the middle of a pipeline.
try:
    import grain  # noqa: F401
except ImportError as error:
    raise missing("grain", error) from None

import respool
from respool._columns import Columns
from respool._views import narrowed, opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from respool import StreamCacheView
    from respool.typing import PathLike

__all__ = ["RowSource"]


class RowSource:
    """Rows by their numbers, each a dict of NumPy's scalars, or arrays where a row has several numbers.

    Threads may share it. It pickles where its cache does: on a log that is kept, as its path and which log it is.

    Parameters
    ----------
    source
        A complete cache, a view of one, or the directory of a log.
    columns
        The columns that are read, by name or number; all if None.
    null_value
        What stands for a null, by the name of the column. Without it a null is an error.
    objects
        True: values that are no numbers come as Python objects. False: their columns are refused.

    Raises
    ------
    TypeError
        If a column is none of numbers, and ``objects`` is not set; or the source is neither a cache nor a path.
    ValueError
        If the cache is not complete, or a null value is none of its column's type.

    Notes
    -----
    Numbers come in the type that they have in the cache; dates and times as the integers as which Arrow keeps
    them, in the column's unit.

    Examples
    --------
    >>> import pyarrow as pa, respool, respool.grain
    >>> table = pa.table({"n": range(100), "even": [n % 2 == 0 for n in range(100)]})
    >>> cache = respool.cache(table.to_reader(10))
    >>> _ = cache.ingest_all()
    >>> rows = respool.grain.RowSource(cache)
    >>> len(rows), int(rows[42]["n"]), bool(rows[42]["even"])
    (100, 42, True)
    """

    def __init__(
        self,
        source: StreamCacheView | PathLike,
        *,
        columns: Sequence[str | int] | None = None,
        null_value: Mapping[str, object] | None = None,
        objects: bool = False,
    ) -> None:
        view = (
            respool.open(source)
            if isinstance(source, str | bytes | os.PathLike)
            else opened(source, "RowSource")
        )
        self._view = narrowed(view, columns)
        self._columns = Columns(self._view.schema, null_value, objects=objects)
        self._epochs = respool.epochs(self._view, batch_size=1, shuffle=None, prefetch=0)
        self._rows = self._epochs.num_rows or 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows

    def __getitem__(self, row: SupportsIndex) -> dict[str, Any]:
        """Return one row."""
        return self._getitems([row])[0]

    def _getitems(self, rows: Sequence[SupportsIndex]) -> list[dict[str, Any]]:
        """Return several rows, gathered at once. Grain asks for this name."""
        numbers = [self._number(row) for row in rows]
        arrays = self._columns.arrays(self._epochs.take(numbers))
        if not arrays:
            return [{} for _ in numbers]
        return [
            dict(zip(arrays, values, strict=True)) for values in zip(*arrays.values(), strict=True)
        ]

    def __repr__(self) -> str:
        names = ", ".join(self._view.column_names)
        return f"RowSource({self._rows} rows of {names})"

    def _number(self, row: SupportsIndex) -> int:
        number = operator.index(row)
        if not -self._rows <= number < self._rows:
            raise IndexError(f"there is no row {number} of {self._rows}")
        return number % self._rows
