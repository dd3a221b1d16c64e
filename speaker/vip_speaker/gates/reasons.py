"""Why a connection failed, in words that a person can read."""

from __future__ import annotations

import errno
import os
import socket
import ssl

_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network unreachable",
}


def target(host: str, port: int) -> str:
    """Return HOST:PORT, with the brackets that an IPv6 address needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def of_error(error: OSError) -> str:
    """Return the reason for a connection that could not be made or broke."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return f"the name does not resolve: {error.strerror}"
    if error.errno is None:
        return str(error)
    return _WORDS.get(error.errno) or os.strerror(error.errno).lower()
