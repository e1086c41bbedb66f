"""Daft's door: logs as DataFrames, read where they lie.

Numbers are shared with the map; of text Daft copies the offsets. Daft filters by itself, after the read: here
a filter only leaves batches out that zone maps rule out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow as pa

from respool._extras import missing

try:
    from daft.io.source import DataSource, DataSourceTask
    from daft.recordbatch import RecordBatch
except ImportError as error:
    raise missing("daft", error) from None

from respool._filters import predicate
from respool._numbers import from_on
from respool._scan.agreed import agreed
from respool._scan.columns import checked
from respool._scan.part import Part
from respool._scan.place import found
from respool._scan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import daft
    from daft.io.pushdowns import Pushdowns
    from daft.schema import Schema

    from respool._scan.place import Log
    from respool.typing import PathLike

__all__ = ["read"]

TASKS_PER_CPU = 4
"""A task is read by one thread; more of them even out what takes longer."""


def read(
    where: PathLike,
    *,
    columns: Sequence[str] | None = None,
    filter: object | None = None,  # noqa: A002 - as views call it
    tasks: int | None = None,
    prefix: bool = False,
    directory: PathLike | None = None,
) -> daft.DataFrame:
    """Read a log by Daft.

    Parameters
    ----------
    where
        The path of a log; or the name of a cache, as :func:`respool.named` takes it.
    columns
        The names of those to read; all if None. ``select`` of the DataFrame reads as little.
    filter
        The rows to read, as ``cache.filter`` takes it: filtered by respool, before Daft sees them.
    tasks
        How many tasks read. If None, four for each CPU of this machine, and no more than there are batches.
    prefix
        True: read what there is now of a log that is being written, was left or failed.
    directory
        Where named caches are, if not in the usual place.

    Returns
    -------
    daft.DataFrame
        Each time it is collected it reads the log. It holds the log, on this machine.

    Raises
    ------
    FileNotFoundError
        If there is no such log. A worker that finds none at the path, or another one, raises it too.
    IncompleteStreamError
        If the log is not whole, and ``prefix`` is false.
    ValueError
        If a column is not there, the filter can't be told exactly, or ``tasks`` is below 1.
    TypeError
        If a column is a union or has an extension type, which Daft does not take from Arrow; or an argument is of
        another kind than it says.

    Examples
    --------
    >>> import tempfile
    >>> import daft, pyarrow as pa, respool.daft
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     orders = respool.named("orders", lambda: pa.table({"id": [1, 2, 3]}), directory=directory)
    ...     orders.ingest_all()
    ...     respool.daft.read(orders.path).where(daft.col("id") > 1).to_pydict()
    1
    {'id': [2, 3]}
    """
    if tasks is not None:
        tasks = from_on(tasks, 1, "tasks is a number")
    log = found(where, directory, prefix=prefix)
    names = checked(columns, log.cache.schema)
    filters = () if filter is None else (filter,)
    for one in filters:
        predicate(one, log.cache)
    return LogSource(log, names or log.cache.schema.names, filters, tasks).read()


class LogSource(DataSource):  # type: ignore[misc]  # Daft's classes are partly untyped
    """What Daft asks when it plans and when it runs."""

    def __init__(
        self, log: Log, columns: list[str], filters: tuple[object, ...], tasks: int | None
    ) -> None:
        self._log = log
        self._filters = filters
        self._columns = columns
        self._tasks = tasks or TASKS_PER_CPU * (os.cpu_count() or 1)
        self._schema = _schema_of(log, columns)
        self._plan = Plan(log, filters)

    @property
    def name(self) -> str:
        return "respool"

    @property
    def schema(self) -> Schema:
        return self._schema

    async def get_tasks(self, pushdowns: Pushdowns) -> AsyncIterator[DataSourceTask]:
        columns = self._wanted(pushdowns)
        schema = _schema_of(self._log, columns)
        plan = self._plan.filtered(
            (*self._filters, *agreed(_expressions(pushdowns), self._log.cache))
        )
        count = max(1, min(len(plan.kept), self._tasks))
        for spans, _, _ in plan.parts(count):
            yield LogTask(Part.of(self._log, spans, self._filters, columns), schema)

    def _wanted(self, pushdowns: Pushdowns) -> list[str]:
        """Return the columns that are asked for, those to filter by among them; never none, or rows are lost."""
        if pushdowns.columns is None:
            return self._columns
        asked = {*pushdowns.columns, *pushdowns.filter_required_column_names()}
        return [name for name in self._columns if name in asked] or self._columns[:1]


class LogTask(DataSourceTask):  # type: ignore[misc]
    """A part of the log; it holds nothing else, as it may be run elsewhere."""

    def __init__(self, part: Part, schema: Schema) -> None:
        self._part = part
        self._schema = schema

    @property
    def schema(self) -> Schema:
        return self._schema

    async def read(self) -> AsyncIterator[RecordBatch]:
        for batch in self._part.batches():
            yield _converted(pa.Table.from_batches([batch]))


def _schema_of(log: Log, columns: list[str]) -> Schema:
    fields = [log.cache.schema.field(name) for name in columns]
    for field in fields:
        if pa.types.is_union(field.type) or isinstance(field.type, pa.BaseExtensionType):
            raise TypeError(
                f"Daft can't read column {field.name!r} ({field.type}) from Arrow: leave it out with columns="
            )
    # As of rows, since Daft makes other types of some: of views, run ends, dictionaries.
    return _converted(pa.schema(fields).empty_table()).schema()


def _converted(table: pa.Table) -> RecordBatch:
    return RecordBatch.from_arrow_table(table)


def _expressions(pushdowns: Pushdowns) -> list[object]:
    if pushdowns.filters is None:
        return []
    try:
        return [pushdowns.filters.to_arrow_expr()]
    except Exception:  # noqa: BLE001 - whatever Daft can't say in Arrow's words only costs speed
        return []
