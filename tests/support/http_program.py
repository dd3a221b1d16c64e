"""A program that answers over HTTP as a test wants it to."""

from __future__ import annotations

import asyncio


class Program:
    """What serves one port; give `handle` to asyncio.start_server.

    Attributes:
        status: of every answer; None: none is given.
        asked: how often somebody connected.
        answers: the status of every answer that was given.
        waiting: how many connections are open.
    """

    def __init__(self) -> None:
        self.status: int | None = 200
        self.asked = 0
        self.answers: list[int] = []
        self.waiting = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.asked += 1
        self.waiting += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            if self.status is None:
                await reader.read()  # until the other side gives up
            else:
                self.answers.append(self.status)
                writer.write(b"HTTP/1.1 %d Word\r\nContent-Length: 0\r\n\r\n" % self.status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.waiting -= 1
            writer.close()
