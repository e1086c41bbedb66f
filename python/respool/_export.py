"""Views as files of other formats: streaming, and whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from respool._pipes import closing
from respool._progress import Progress, begin
from respool._whole import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from respool._native import StreamCacheView

_CODECS = (None, "lz4", "zstd")

_GROUP_BYTES = 128 << 20
"""Bytes in memory that make a row group however few rows they are."""


def to_ipc(
    view: StreamCacheView,
    path: str,
    *,
    compression: Literal["lz4", "zstd"] | None = None,
    progress: bool | Callable[[int, int], object] = False,
) -> int:
    """Write an Arrow IPC file, and return the number of rows; see ``StreamCacheView.to_ipc``."""
    is_stream = Path(path).suffix == ".arrows"
    return ipc(view, whole(path), compression, progress, is_stream=is_stream)


def ipc(
    view: StreamCacheView,
    opened: AbstractContextManager[pa.NativeFile],
    compression: Literal["lz4", "zstd"] | None,
    progress: bool | Callable[[int, int], object],
    *,
    is_stream: bool,
) -> int:
    """Write Arrow IPC to what opens when everything asked for makes sense, and return the number of rows."""
    if compression not in _CODECS:
        raise ValueError(f'compression is "lz4", "zstd" or None, not {compression!r}')
    options = pa.ipc.IpcWriteOptions(compression=compression)
    new = pa.ipc.new_stream if is_stream else pa.ipc.new_file
    with begin(progress, _rows(view)) as told, opened as file:
        writer = new(file, view.schema, options=options)
        with closing(writer, file):
            for batch in view.reader():
                try:
                    writer.write_batch(batch)
                except pa.ArrowInvalid as error:
                    if "ictionary replacement" not in str(error):
                        raise
                    raise ValueError(
                        f"batch {told.batches} has other dictionaries than those before it, which "
                        "the file format can't hold: name the path *.arrows, for the streaming "
                        "format, cast the columns with .cast(schema), or use to_parquet"
                    ) from error
                told.add(batch.num_rows, file.tell())
        told.end(file.tell())
    return told.rows


def to_parquet(
    view: StreamCacheView,
    path: str,
    *,
    progress: bool | Callable[[int, int], object] = False,
    row_group_size: int,
    **options: Any,  # noqa: ANN401 - pyarrow's
) -> int:
    """Write a Parquet file, and return the number of rows; see ``StreamCacheView.to_parquet``."""
    return parquet(view, whole(path), progress, row_group_size, options)


def parquet(
    view: StreamCacheView,
    opened: AbstractContextManager[pa.NativeFile],
    progress: bool | Callable[[int, int], object],
    row_group_size: int,
    options: dict[str, Any],
) -> int:
    """Write Parquet to what opens when everything asked for makes sense, and return the number of rows."""
    if row_group_size < 1:
        raise ValueError(f"row_group_size is at least 1, not {row_group_size}")
    if view.num_columns == 0:
        raise ValueError(
            "a Parquet file can't hold rows without columns: select one, or use to_ipc"
        )
    with begin(progress, _rows(view)) as told, opened as file:
        writer = _parquet_writer(file, view.schema, options)
        with closing(writer, file):
            for group in _groups(view, row_group_size, told, file):
                writer.write_table(group, row_group_size)
        told.end(file.tell())
    return told.rows


def _parquet_writer(
    file: pa.NativeFile, schema: pa.Schema, options: dict[str, Any]
) -> pq.ParquetWriter:
    try:
        return pq.ParquetWriter(file, schema, **options)
    except TypeError as error:
        if "multiple values" in str(error):
            name = next((name for name in ("schema", "where") if name in options), "that")
            raise TypeError(
                f"to_parquet() gives {name} to pyarrow itself: the file is at path=, and its schema that of the view, "
                "which cast() changes"
            ) from None
        if "unexpected keyword" not in str(error):
            raise
        said = str(error).replace("__cinit__()", "to_parquet()")
        raise TypeError(f"{said}: its options are those of pyarrow.parquet.ParquetWriter") from None


def _rows(view: StreamCacheView) -> int | None:
    """Return how many rows there will be, where that is known."""
    is_known = view.complete and not view._is_filtered  # noqa: SLF001
    return view.num_rows if is_known else None


def _groups(
    view: StreamCacheView, most_rows: int, told: Progress, file: pa.NativeFile
) -> Iterator[pa.Table]:
    """Yield batches that follow each other as tables: a row group for each batch would be tiny."""
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in view.reader():
        if group and (rows + batch.num_rows > most_rows or size >= _GROUP_BYTES):
            yield pa.Table.from_batches(group)
            group, rows, size = [], 0, 0
        group.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        told.add(batch.num_rows, file.tell())
    if group:
        yield pa.Table.from_batches(group)
