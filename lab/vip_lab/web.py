"""A web server that says which host it is on.

    python -m vip_lab.web NAME PORT

It listens on every address, IPv4 and IPv6, so an address that arrives later is served at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

from vip_lab.client import answers
from vip_lab.host import Host
from vip_lab.process import Process
from vip_lab.wait import until

_BACKLOG = 1024
_SECONDS_TO_READ = 2.0
_SECONDS_TO_START = 20.0


class WebServer:
    """The web server of one host, which can be stopped and started again."""

    def __init__(self, host: Host, port: int = 80) -> None:
        self._host = host
        self._port = port
        self._process: Process | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "vip_lab.web", self._host.name, str(self._port)]
        self._process = self._host.start("web", command, preferred=True)
        until(
            f"the web server of {self._host.name}",
            lambda: answers(self._host, "127.0.0.1", self._port),
            _SECONDS_TO_START,
        )

    def stop(self) -> None:
        """Stop it: from now on the host refuses connections to its port."""
        if self._process is not None:
            self._process.kill()
            self._process = None


async def _serve(name: str, port: int) -> None:
    body = f"This page comes from {name}.\n".encode()
    head = f"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _SECONDS_TO_READ)
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    listener = socket.create_server(
        ("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
    )
    server = await asyncio.start_server(handle, sock=listener, backlog=_BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
