"""At which addresses the agent serves its pages, in a real kernel."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address

import pytest

from support.linux_lan import Lan, lan
from vip_speaker.agent import web
from vip_speaker.agent.report import Configuration, Report
from vip_speaker.linux.addresses import AddressResult, AddressWorker, BindRequest

VIRTUAL = "192.0.2.100"
SERVING = "Serving /status"


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lan]:
    """A node, and a server that tries again at once."""
    monkeypatch.setattr(web, "_BACKOFF_FIRST_SECONDS", 0.05)
    monkeypatch.setattr(web, "_BACKOFF_LIMIT_SECONDS", 0.05)
    with lan() as wire:
        yield wire


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[str], Awaitable[None]]:
    """Return what waits until the log says something."""
    caplog.set_level("INFO")

    async def wait(words: str) -> None:
        async with asyncio.timeout(10):
            while words not in caplog.text:
                await asyncio.sleep(0.02)

    return wait


def bind(wire: Lan, address: str) -> None:
    """Let the node hold a virtual address."""
    with wire.node.entered():
        worker = AddressWorker()
        worker.submit(
            BindRequest(
                token="web",
                ifindex=wire.index,
                addresses=(ip_address(address),),
                lifetime_seconds=3600,
            )
        )
        assert select.select([worker], [], [], 10)[0]
        result = worker.next_result()
        assert isinstance(result, AddressResult)
        assert result.reason == ""
        worker.close()


def serve(wire: Lan, address: str, watch: Callable[[], Awaitable[None]]) -> None:
    """Let an agent of the node serve at an address until `watch` has seen enough."""

    async def source() -> Report:
        return Report(
            node="n1", engine=None, configuration=Configuration(source="vip.yaml"), gates=[]
        )

    async def run() -> None:
        task = asyncio.create_task(web.serve(f"{address}:9112", source))
        try:
            await watch()
        finally:
            task.cancel()
            await asyncio.wait({task})

    with wire.node.entered():
        asyncio.run(run())


def test_never_at_a_virtual_address(
    wire: Lan, said: Callable[[str], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    """Where a kubelet takes one for the node's, the log names the setting that mends it."""
    bind(wire, VIRTUAL)

    async def watch() -> None:
        await said("it is a virtual address")
        await said("--node-ip")
        await asyncio.sleep(0.3)

    serve(wire, VIRTUAL, watch)
    assert SERVING not in caplog.text


def test_nor_at_one_that_another_host_holds(
    wire: Lan, said: Callable[[str], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where the kernel binds to what is not there."""
    wire.node.sysctl("ipv4/ip_nonlocal_bind", "1")

    async def watch() -> None:
        await said("this host has no such address")
        assert SERVING not in caplog.text
        wire.node.ip("address", "add", f"{VIRTUAL}/24", "dev", "eth0")
        await said(SERVING)

    serve(wire, VIRTUAL, watch)


@pytest.mark.parametrize("address", ["192.0.2.11", "127.0.0.1", "localhost", "0.0.0.0", "[::]", ""])
def test_at_what_is_the_hosts_own(
    address: str, wire: Lan, said: Callable[[str], Awaitable[None]]
) -> None:
    """The host's own address, loopback addresses, names and every address are served at."""
    wire.node.ip("link", "set", "lo", "up")
    serve(wire, address, lambda: said(SERVING))
