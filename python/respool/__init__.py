"""Read an Arrow stream once, query it for ever.

A record-batch stream can be read once. respool reads it exactly once and lets DuckDB, Polars,
pyarrow and plain Python read it again and again: from memory while it fits, out of an append-only
memory-mapped log when it does not.

Examples
--------
>>> import pyarrow as pa
>>> import respool
>>> numbers = (pa.record_batch({"n": [i, i + 1]}) for i in (1, 3))
>>> cached = respool.cache(numbers, schema=pa.schema({"n": pa.int64()}))
>>> pa.table(cached)["n"].to_pylist()
[1, 2, 3, 4]
>>> pa.table(cached).num_rows
4
"""

import importlib
from typing import TYPE_CHECKING

from respool import _extras, exceptions
from respool._epochs import epochs
from respool._named.fill import named
from respool._named.listing import NamedCache, ls
from respool._named.prune import prune, rm
from respool._native import (
    Budget,
    Epochs,
    StreamCache,
    StreamCacheReader,
    StreamCacheView,
    __version__,
    cache,
    resume,
)
from respool._native import open as open  # noqa: A004  not in `__all__`, but public

if TYPE_CHECKING:
    from types import ModuleType

    # Written twice, a name is public to type checkers without being in `__all__`.
    from respool import daft as daft
    from respool import duckdb as duckdb
    from respool import flight as flight
    from respool import grain as grain
    from respool import polars as polars
    from respool import ray as ray
    from respool import torch as torch
    from respool import typing as typing

# No module of `_LATER`: `from respool import *` must not load an engine, nor hide its name or `typing`; nor
# `open`, which would hide Python's.
__all__ = [
    "Budget",
    "Epochs",
    "NamedCache",
    "StreamCache",
    "StreamCacheReader",
    "StreamCacheView",
    "__version__",
    "cache",
    "epochs",
    "exceptions",
    "ls",
    "named",
    "prune",
    "resume",
    "rm",
]

_LATER = frozenset({*_extras.ENGINES, "flight", "typing"})
"""Modules that are imported when somebody asks for them: no engine is loaded for nothing."""


if not TYPE_CHECKING:
    # A type checker that saw it would believe in every name, misspelt ones too.
    def __getattr__(name: str) -> "ModuleType":
        if name not in _LATER:
            raise AttributeError(f"module 'respool' has no attribute {name!r}")
        try:
            return importlib.import_module(f"respool.{name}")
        except ImportError as error:
            if name == "typing":
                raise
            # What asks for every attribute, such as `help`, goes on without this one.
            if name not in _extras.ENGINES or str(error).startswith("respool."):
                raise AttributeError(str(error)) from error
            raise AttributeError(_extras.said(name, error)) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER} - {"TYPE_CHECKING", "importlib"})
