"""The operator's HTTP server: /healthz, /readyz, /metrics.

It is a convenience: whatever happens to it, planning and writing go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web

from vip_common.log import Trouble
from vip_operator.pages import metrics
from vip_operator.pages.report import Report

_RETRY_SECONDS = 5.0
_SHUTDOWN_SECONDS = 0.2

_log = logging.getLogger("operator.serve")

Source = Callable[[], Report]


def application(source: Source) -> web.Application:
    """Return the server's pages, each made from a fresh report."""
    pages = _Pages(source)
    app = web.Application()
    app.router.add_get("/healthz", pages.health)
    app.router.add_get("/readyz", pages.readiness)
    app.router.add_get("/metrics", pages.metrics)
    return app


async def serve(address: str, source: Source) -> None:
    """Serve [HOST]:PORT until cancelled; an address that is taken is tried again and again.

    Without a host every address of this machine is served.
    """
    host, _colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    runner = web.AppRunner(application(source), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await _listen(runner, address, host or None, int(port))
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, address: str, host: str | None, port: int) -> None:
    trouble = Trouble(_log, f"serve HTTP on {address} (choose another with --http, or none)")
    while True:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            trouble.begins(error)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            trouble.ends()
            _log.info("Serving /readyz and /metrics on http://%s", address)
            return


class _Pages:
    """One method a page."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def health(self, _request: web.Request) -> web.Response:
        """Answer at all: the operator's loop turns. The API server has no part in it."""
        return web.Response(text="ok\n")

    async def readiness(self, _request: web.Request) -> web.Response:
        """Answer 200 once it does its work, or could take it over."""
        hindrances = self._source().hindrances
        if hindrances:
            return web.Response(status=503, text="\n".join(hindrances) + "\n")
        return web.Response(text="ok\n")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer in Prometheus' text format."""
        text = metrics.render(self._source())
        return web.Response(body=text, headers={"Content-Type": metrics.CONTENT_TYPE})
