"""The operator's HTTP pages, over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest

from vip_model.vocabulary import Family
from vip_operator.pages.report import Report, Tally
from vip_operator.pages.serve import serve


def report(*hindrances: str, leader: bool = True) -> Report:
    """Return a report of an operator that did something."""
    tally = Tally(
        rounds=3,
        round_seconds=0.5,
        conflicts=2,
        conditions=Counter({("Bound", "True"): 4}),
        virtual_router_ids_used={("192.0.2.0/24", Family.IPV4): 7},
    )
    return Report(
        identity="operator-1",
        is_leader=leader,
        tally=tally,
        writes={("VirtualRouter", "done"): 5},
        watch_restarts=1,
        troubles=hindrances,
        hindrances=hindrances,
    )


class Site:
    """A server of one report, which a test exchanges."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.report = report()
        self._session = session

    async def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a page."""
        async with self._session.get(path) as response:
            return response.status, await response.text()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A running server."""
    address = f"127.0.0.1:{free_port()}"
    async with aiohttp.ClientSession(f"http://{address}") as session:
        site = Site(session)
        task = asyncio.create_task(serve(address, lambda: site.report))
        try:
            await answering(site)
            yield site
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def answering(site: Site) -> None:
    """Wait until the server answers."""
    async with asyncio.timeout(10):
        while True:
            try:
                await site.get("/healthz")
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)
            else:
                return


async def test_ready_without_hindrances(site: Site) -> None:
    """A leader or follower that nothing hinders is ready."""
    site.report = report(leader=False)
    assert await site.get("/readyz") == (200, "ok\n")


async def test_not_ready_says_why(site: Site) -> None:
    """Each hindrance is a line of /readyz, while /healthz still says that the loop turns."""
    site.report = report("the API server does not serve x", "not listed yet: Pod")
    status, text = await site.get("/readyz")
    assert status == 503
    assert text.splitlines() == ["the API server does not serve x", "not listed yet: Pod"]
    assert await site.get("/healthz") == (200, "ok\n")


async def test_metrics(site: Site) -> None:
    """Every family is there with its labels, in the text format."""
    status, text = await site.get("/metrics")
    assert status == 200
    lines = set(text.splitlines())
    assert {
        "vip_operator_leader 1.0",
        "vip_operator_rounds_total 3.0",
        "vip_operator_round_seconds_sum 0.5",
        "vip_operator_round_seconds_count 3.0",
        "vip_operator_conflicts_total 2.0",
        "vip_operator_api_trouble 0.0",
        "vip_operator_watch_restarts_total 1.0",
        'vip_operator_writes_total{object="VirtualRouter",outcome="done"} 5.0',
        'vip_operator_virtual_ips{condition="Bound",status="True"} 4.0',
        'vip_operator_virtual_router_ids_used{family="IPv4",network="192.0.2.0/24"} 7.0',
    } <= lines


async def test_an_address_that_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    """A port that another program has is reported and does not end the server."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        task = asyncio.create_task(serve(address, report))
        try:
            async with asyncio.timeout(10):
                while "Could not serve HTTP" not in caplog.text:
                    await asyncio.sleep(0.01)
            assert not task.done()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    assert address in caplog.text
