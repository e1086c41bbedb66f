"""The shapes of what goes in, for type checkers only."""

from collections.abc import Iterable
from os import PathLike
from typing import Protocol, TypeAlias

import pyarrow as pa


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

    def to_reader(self) -> pa.RecordBatchReader: ...


class Scannable(Protocol):
    """A pyarrow Dataset."""

    def scanner(self) -> ReaderMaker: ...


class Collectable(Protocol):
    """A polars LazyFrame."""

    def collect_batches(self) -> object: ...


Source: TypeAlias = (
    ArrowStreamExportable
    | ArrowArrayExportable
    | Scannable
    | ReaderMaker
    | Collectable
    | Iterable[ArrowArrayExportable]
)
ByteSize: TypeAlias = int | str
"""A number of bytes, or text: ``"64 MiB"``, ``"25%"`` of the memory or of the free disk."""

Path: TypeAlias = str | PathLike[str]
