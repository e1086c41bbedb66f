"""What `respool flight serve` does."""

from __future__ import annotations

import errno
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import respool
from respool import flight
from respool._flight.shelf import called
from respool._named import place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respool.typing import PathLike


def serve(
    paths: Sequence[PathLike],
    location: str = "grpc://127.0.0.1:8815",
    token: str | None = None,
    cert: PathLike | None = None,
    key: PathLike | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; print the address first.

    Parameters
    ----------
    paths
        One directory, of a kept log or of named caches; or names of caches in the default directory, or
        directories of kept logs, which are known by what they are called. A text is a path if it has a separator
        in it, or begins with ``.`` or ``~``; else it is a name.
    location
        Where to listen.
    token
        What clients have to show.
    cert, key
        Files in PEM, for TLS.

    Raises
    ------
    FileNotFoundError
        If a directory or a name is not there.
    ValueError
        If one of `cert` and `key` is missing, or there is nothing to serve.
    """
    if not paths:
        raise ValueError("say what to serve: a directory, or names")
    if (cert is None) != (key is None):
        raise ValueError("TLS takes both a certificate and its key")
    tls = None if cert is None or key is None else (cert, key)
    what = _caches(paths)
    server = flight.serve(what, location, token=token, tls=tls)
    with server:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print(server.uri, flush=True)  # noqa: T201 - this is what the command says
        try:
            server.wait()
        except KeyboardInterrupt:
            return


def _caches(paths: Sequence[PathLike]) -> PathLike | dict[str, respool.StreamCacheView]:
    directories = [_directory(one) for one in paths]
    if len(directories) == 1 and directories[0] is not None:
        return directories[0]
    found: dict[str, respool.StreamCacheView] = {}
    for one, directory in zip(paths, directories, strict=True):
        name = os.fsdecode(one) if directory is None else called(directory)
        if name in found:
            raise ValueError(f"two of what is to be served are called {name!r}")
        found[name] = (
            respool.named(name, directory=place.root(None))
            if directory is None
            else respool.open(directory)
        )
    return found


def _directory(one: PathLike) -> Path | None:
    """Return the directory that is meant; None if it is a name."""
    if isinstance(one, str) and os.sep not in one and not one.startswith((".", "~")):
        return None
    directory = Path(os.fsdecode(one)).expanduser().absolute()
    if not directory.is_dir():
        raise FileNotFoundError(errno.ENOENT, "nothing is kept there", str(directory))
    return directory
