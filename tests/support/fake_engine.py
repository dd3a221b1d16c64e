"""The engine's end of the socket, scripted: for the edges of the protocol between the processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from vip_lab.wait import Deadline
from vip_speaker.messages import (
    Desired,
    FromEngine,
    Hello,
    Status,
    StatusRequest,
    Subscribe,
    ToEngine,
    decode_to_engine,
    encode,
)

_M = TypeVar("_M", bound=ToEngine)


class FakeEngine:
    """Accepts agents, notes what they say, and answers as the engine does.

    Attributes:
        heard: every message of every connection, in order.
        connections: how many were accepted so far.
        silent: answer nothing.
    """

    def __init__(self, node: str = "n1") -> None:
        self.node = node
        self.heard: list[ToEngine] = []
        self.connections = 0
        self.silent = False
        self.revision = 0
        self._writers: set[asyncio.StreamWriter] = set()

    def of_type(self, kind: type[_M]) -> list[_M]:
        """Return what was heard of one kind."""
        return [message for message in self.heard if isinstance(message, kind)]

    def send(self, message: FromEngine | bytes) -> None:
        """Send a message, or raw bytes, to every connection."""
        for writer in self._writers:
            writer.write(message if isinstance(message, bytes) else encode(message))

    def hang_up(self) -> None:
        """Close every connection and go on listening."""
        for writer in self._writers:
            writer.close()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one agent."""
        self.connections += 1
        self._writers.add(writer)
        with suppress(ConnectionError):
            while line := await reader.readline():
                self._hear(decode_to_engine(line), writer)
        self._writers.discard(writer)
        writer.close()

    def _hear(self, message: ToEngine, writer: asyncio.StreamWriter) -> None:
        self.heard.append(message)
        if isinstance(message, Desired):
            self.revision = message.revision
        if self.silent:
            return
        if isinstance(message, Subscribe):
            hello = Hello(node=self.node, revision=self.revision, routers=[], interfaces=[])
            writer.write(encode(hello))
        if isinstance(message, StatusRequest):
            status = Status(node=self.node, revision=self.revision, virtual_routers=[])
            writer.write(encode(status))


@asynccontextmanager
async def serving(engine: FakeEngine, path: Path) -> AsyncIterator[FakeEngine]:
    """Serve a fake engine on a socket until the block ends."""
    # An agent with many routers says much in one line, which the real engine takes.
    server = await asyncio.start_unix_server(engine.handle, path, limit=1 << 24)
    try:
        yield engine
    finally:
        server.close()
        engine.hang_up()
        path.unlink(missing_ok=True)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until the condition holds; raise TimeoutError after some seconds."""
    deadline = Deadline(seconds)
    while not condition():
        if deadline.is_over():
            raise TimeoutError(f"not within {seconds} s")
        await asyncio.sleep(0.002)
