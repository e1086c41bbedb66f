"""Tensors of columns, which share the memory that the columns have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from respool._columns import Columns

__all__ = ["of_arrays", "of_batch", "pinned"]

_WIDER: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.uint16): np.dtype(np.int32),
    np.dtype(np.uint32): np.dtype(np.int64),
}
"""PyTorch has such numbers, and next to no function that takes them."""


def of_arrays(step: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Make tensors of arrays of NumPy that can be written to."""
    return {name: torch.from_numpy(_widened(array)) for name, array in step.items()}


def of_batch(batch: pa.RecordBatch, columns: Columns) -> dict[str, Any]:
    """Make tensors of the columns of a batch, and lists of those that are none of numbers."""
    made: dict[str, Any] = {}
    for i, name, numbers in columns:
        column = batch.column(i)
        if numbers is None:
            made[name] = column.to_pylist()
        else:
            tensor = _tensor(numbers.plain(column))
            made[name] = tensor.reshape(-1, *numbers.shape) if numbers.shape else tensor
    return made


def _tensor(column: Any) -> torch.Tensor:  # noqa: ANN401 - an array of pyarrow
    array = column.to_numpy(zero_copy_only=False)
    if array.dtype in _WIDER or array.dtype == bool:
        # Bits, and what is widened: a copy in any case.
        return torch.from_numpy(np.array(_widened(array)))
    # The array is read-only, as pyarrow's are; PyTorch would warn of it, and DLPack does not tell.
    return torch.from_dlpack(column)


def pinned(tensors: dict[str, Any]) -> dict[str, Any]:
    """Copy tensors to memory from which an accelerator copies by itself."""
    return {
        name: tensor.pin_memory() if isinstance(tensor, torch.Tensor) else tensor
        for name, tensor in tensors.items()
    }


def _widened(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    wider = _WIDER.get(array.dtype)
    return array if wider is None else array.astype(wider)
