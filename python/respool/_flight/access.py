"""Who may ask, and at which addresses."""

from __future__ import annotations

import hmac
import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from respool._flight import trust
from respool._flight.library import flight

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from respool.typing import PathLike

_PLAIN = frozenset({"grpc", "grpc+tcp"})
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_LEAST = 16
"""Characters of a token."""


class Bearer(flight.ServerMiddlewareFactory):
    """Lets in who has the token, whatever is asked for."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._expected = f"Bearer {token}".encode()

    def start_call(self, info: object, headers: dict[str, Any]) -> None:
        """Refuse a call that has no token or another one."""
        del info
        given: list[str | bytes] = []
        for name, values in headers.items():
            if name.lower() == "authorization":
                given += values
        one = given[0] if len(given) == 1 else ""
        sent = one.encode("utf-8", "replace") if isinstance(one, str) else bytes(one)
        if not hmac.compare_digest(sent, self._expected):
            raise flight.FlightUnauthenticatedError("the token is missing or wrong")


def checked_uri(uri: str) -> str:
    """Return where a server is, if it can be one.

    Raises
    ------
    ValueError
        If gRPC could never reach it, however often it is tried.
    """
    wanted = "a server's uri is grpc://HOST:PORT, or grpc+tls:// with TLS"
    if not isinstance(uri, str):
        raise TypeError(f"{wanted}, as server.uri says, not {type(uri).__name__}")
    scheme, found, _ = uri.partition("://")
    if not found or scheme not in {*_PLAIN, "grpc+tls", "grpc+unix"}:
        raise ValueError(f"{wanted}, not {uri!r}")
    if scheme != "grpc+unix":
        parts = urlsplit(uri)
        if "@" in parts.netloc:
            raise ValueError(f"{wanted}, and a token is an argument beside it")
        if parts.path or parts.query or parts.fragment:
            raise ValueError(f"{wanted}, not {uri!r}: the name of a cache is an argument beside it")
        # gRPC takes a port of its own where there is none, and waits for whoever is not there.
        if _address(parts) is None:
            raise ValueError(f"{wanted}, not {uri!r}")
    return uri


def checked_token(token: str) -> str:
    """Return a token, if it can be sent and is not too short.

    Raises
    ------
    ValueError
        If it can't, or is.
    """
    if not isinstance(token, str):
        raise TypeError(f"a token is text, not {type(token).__name__}")
    if len(token) < _LEAST or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            f"a token has at least {_LEAST} characters of ASCII and no spaces, such as those of "
            "secrets.token_urlsafe()"
        )
    return token


def checked_tls(tls: object) -> tuple[Any, Any] | Literal[False] | None:
    """Return what is said of TLS: a certificate and its key, False or None.

    Raises
    ------
    TypeError
        If it is anything else: who meant TLS must not be served without.
    """
    if tls is None or tls is False:
        return tls
    if isinstance(tls, (tuple, list)) and len(tls) == 2:  # noqa: PLR2004
        return tls[0], tls[1]
    raise TypeError(
        f"tls is a certificate and its key, as (certificate, key), or False or None, not {type(tls).__name__}"
    )


def checked_location(
    location: str, *, has_token: bool, tls: tuple[object, object] | bool | None
) -> str:
    """Return where to listen, with the scheme that says whether it is encrypted.

    Raises
    ------
    ValueError
        If it is no location; if it is not of this machine alone and there is no token, or nothing about TLS.
    """
    wanted = "a location is grpc://HOST:PORT, or grpc+tls:// with tls="
    if not isinstance(location, str):
        raise TypeError(f"{wanted}, not {type(location).__name__}")
    parts = urlsplit(location)
    address = _address(parts)
    if parts.scheme not in {*_PLAIN, "grpc+tls"} or address is None or parts.path:
        raise ValueError(f"{wanted}, not {location!r}; port 0 is a free one")
    host, port = address
    has_tls = isinstance(tls, tuple)
    if parts.scheme == "grpc+tls" and not has_tls:
        raise ValueError("grpc+tls needs tls=(certificate, key)")
    if not is_loopback(host):
        if not has_token:
            raise ValueError(
                f"without a token only this machine is served, at 127.0.0.1, and not {host}: give token="
            )
        if not has_tls and tls is not False:
            raise ValueError(
                f"at {host} a token would go over the network for all to read: give tls=(certificate, key), or "
                "tls=False where something else encrypts"
            )
    shown = f"[{host}]" if ":" in host else host
    return f"{'grpc+tls' if has_tls else 'grpc'}://{shown}:{port}"


def _address(parts: SplitResult) -> tuple[str, int] | None:
    """Return host and port; None if one is missing, or none."""
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return None if not host or port is None else (host, port)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def pem(given: bytes | PathLike) -> bytes:
    """Return a certificate or a key, of which this is the text or the path."""
    if isinstance(given, bytes) and given.lstrip().startswith(b"-----BEGIN"):
        return given
    if isinstance(given, str) and given.lstrip().startswith("-----BEGIN"):
        return given.encode()
    return Path(os.fsdecode(given)).expanduser().read_bytes()


def pair(certificate: bytes | PathLike, key: bytes | PathLike) -> tuple[bytes, bytes]:
    """Return the certificate of a server and its key, of which these are the texts or the paths.

    Raises
    ------
    ValueError
        If one is something else. Whether they belong together, gRPC finds out.
    """
    texts = pem(certificate), pem(key)
    if _CERTIFICATE not in texts[0]:
        raise ValueError(
            "tls[0] has no certificate in PEM (BEGIN CERTIFICATE) in it: tls=(certificate, key)"
        )
    if b"PRIVATE KEY-----" not in texts[1]:
        raise ValueError(
            "tls[1] has no private key in PEM (BEGIN PRIVATE KEY) in it: tls=(certificate, key)"
        )
    return texts


def certificate(given: bytes | PathLike) -> bytes:
    """Return a certificate, of which this is the text or the path.

    Raises
    ------
    ValueError
        If there is none in it.
    """
    text = pem(given)
    if _CERTIFICATE not in text:
        raise ValueError("tls_root_certs has no certificate in PEM (BEGIN CERTIFICATE) in it")
    if not trust.has_some(text):
        raise ValueError(
            "tls_root_certs has a certificate in PEM that can't be read: see openssl x509 -text -in FILE"
        )
    return text
