"""Which names of a connection are ours, so that none of ours hides a table or view of somebody else."""

import weakref
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

_SEEN = """
with places as (select current_database() as place, current_schemas(true) as schemas)
select view_name, 'view', temporary from duckdb_views(), places
where not internal and (temporary or database_name = place and list_contains(schemas, schema_name))
union all
select table_name, 'table', temporary from duckdb_tables(), places
where not internal and (temporary or database_name = place and list_contains(schemas, schema_name))
"""
"""What a name without a schema may mean."""


@dataclass(frozen=True)
class _Ours:
    name: str
    source: weakref.ref[object]
    directory: Path | None


_OURS: weakref.WeakKeyDictionary[DuckDBPyConnection, dict[str, _Ours]] = weakref.WeakKeyDictionary()
"""By the name in small letters: DuckDB takes capitals for the same."""


def note(con: DuckDBPyConnection, name: str, source: object, directory: Path | None) -> None:
    """Note that a name is ours now, and the directory that it was found in.

    The connection holds what is registered, so it is gone when the name means something else.
    """
    _OURS.setdefault(con, {})[name.lower()] = _Ours(name, weakref.ref(source), directory)


def others(con: DuckDBPyConnection) -> dict[str, str]:
    """Return what is not ours: whether it is a table or a view, by its name in small letters."""
    seen = [(name.lower(), kind, temporary) for name, kind, temporary in con.sql(_SEEN).fetchall()]
    ours = {name for name, kind, temporary in seen if kind == "view" and temporary}
    ours &= {name for name, one in _OURS.get(con, {}).items() if one.source() is not None}
    # What is behind one of ours was hidden before, by who wanted it.
    return {name: kind for name, kind, _ in seen if name not in ours}


def forget(con: DuckDBPyConnection, directory: Path, attached: set[str]) -> None:
    """Take away the names that a directory had and has no more; these are in small letters."""
    ours = _OURS.get(con, {})
    for name, one in list(ours.items()):
        if one.directory == directory and name not in attached:
            if one.source() is not None:
                con.unregister(one.name)
            del ours[name]
