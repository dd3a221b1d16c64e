"""What `vip-speaker probe` asks: is the agent behind a unix socket alive?

A kubelet runs it again and again, so it imports little.
"""

from __future__ import annotations

import socket

ALIVE = b"alive\n"

_TIMEOUT_SECONDS = 3.0


def why_not_alive(path: str) -> str:
    """Return why the agent behind the socket counts as dead; empty if it answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT_SECONDS)
            connection.connect(path)
            answer = connection.recv(len(ALIVE), socket.MSG_WAITALL)
    except TimeoutError:
        return f"The agent behind {path} did not answer within {_TIMEOUT_SECONDS:g} s"
    except OSError as error:
        return f"No agent answers at {path}: {error.strerror or error}"
    if answer != ALIVE:
        return f"What answers at {path} is no agent"
    return ""
