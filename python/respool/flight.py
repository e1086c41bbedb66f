"""Caches over Arrow Flight: one machine reads a stream once, many replay it.

Examples
--------
>>> import pyarrow as pa, respool, respool.flight
>>> source = (pa.record_batch({"n": [i]}) for i in range(3))
>>> numbers = respool.cache(source, schema=pa.schema({"n": pa.int64()}))
>>> with respool.flight.serve({"numbers": numbers}) as server:
...     with respool.flight.open(server.uri, "numbers") as there:
...         pa.table(there)["n"].to_pylist()
[0, 1, 2]
>>> numbers.close()
"""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING, Literal

import respool
from respool._flight import access, fetch, predicates, tickets
from respool._flight.limits import Limits, size_from
from respool._flight.server import Server
from respool._flight.shelf import shelf_of
from respool._named.ages import seconds
from respool._numbers import from_on
from respool._views import listed

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow.compute as pc

    from respool import Budget, StreamCache, StreamCacheView
    from respool.typing import ByteSize, Event, PathLike

__all__ = ["Server", "open", "serve"]


def serve(
    caches: Mapping[str, StreamCacheView] | PathLike,
    location: str = "grpc://127.0.0.1:0",
    *,
    tls: tuple[bytes | PathLike, bytes | PathLike] | Literal[False] | None = None,
    token: str | None = None,
    max_streams: int = 64,
    max_message: ByteSize = "1 GiB",
    range_bytes: ByteSize = "256 MiB",
) -> Server:
    """Serve caches to other machines, also while they are being filled.

    The source of a cache is read once, as far as the client that is furthest asks for. Clients are those of
    :func:`respool.flight.open`, and any that speaks Arrow Flight.

    Parameters
    ----------
    caches
        Caches and views by the names that they are to be known by; they stay yours to close. Or a directory: of
        a kept log, which is known by the name of the directory, or of named caches, as :func:`respool.named`
        has them.
    location
        ``grpc://HOST:PORT``; port 0 is a free one.
    tls
        A certificate and its key, as files or text in PEM. False serves a token without encryption on an
        address that other machines reach; None refuses that.
    token
        What a client has to show, for all it asks: 16 characters of ASCII at least, such as
        ``secrets.token_urlsafe()`` gives. Without one only the loopback addresses are served, and ``ListFlights`` is
        refused.
    max_streams
        How many replays may run at once; a client that finds none left tries again.
    max_message
        The largest batch that is sent: bytes, or text such as ``"1 GiB"``; a larger one is an error. Flight itself
        ends at 2 GiB.
    range_bytes
        About how much one endpoint gives.

    Returns
    -------
    Server
        Which runs until it is closed. A context manager.

    Raises
    ------
    FileNotFoundError
        If the directory is not there.
    ValueError
        If a name is none, a cache is closed, the directory has logs and no names, the location is none, or it is one
        that others reach and there is no token or no TLS; if the token is too short, ``tls`` is no certificate and
        its key, or a limit is no size.
    TypeError
        If something is no cache, ``max_streams`` is no whole number, or ``tls`` is neither a pair nor False nor None.
    OSError
        If it can't listen there.

    Examples
    --------
    >>> import pyarrow as pa, respool, respool.flight
    >>> cache = respool.cache(pa.table({"n": range(100)}).to_reader(10))
    >>> with respool.flight.serve({"numbers": cache, "few": cache.slice(0, 5)}) as server:
    ...     with respool.flight.open(server.uri, "few") as few:
    ...         pa.table(few).num_rows
    5
    """
    secret = None if token is None else access.checked_token(token)
    given = access.checked_tls(tls)
    where = access.checked_location(location, has_token=secret is not None, tls=given)
    max_streams = from_on(max_streams, 1, "max_streams is a number")
    limits = Limits(
        message=size_from(max_message, "max_message"),
        range_bytes=size_from(range_bytes, "range_bytes"),
    )
    pair = access.pair(*given) if given else None
    shelf = shelf_of(caches)
    return Server(shelf, where, token=secret, tls=pair, limits=limits, max_streams=max_streams)


def open(  # noqa: A001 - as `respool.open`
    uri: str,
    name: str | None = None,
    *,
    columns: Sequence[str | int] | None = None,
    filter: pc.Expression | Sequence[object] | None = None,  # noqa: A002 - as the method
    token: str | None = None,
    tls_root_certs: bytes | PathLike | None = None,
    retry: float | dt.timedelta | None = 60.0,
    memory: ByteSize | None = "25%",
    disk: ByteSize | None = "auto",
    directory: PathLike | None = None,
    path: PathLike | None = None,
    prefetch: ByteSize | None = "16 MiB",
    budget: Budget | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> StreamCache:
    """Open a cache that another machine serves: a cache here too, filled as it is read.

    Each batch comes over the network once, and is then in the memory or the log of this cache. Where the connection
    breaks it is made again, and goes on at the batch where it was. The first read asks for the first batch.

    Parameters
    ----------
    uri
        What ``server.uri`` says; ``grpc+tls://HOST:PORT`` with TLS.
    name
        Of the cache, or its identity; None if there is but one.
    columns
        Names or numbers of the columns that are wanted. The others do not go over the network.
    filter
        As for ``filter`` of a cache, in pyarrow's forms: rows that do not pass don't go over the network.
    token
        The server's.
    tls_root_certs
        The certificate that the server's is signed with, as a file or text in PEM; None for those of the system.
    retry
        For how long a server that can't be reached is tried again, since the last batch: seconds, or a
        ``datetime.timedelta``. None is for ever.
    memory, disk, directory, path, prefetch, budget, on_event
        As for :func:`respool.cache`. With ``prefetch`` Ctrl-C ends a read and not the cache.

    Returns
    -------
    StreamCache

    Raises
    ------
    ConnectionError
        If the server can't be reached for so long; also from a read. At once, where TLS is what is wrong: one side
        speaks it and the other does not, or the certificate is not trusted, or for another name.
    PermissionError
        If the token is missing or wrong.
    ValueError
        If ``uri``, ``token`` or ``tls_root_certs`` is none, the server has nothing by that name or is none of
        respool, or a column or a filter is none of it.
    TypeError
        If the filter has none of pyarrow's forms, ``name`` is no text, or ``columns`` is one name and no list.

    Notes
    -----
    What the source raised comes after the last good batch: as the same class where that is one of Python, pyarrow
    or respool, and else as :class:`~respool.exceptions.IncompleteStreamError` with its name and text; a note says
    on which server. If another log has taken the place of the one that was read, that is such an error too.

    A cache whose server was away for longer than ``retry`` has failed: open it again, and with a ``path`` go on with
    what is there by ``respool.resume(path, respool.flight.open(uri))``.

    Examples
    --------
    >>> import pyarrow as pa, respool, respool.flight
    >>> cache = respool.cache(pa.table({"n": range(100), "square": [n * n for n in range(100)]}).to_reader(10))
    >>> with respool.flight.serve({"numbers": cache}) as server:
    ...     there = respool.flight.open(server.uri, "numbers", columns=["square"], filter=[("n", "<", 3)])
    ...     there.to_arrow()["square"].to_pylist()
    [0, 1, 4]
    """
    named = tickets.Wanted(None, None, tickets.Shown()) if name is None else tickets.by_text(name)
    form = None if filter is None else predicates.to_form(filter)
    shown = tickets.Shown(None if columns is None else listed(columns), form)
    certs = None if tls_root_certs is None else access.certificate(tls_root_certs)
    secret = None if token is None else access.checked_token(token)
    span = seconds(retry, "retry")
    server = fetch.Server(
        access.checked_uri(uri), secret, certs, math.inf if span is None else span
    )
    info = server.info(tickets.Wanted(named.name, named.identity, shown))
    fetched = fetch.Fetch(server, info)
    cache = respool.cache(
        fetched.batches(),
        schema=info.schema,
        memory=memory,
        disk=disk,
        directory=directory,
        path=path,
        prefetch=prefetch,
        budget=budget,
        on_event=on_event,
    )
    there = weakref.ref(cache)
    fetched.until(lambda: (cache := there()) is None or cache.closed)
    return cache
