"""What a service manager is sent (sd_notify): a datagram to the socket in NOTIFY_SOCKET.

Standard library only.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

NOTIFY_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Service:
    """Tells the service manager, if there is one, and is never held up by it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        self._ready = False
        self._alive_at = 0.0
        self._period = _watchdog_seconds(environment) / 3
        if self._address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """Say once that the service is up; later only what it does."""
        self._tell(f"STATUS={status}" if self._ready else f"READY=1\nSTATUS={status}")
        self._ready = True

    def status(self, status: str) -> None:
        """Say what it does, for `systemctl status`."""
        self._tell(f"STATUS={status}")

    def stopping(self, status: str) -> None:
        """Say that it is about to end."""
        self._tell(f"STOPPING=1\nSTATUS={status}")

    def alive(self, now: float) -> None:
        """Answer the watchdog, three times in its period."""
        if self._period and now - self._alive_at >= self._period:
            self._alive_at = now
            self._tell("WATCHDOG=1")

    def close(self) -> None:
        """Let go of the socket; nothing more is said."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, text: str) -> None:
        if self._socket is None:
            return
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        try:
            self._socket.sendto(text.encode(), address)
        except OSError:
            return  # a manager that is away or busy: the next word reaches it


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """Return the watchdog's period; 0 if there is none, or it is another process's."""
    period, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not period.isdigit() or owner not in ("", str(os.getpid())):
        return 0.0
    return int(period) / 1_000_000
