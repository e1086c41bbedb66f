"""DuckDB over caches: SQL as often as you like over a stream that was read once.

DuckDB scans a cache as it is: ``duckdb.sql("from cache")``, ``con.register("t", cache)``. The
functions here tell it more. It then plans with the number of rows, reads only the columns that a
query needs, and lets the cache skip the batches that can't hold a row that is looked for.

Examples
--------
>>> import duckdb, pyarrow as pa, respool, respool.duckdb
>>> source = pa.table({"id": range(1000), "v": [i * 0.5 for i in range(1000)]}).to_reader(100)
>>> con = duckdb.connect()
>>> trips = respool.duckdb.register(con, "trips", respool.cache(source))
>>> con.sql("select count(*), max(v) from trips where id between 100 and 199").fetchall()
[(100, 99.5)]
>>> con.sql("select count(*) from trips a join trips b using (id)").fetchall()
[(1000,)]
"""

import datetime as dt
import pathlib
import secrets
import warnings
from typing import Any

from respool._extras import missing

try:
    import duckdb
except ImportError as error:
    raise missing("duckdb", error) from None

import respool
from respool import StreamCache, StreamCacheView
from respool._duckdb import connection, logs, registered
from respool._duckdb.scannable import scannable
from respool._duckdb.version import IS_OLD
from respool._named import ages, place
from respool._numbers import from_on
from respool._views import opened
from respool.exceptions import RespoolError
from respool.typing import ArrowStreamExportable, PathLike

__all__ = ["attach", "from_query", "materialize", "register", "relation"]


def register(
    con: duckdb.DuckDBPyConnection,
    name: str,
    cache: StreamCacheView,
    *,
    optimize: bool = False,
) -> duckdb.DuckDBPyRelation:
    """Give a cache or view a name in a connection.

    Nothing is read. The connection keeps the cache until ``con.unregister(name)``, until the name is
    registered again, or until it is closed.

    Parameters
    ----------
    con
        Where the name is to be known.
    name
        The name of the view that SQL sees. It replaces what was registered under it.
    cache
        A cache, or what ``select``, ``cast``, ``slice``, ``filter`` or ``prefix`` make of it.
    optimize
        True: answer from a copy in the encodings that DuckDB reads fastest (decimals of 4 or 8 bytes,
        few distinct strings as a dictionary, other strings as views). It is made once, when the cache
        is complete, and kept by the cache within its bounds until the cache is closed; without room
        for it nothing changes. Other readers see the cache as it is. DuckDB 1 ignores this. A cache made with
        ``respool.cache(source, optimize="duckdb")`` keeps nothing else, and needs no copy.

    Returns
    -------
    duckdb.DuckDBPyRelation
        The relation of that name.

    Raises
    ------
    TypeError
        If it is neither a cache nor a view of one, or a column has a type that DuckDB can't scan; the
        message says what to do.
    ValueError
        If there is no column, or the cache is closed.

    Examples
    --------
    >>> import duckdb, pyarrow as pa, respool, respool.duckdb
    >>> con = duckdb.connect()
    >>> cache = respool.cache(pa.table({"n": [1, 2, 3]}).to_reader())
    >>> _ = respool.duckdb.register(con, "numbers", cache)
    >>> con.execute("select sum(n) from numbers").fetchone()
    (6,)
    """
    connection.checked(con)
    return _registered(con, name, scannable(opened(cache, "register"), optimize=optimize))


def relation(
    cache: StreamCacheView,
    *,
    con: duckdb.DuckDBPyConnection | None = None,
    optimize: bool = False,
) -> duckdb.DuckDBPyRelation:
    """Make a relation of a cache or view, without a name.

    Parameters
    ----------
    cache
        A cache, or what ``select``, ``cast``, ``slice``, ``filter`` or ``prefix`` make of it.
    con
        The connection that is to run it; ``duckdb.default_connection()`` if None.
    optimize
        As for :func:`register`.

    Returns
    -------
    duckdb.DuckDBPyRelation
        Lazy: each time it is shown or fetched the cache is replayed.

    Raises
    ------
    TypeError
        If it is neither a cache nor a view of one, or a column has a type that DuckDB can't scan; the
        message says what to do.
    ValueError
        If there is no column, or the cache is closed.

    Examples
    --------
    >>> import pyarrow as pa, respool, respool.duckdb
    >>> cache = respool.cache(pa.table({"n": [1, 2, 3]}).to_reader())
    >>> respool.duckdb.relation(cache).filter("n > 1").aggregate("sum(n)").fetchall()
    [(5,)]
    """
    if con is not None:
        connection.checked(con)
    source = scannable(opened(cache, "relation"), optimize=optimize)
    if con is None:
        con = duckdb.default_connection()
    return con.from_arrow(source)


def materialize(
    con: duckdb.DuckDBPyConnection,
    name: str,
    cache: StreamCacheView,
    *,
    temporary: bool = True,
    replace: bool = False,
) -> duckdb.DuckDBPyRelation:
    """Copy a cache or view into a table of DuckDB's own.

    The fastest for many joins over the same data, for the price of a second copy.

    Parameters
    ----------
    con
        Where the table is to be made.
    name
        The name of the table.
    cache
        A cache, or what ``select``, ``cast``, ``slice``, ``filter`` or ``prefix`` make of it. Read to its end.
    temporary
        True: a table that is gone with the connection, also in a database that is a file.
    replace
        True: replace a table of that name.

    Returns
    -------
    duckdb.DuckDBPyRelation
        The table.

    Raises
    ------
    duckdb.CatalogException
        If there is such a table, and ``replace`` is not set.
    TypeError
        If it is neither a cache nor a view of one, or a column has a type that DuckDB can't scan; the
        message says what to do.
    ValueError
        If there is no column, or the cache is closed.

    Examples
    --------
    >>> import duckdb, pyarrow as pa, respool, respool.duckdb
    >>> con = duckdb.connect()
    >>> cache = respool.cache(pa.table({"n": [1, 2, 3]}).to_reader())
    >>> respool.duckdb.materialize(con, "numbers", cache).aggregate("max(n)").fetchall()
    [(3,)]
    """
    connection.checked(con)
    source = f"respool_{secrets.token_hex(8)}"
    create = "create or replace" if replace else "create"
    kind = "temp table" if temporary else "table"
    table = _quoted(name)
    con.register(source, scannable(opened(cache, "materialize")))
    try:
        con.execute(f"{create} {kind} {table} as from {source}")
    finally:
        con.unregister(source)
    return con.sql(f"from {table}")


def attach(
    con: duckdb.DuckDBPyConnection,
    directory: PathLike | None = None,
    *,
    optimize: bool = False,
    timeout: float | dt.timedelta | None = None,
    replace: bool = False,
) -> list[str]:
    """Give every cache of a directory its name in a connection.

    Nothing is read. A cache that is being filled is there too, by another process or by this one: a query over
    it waits for the rest, or reads the source on. Names are looked up when this is called; call it again to see
    what was filled anew since: what the directory has no more is unregistered then.

    DuckDB's interface for Python has no door to replacement scans, by which DuckDB would open a path in
    ``FROM`` by itself; its own looks among the variables of Python. So this has to be called once. Then a
    name is found however it is written: a log in the directory ``trips.respool`` answers
    ``FROM 'trips.respool'``.

    Parameters
    ----------
    con
        Where the names are to be known.
    directory
        Either a log that was made with ``respool.cache(source, path=directory)``, which gets the name
        of its directory; or a directory of such logs, or of named caches, if None that of
        :func:`respool.named`: each that is complete or being filled gets its own name.
    optimize
        As for :func:`register`.
    timeout
        Seconds, or a ``datetime.timedelta``, that a query waits, at most, for each next batch of a cache
        that is being filled.
    replace
        True: hide tables and views of the same names, until ``con.unregister(name)``.

    Returns
    -------
    list[str]
        The names, none if the directory has nothing of the kind. Quote those with dots or dashes in them:
        ``FROM "trips-2026"``.

    Raises
    ------
    FileNotFoundError
        If the directory is not there.
    FileExistsError
        If the directory is that of one name.
    PermissionError
        If the directory is not yours alone, or is a symbolic link.
    duckdb.CatalogException
        If the connection has a table or view of one of the names that neither this function nor
        :func:`register` made, and ``replace`` is not set. Nothing is registered then.
    TypeError, ValueError
        If it is one log that DuckDB can't scan, or that a newer version made; the message says what to do.
        Or if the timeout is none.
    CorruptLogError
        If it is one log that is damaged, or a file of it is missing or too short.

    Notes
    -----
    What is an error of one log is a warning where there are several, and the log is left out. So is one of two
    names that are the same to DuckDB, which does not tell capitals from small letters. A log that was not
    filled to its end is left out without a word; a name is then the last log of it that is whole, if there
    is one.

    Examples
    --------
    >>> import tempfile
    >>> import duckdb, pyarrow as pa, respool, respool.duckdb
    >>> with tempfile.TemporaryDirectory() as directory, duckdb.connect() as con:
    ...     fill = lambda: pa.table({"n": [1, 2, 3]})
    ...     with respool.named("numbers", fill, directory=directory) as cache:
    ...         _ = cache.ingest_all()
    ...     respool.duckdb.attach(con, directory)
    ...     con.sql("select sum(n) from numbers").fetchall()
    ['numbers']
    [(6,)]
    """
    connection.checked(con)
    seconds = ages.seconds(timeout, "timeout")
    root = place.root(directory)
    found, is_log = logs.found(root)
    # DuckDB takes small letters and capitals for the same.
    attached: dict[str, tuple[str, object]] = {}
    for name, path in found:
        if name.lower() in attached:
            other, _ = attached[name.lower()]
            warnings.warn(f"{name!r} is left out: DuckDB takes it for {other!r}", stacklevel=2)
            continue
        try:
            source = scannable(logs.opened(path, seconds), optimize=optimize)
        except (RespoolError, OSError, RuntimeError, TypeError, ValueError) as error:
            if is_log:
                raise
            warnings.warn(f"{name!r} is left out: {error}", stacklevel=2)
            continue
        attached[name.lower()] = name, source
    hidden = {} if replace else registered.others(con)
    for key, (name, _) in attached.items():
        if key in hidden:
            raise duckdb.CatalogException(
                f"the connection has a {hidden[key]} of the name {name!r}, which the cache in {root} "
                "would hide: replace=True hides it"
            )
    for name, source in attached.values():
        _registered(con, name, source, root)
    registered.forget(con, root, set(attached))
    return [name for name, _ in attached.values()]


def from_query(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: object = None,
    *,
    batch_rows: int = 122_880,
    **options: Any,  # noqa: ANN401
) -> StreamCache:
    """Cache the result of a query, which by itself can be read once.

    The query runs once, on a cursor of its own, while the cache is filled: ``con`` stays free for
    other queries, and for queries over the cache.

    Parameters
    ----------
    con
        A connection to the database. The cursor does not see its temporary tables, its registered
        objects, variables of Python, nor what its open transaction changed.
    sql
        One query.
    parameters
        Values for the query's parameters.
    batch_rows
        About how many rows DuckDB gives at a time: one number, unlike ``batch_rows`` of :func:`respool.cache`.
    **options
        As for :func:`respool.cache`.

    Returns
    -------
    StreamCache

    Raises
    ------
    duckdb.Error
        If the query can't be run: at once, or by a read where it fails on the way.
    TypeError
        If an option is none of :func:`respool.cache`, or ``batch_rows`` is no number.
    ValueError
        If ``batch_rows`` is less than 1, or ``sql`` is no query.

    Examples
    --------
    >>> import duckdb, respool.duckdb
    >>> con = duckdb.connect()
    >>> squares = respool.duckdb.from_query(con, "select n, n * n as s from range(4) t(n)")
    >>> [con.sql("select max(n), max(s) from squares").fetchall() for _ in range(2)]
    [[(3, 9)], [(3, 9)]]
    """
    connection.checked(con)
    batch_rows = from_on(
        batch_rows, 1, "batch_rows is how many rows DuckDB gives at a time, a number"
    )
    try:
        reader = _reader(con.cursor(), sql, parameters, batch_rows)
    except duckdb.CatalogException as error:
        error.add_note(
            "The query ran on a cursor of its own, which sees no temporary tables, no registered objects and no "
            "variables of Python."
        )
        raise
    return respool.cache(reader, **options)


def _registered(
    con: duckdb.DuckDBPyConnection,
    name: str,
    source: object,
    directory: pathlib.Path | None = None,
) -> duckdb.DuckDBPyRelation:
    con.register(name, source)
    try:
        # DuckDB 1 takes a name as it is; DuckDB 2 parses it, and a dot in it leads to another schema.
        named = con.view(name if IS_OLD else _quoted(name))
    except BaseException:
        con.unregister(name)
        raise
    registered.note(con, name, source, directory)
    return named


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _reader(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: object, batch_rows: int
) -> ArrowStreamExportable:
    # A relation of DuckDB 1 holds its whole result before it gives the first batch.
    result: Any = cursor.execute(sql, parameters) if IS_OLD else cursor.sql(sql, params=parameters)
    if result is None:
        raise ValueError(f"from_query takes a query, and this gives no rows: {sql!r}")
    reader: ArrowStreamExportable = result.to_arrow_reader(batch_rows)
    return reader
