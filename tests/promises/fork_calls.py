"""Everything that can be asked of caches, views and readers, found by their names."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa


def nowhere() -> Path:
    """A file in a directory that goes with the process that asks."""
    return Path(tempfile.mkdtemp(prefix="respool-fork-", dir=os.environ.get("TMPDIR"))) / "file"


# What the names take; any other is called with nothing.
ARGUMENTS: dict[str, Callable[[object], tuple[object, ...]]] = {
    "batch": lambda it: (0,),
    "cast": lambda it: (it.schema,),
    "filter": lambda it: ([("n", ">", 3)],),
    "head": lambda it: (3,),
    "select": lambda it: (["n"],),
    "slice": lambda it: (1, 10),
    "to_ipc": lambda it: (nowhere(),),
    "to_parquet": lambda it: (nowhere(),),
}
SPECIAL = {
    "__iter__",
    "__next__",
    "__arrow_c_stream__",
    "__arrow_c_schema__",
    "__repr__",
    "__exit__",
    "_repr_html_",
}
LAST = ["__exit__", "close"]  # nothing works behind these


def calls(name: str, take: Callable[[], object]) -> Iterator[tuple[str, Callable[[], object]]]:
    """All that can be asked of a thing, each of what ``take`` gives: a reader can be read once."""
    names = [it for it in dir(take()) if it in SPECIAL or not it.startswith("_")]
    for attribute in sorted(set(names) - set(LAST)):
        yield f"{name}.{attribute}", lambda attribute=attribute: ask(take(), attribute)
    yield f"pa.table({name})", lambda: pa.table(take())
    yield f"list({name})", lambda: list(take())
    if "__exit__" in names:
        yield f"with {name}", lambda: take().__exit__(None, None, None)
    if "close" in names:
        yield f"{name}.close", lambda: take().close()


def ask(thing: object, attribute: str) -> object:
    """Get an attribute, and call it if it can be called."""
    found = getattr(thing, attribute)
    if attribute == "resize":
        return thing.resize(disk=1 << 30)
    if not callable(found):
        return found
    return found(*ARGUMENTS.get(attribute, lambda it: ())(thing))
