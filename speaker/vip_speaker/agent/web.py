"""The agent's HTTP server: /healthz, /readyz, /status, /metrics.

It is a convenience: gates and addresses go on without it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from vip_model.schema.addresses import is_valid, parse_address
from vip_speaker.agent import metrics
from vip_speaker.agent.report import Report
from vip_speaker.linux.netlink import NetlinkSocket
from vip_speaker.linux.ownership import is_ours

_BACKOFF_FIRST_SECONDS = 1.0
_BACKOFF_LIMIT_SECONDS = 30.0
_SHUTDOWN_SECONDS = 0.5
# Anyone who reaches the node may ask: rendering takes time that the gates need, connections files.
_KEPT_SECONDS = 1.0
_CONNECTIONS = 16

_log = logging.getLogger("agent")

Source = Callable[[], Awaitable[Report]]


def application(source: Source) -> web.Application:
    """Return the server's pages, each made from a fresh report."""
    pages = _Pages(source)
    app = web.Application()
    app.router.add_get("/healthz", pages.health)
    app.router.add_get("/readyz", pages.readiness)
    app.router.add_get("/status", pages.status)
    app.router.add_get("/metrics", pages.metrics)
    return app


async def serve(address: str, source: Source) -> None:
    """Serve ADDRESS:PORT until cancelled; an address that is taken is tried again and again."""
    host, _colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    runner = web.AppRunner(application(source), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    listening: asyncio.Server | None = None
    try:
        listening = await _listen(runner, address, host, int(port))
        await asyncio.Event().wait()
    finally:
        if listening is not None:
            listening.close()
        await runner.cleanup()


async def _listen(runner: web.AppRunner, address: str, host: str, port: int) -> asyncio.Server:
    assert runner.server is not None
    protocols = _few(runner.server)
    backoff = _BACKOFF_FIRST_SECONDS
    while True:
        try:
            await asyncio.to_thread(_require_own, host)
            found = await asyncio.get_running_loop().create_server(protocols, host, port)
        except OSError as error:
            _log.error("%s, trying again in %.0f s", _why_not(error, address), backoff)
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _BACKOFF_LIMIT_SECONDS)
        else:
            _log.info("Serving /status and /metrics on http://%s", address)
            return found


def _few(server: web.Server) -> Callable[[], asyncio.Protocol]:
    """Return what makes the protocol of a connection, and closes the oldest where one is too many.

    Not the newest: those who hold connections must not keep new ones away.
    """

    def close_oldest() -> None:
        connected = [each for each in server.connections if each.transport is not None]
        for each in connected[:-_CONNECTIONS]:
            each.force_close()

    def connected() -> asyncio.Protocol:
        asyncio.get_running_loop().call_later(0, close_oldest)  # once this one is connected, too
        return server()

    return connected


class _VirtualAddressError(OSError):
    """The address is one that a speaker has bound, and that moves."""


def _require_own(host: str) -> None:
    """Make sure that an address is the host's own, whatever the kernel would bind to.

    Raises:
        OSError: it is a virtual address, or none of this host's.
    """
    if not is_valid(host):
        return  # a name, a loopback address, or every address
    with NetlinkSocket() as kernel:
        found = [each for each in kernel.dump_addresses() if each.address == parse_address(host)]
    if any(is_ours(each) for each in found):
        raise _VirtualAddressError
    if not found:  # with ip_nonlocal_bind the kernel binds to what another host holds
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))


def _why_not(error: OSError, address: str) -> str:
    if isinstance(error, _VirtualAddressError):
        return (
            f"Not serving HTTP on {address}: it is a virtual address, which other hosts can have. "
            "In a cluster the kubelet takes it for the node's: start that with --node-ip and an "
            "address of the node's own"
        )
    if error.errno == errno.EADDRINUSE:
        why = "another program uses that port"
    elif error.errno in (errno.EADDRNOTAVAIL, None):  # asyncio of Python 3.13 gives no number
        why = "this host has no such address"
    else:
        why = str(error)
    return f"Could not serve HTTP on {address}: {why} (choose another with --http, or none)"


class _Pages:
    """One method a page."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rendering = asyncio.Lock()
        self._rendered: tuple[bytes, float] | None = None  # and when (seconds of the loop's clock)

    async def health(self, _request: web.Request) -> web.Response:
        """Answer at all: the agent's loop turns. It says nothing of the engine on purpose."""
        return web.Response(text="ok\n")

    async def readiness(self, _request: web.Request) -> web.Response:
        """Answer 200 once the engine runs what the manifests say."""
        hindrances = (await self._source()).hindrances()
        if hindrances:
            return web.Response(status=503, text="\n".join(hindrances) + "\n")
        return web.Response(text="ok\n")

    async def status(self, _request: web.Request) -> web.Response:
        """Answer as `vip-speaker status --json`, with configuration and gates."""
        document = msgspec.json.format(msgspec.json.encode((await self._source()).document()))
        return web.Response(body=document + b"\n", content_type="application/json")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer in Prometheus' text format, with what is at most a second old."""
        async with self._rendering:
            text = await self._render()
        return web.Response(body=text, headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _render(self) -> bytes:
        """Return what is kept, or make it anew; in a thread so that no probe waits for it."""
        clock = asyncio.get_running_loop().time
        if self._rendered is not None:
            text, made = self._rendered
            if clock() < made + _KEPT_SECONDS:
                return text
        text = await asyncio.to_thread(metrics.render, await self._source())
        self._rendered = text, clock()
        return text
