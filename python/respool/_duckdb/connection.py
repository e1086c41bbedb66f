"""What is a connection."""

from __future__ import annotations


def checked(con: object) -> None:
    """Refuse what is no connection to DuckDB, before anything is done with it.

    Raises
    ------
    TypeError
        If nothing can be registered with it: with the module ``duckdb`` it can, by its default connection.
    """
    if not callable(getattr(con, "register", None)):
        raise TypeError(
            f"con is a connection, as duckdb.connect() gives, or the module duckdb, not {type(con).__name__}"
        )
