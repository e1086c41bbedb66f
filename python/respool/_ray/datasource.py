"""A log as a Datasource of Ray Data."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import ray
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from respool._filters import predicate
from respool._scan.columns import shown_share
from respool._scan.part import Part
from respool._scan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ray.data.expressions import Expr

    from respool._scan.place import Log

STUB = "__bsp_stub"
"""Ray's own name for the column of a table without columns, whose rows it would count as none."""

SMALL = 1 << 20
"""Bytes up to which batches go into one block: each block costs Ray some tenths of a millisecond."""


class LogDatasource(Datasource):  # type: ignore[misc]  # Ray has no types
    """What Ray asks when it plans; its tasks carry nothing of it."""

    def __init__(
        self, log: Log, columns: list[str] | None, condition: object | None, *, shared: bool
    ) -> None:
        super().__init__()
        self._projection_map = None if columns is None else {name: name for name in columns}
        self._log = log
        self._shared = shared
        self._filters: tuple[object, ...] = () if condition is None else (condition,)
        for one in self._filters:
            predicate(one, log.cache)
        self._plan = Plan(log, self._filters)

    def get_name(self) -> str:
        return "Respool"

    @property
    def supports_distributed_reads(self) -> bool:
        return self._shared

    def supports_projection_pushdown(self) -> bool:
        return True

    def supports_predicate_pushdown(self) -> bool:
        return True

    def apply_predicate(self, predicate_expr: Expr) -> LogDatasource:
        """Take a filter that can be told exactly, as it leaves Ray's plan; or stay as this is, and it does not."""
        # What a projection took away, or renamed, is not there to be filtered by.
        names = self._get_data_columns()
        view = self._log.cache if names is None else self._log.cache.select(names)
        try:
            expression = predicate_expr.to_pyarrow()
            predicate(expression, view)
        except (TypeError, ValueError, NotImplementedError, pa.ArrowException):
            return self
        clone: LogDatasource = super().apply_predicate(predicate_expr)
        clone._filters = (*self._filters, expression)
        clone._plan = self._plan.filtered(clone._filters)
        return clone

    def estimate_inmemory_data_size(self) -> int:
        return int(
            sum(self._plan.batches.sizes[number] for number in self._plan.kept) * self._share
        )

    @property
    def _share(self) -> float:
        return shown_share(self._get_data_columns(), self._log.cache.schema)

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: object | None = None,  # noqa: ARG002 - part of the interface
    ) -> list[ReadTask]:
        """Make exactly so many tasks. Of fewer Ray would split the blocks, which copies them."""
        columns = self._get_data_columns()
        schema = self._schema(columns)
        tasks = []
        for spans, rows, size in self._plan.parts(parallelism):
            metadata = BlockMetadata(
                num_rows=None if self._filters else rows,
                size_bytes=int(size * self._share),
                input_files=None,
                exec_stats=None,
            )
            part = Part.of(self._log, spans, self._filters, columns)
            read = functools.partial(blocks, part, schema)
            functools.update_wrapper(read, blocks)
            tasks.append(
                ReadTask(read, metadata, schema=schema, per_task_row_limit=per_task_row_limit)
            )
        return tasks

    def _schema(self, columns: list[str] | None) -> pa.Schema:
        schema = self._log.cache.schema
        if columns is None:
            return schema
        if not columns:
            return pa.schema([(STUB, pa.null())])
        fields = pa.schema([schema.field(name) for name in columns])
        return fields.with_metadata(schema.metadata)


def blocks(part: Part, schema: pa.Schema) -> Iterator[pa.Table]:
    """Read a part in a worker, in tables that share the map's pages; small batches several to a table."""
    waiting: list[pa.RecordBatch] = []
    size = 0
    is_empty = True
    for batch in part.batches():
        if batch.num_rows == 0:
            continue
        is_empty = False
        shown = batch if batch.num_columns else _stub(batch.num_rows, schema)
        waiting.append(shown)
        size += shown.nbytes
        if size >= SMALL:
            yield pa.Table.from_batches(waiting, schema)
            waiting, size = [], 0
    if waiting or is_empty:
        yield pa.Table.from_batches(waiting, schema)


def _stub(rows: int, schema: pa.Schema) -> pa.RecordBatch:
    return pa.record_batch([pa.nulls(rows)], schema=schema)


def cpus(*, shared: bool) -> int:
    """Return the CPUs of the cluster, or of this node: as they are now."""
    if not ray.is_initialized():
        ray.init()
    if shared:
        return int(ray.cluster_resources().get("CPU", 1))
    here = ray.get_runtime_context().get_node_id()
    resources: dict[str, Any] = next(
        (node["Resources"] for node in ray.nodes() if node["NodeID"] == here), {}
    )
    return int(resources.get("CPU", 1))
