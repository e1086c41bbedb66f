"""Faults of TLS and of certificates, told apart from a server that is away: no waiting mends them.

gRPC says of both that a server is unavailable. What a handshake failed for stands in its message, in words of OpenSSL
or BoringSSL. Where the server alone wants TLS, gRPC only says that the connection was closed: then the server is asked.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

_PATIENCE = 2.0
"""Seconds in which a server that wants TLS says so."""


def fault(uri: str, said: str) -> str | None:
    """Return a sentence of what is wrong with TLS, where something is.

    Parameters
    ----------
    uri
        Of the server.
    said
        What gRPC said of it.
    """
    words = said.lower().replace("_", " ")
    if "wrong version number" in words:
        return f"the server at {uri} speaks no TLS: open it as grpc://, or start it with tls=(certificate, key)"
    if "certificate verify failed" in words:
        reason = words.partition("verify failed: ")[2].partition(". ")[0]
        return (
            f"the certificate of the server at {uri} is not trusted{f' ({reason})' if reason else ''}: give the one "
            "that it is signed with, tls_root_certs=, which may be itself"
        )
    if "not in peer certificate" in words or "hostname verification" in words:
        return (
            f"the certificate of the server at {uri} is for other names: open it by one that stands in it, or serve it "
            "with a certificate for this one (subjectAltName), tls=(certificate, key)"
        )
    if "ssl handshake failed" in words and any(word in words for word in _REFUSALS):
        return (
            f"the server at {uri} and this client do not agree on TLS ({said.rpartition(': ')[2]}): see its "
            "tls=(certificate, key), and whether something else answers there"
        )
    if uri.startswith(_PLAIN) and any(word in words for word in _CLOSED) and _speaks_tls(uri):
        return (
            f"the server at {uri} speaks TLS: open it as grpc+tls://, with tls_root_certs= where its certificate is "
            "not signed by one that the system knows"
        )
    return None


_PLAIN = ("grpc://", "grpc+tcp://")
_CLOSED = ("socket closed", "connection reset")
_REFUSALS = ("alert", "unsupported protocol", "no shared cipher", "no protocols available")


def _speaks_tls(uri: str) -> bool:
    """Ask for TLS, and trust whoever answers: nothing is sent to it."""
    import ssl  # noqa: PLC0415  only where something is wrong

    parts = urlsplit(uri)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((parts.hostname, parts.port), _PATIENCE) as connection,
            context.wrap_socket(connection, server_hostname=parts.hostname),
        ):
            return True
    except (OSError, ValueError):
        return False


def has_some(text: bytes) -> bool:
    """Tell whether there is a certificate in a text of PEM, beside what else there may be."""
    import ssl  # noqa: PLC0415  it takes its time, and most servers have none

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=text.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        # Those before one that is broken count, to gRPC too.
        return context.cert_store_stats()["x509"] > 0
    return True
