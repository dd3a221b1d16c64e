"""Says that the agent's loop turns, at a unix socket that nobody else can have.

A probe of the HTTP server would ask any program that has its port, and a probe that fails ends
the agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from vip_speaker.liveness import ALIVE

_BACKOFF_SECONDS = 5.0

_log = logging.getLogger("agent")


async def serve(path: str) -> None:
    """Answer `vip-speaker probe` until cancelled; a path that cannot be used is tried again."""
    while True:
        try:
            server = await asyncio.start_unix_server(_answer, path)
        except OSError as error:
            _log.error("Could not listen on %s, trying again: %s", path, error)
            await asyncio.sleep(_BACKOFF_SECONDS)
        else:
            async with server:
                await server.serve_forever()


async def _answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.write(ALIVE)
        writer.close()
        await writer.wait_closed()
