"""The agent's end of the engine's socket: says what is desired, hears what happens.

Every message is whole and idempotent, so only the newest of each kind is kept and sent: a
slow engine is never sent a queue, and everything is sent to a new one again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable

import msgspec

from vip_speaker.messages import (
    Desired,
    FromEngine,
    Hello,
    Message,
    Status,
    StatusRequest,
    Subscribe,
    Verdicts,
    decode_from_engine,
    encode,
)

VERDICTS_EVERY_SECONDS = 8.0  # the engine wants them every 10 s

_LINE_LIMIT_BYTES = 64 * 1024 * 1024
_BACKOFF_FIRST_SECONDS = 0.05
_BACKOFF_LIMIT_SECONDS = 2.0
_STATUS_TIMEOUT_SECONDS = 2.0

_log = logging.getLogger("agent")


class EngineClient:
    """Keeps one subscribed connection to the engine and speaks for the agent."""

    def __init__(self, path: str, on_message: Callable[[FromEngine], None]) -> None:
        self._path = path
        self._on_message = on_message
        # The newest message of each kind; those in `_unsent` have yet to be written.
        self._newest: dict[type[Message], Message] = {StatusRequest: StatusRequest()}
        self._unsent: list[type[Message]] = []
        self._wake = asyncio.Event()
        self._status: asyncio.Future[Status] | None = None
        self._connected = False
        self._gone = asyncio.Event()
        self._gone.set()

    @property
    def connected(self) -> bool:
        """An engine said hello on the connection that is open."""
        return self._connected

    async def gone(self) -> None:
        """Wait until there is no engine at the other end."""
        await self._gone.wait()

    def say(self, message: Desired | Verdicts) -> None:
        """Tell this engine, and any later one, what to run or what the gates say."""
        self._newest[type(message)] = message
        self._queue(type(message))

    async def status(self) -> Status | None:
        """Return the engine's status, or None if it is not there or too slow.

        The engine reads in order: what was said before has been applied in the answer.
        """
        if not self._connected:
            return None
        if self._status is None:
            self._status = asyncio.get_running_loop().create_future()
            self._queue(StatusRequest)
        done, _pending = await asyncio.wait({self._status}, timeout=_STATUS_TIMEOUT_SECONDS)
        for answer in done:
            return None if answer.cancelled() else answer.result()
        return None

    async def run(self) -> None:
        """Connect, and connect again whenever the engine goes, until cancelled."""
        backoff = _BACKOFF_FIRST_SECONDS
        while True:
            try:
                await self._talk()
            except (OSError, ValueError) as error:  # ValueError: a line beyond the limit
                _log.debug("Found no engine at %s: %s", self._path, error)
            if self._connected:
                self._lose()
                backoff = _BACKOFF_FIRST_SECONDS
            # Jitter, so that many agents of one test machine do not beat in time.
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311  no secret
            backoff = min(2 * backoff, _BACKOFF_LIMIT_SECONDS)

    async def _talk(self) -> None:
        """Hold one conversation until the engine ends it."""
        reader, writer = await asyncio.open_unix_connection(self._path, limit=_LINE_LIMIT_BYTES)
        said = (kind for kind in (Desired, Verdicts) if kind in self._newest)
        self._unsent = list(said)
        self._wake.set()
        writer.write(encode(Subscribe()))
        speaking = {
            asyncio.create_task(self._speak(writer)),
            asyncio.create_task(self._repeat_verdicts()),
        }
        try:
            await self._listen(reader)
        finally:
            for task in speaking:
                task.cancel()
            await asyncio.wait(speaking)
            writer.close()

    async def _speak(self, writer: asyncio.StreamWriter) -> None:
        """Write what is unsent."""
        with contextlib.suppress(ConnectionError):  # the listener sees the end too
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._unsent:
                    writer.write(encode(self._newest[self._unsent.pop(0)]))
                await writer.drain()

    async def _repeat_verdicts(self) -> None:
        """Say them again before the engine thinks them stale, whatever else is said."""
        while True:
            await asyncio.sleep(VERDICTS_EVERY_SECONDS)
            if Verdicts in self._newest:
                self._queue(Verdicts)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            try:
                message = decode_from_engine(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                _log.warning("Ignored a message of the engine: %s", error)
                continue
            self._hear(message)

    def _hear(self, message: FromEngine) -> None:
        if isinstance(message, Hello):
            self._connected = True
            self._gone.clear()
            _log.info("Connected to the engine of node %s", message.node)
        if isinstance(message, Status):
            waiting, self._status = self._status, None
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
        self._on_message(message)

    def _lose(self) -> None:
        self._connected = False
        self._gone.set()
        if self._status is not None:
            self._status.cancel()
            self._status = None
        _log.info("The engine closed its connection")

    def _queue(self, kind: type[Message]) -> None:
        if kind not in self._unsent:
            self._unsent.append(kind)
        self._wake.set()
