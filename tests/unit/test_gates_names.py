"""Names of hosts: what hangs in the resolver holds up nobody else."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from support.fake_engine import until
from vip_model.vocabulary import GateState
from vip_speaker.gates import names
from vip_speaker.gates.http_get import HTTPProbe
from vip_speaker.gates.names import Lookup
from vip_speaker.gates.periodic import PeriodicGate, Probe, Schedule
from vip_speaker.gates.tcp_socket import TCPProbe

HANGS = "db.slow.example"
FAST = "web.fast.example"
KINDS: dict[str, Callable[[str, int], Probe]] = {
    "httpGet": lambda host, port: HTTPProbe("http", host, port, "/"),
    "tcpSocket": TCPProbe,
}


class Resolver:
    """Takes the place of socket.getaddrinfo.

    Attributes:
        asked: how often each name was looked up; addresses are not counted.
        hanging: how many lookups are under way.
        goes_on: ends those that hang.
        threads: in which threads names were looked up.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.hanging = 0
        self.goes_on = threading.Event()
        self.threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._real = socket.getaddrinfo

    def __call__(self, host: str, port: int, **more: Any) -> Any:
        """Hang, answer with loopback, or do what the real one does."""
        if more.get("flags", 0) & socket.AI_NUMERICHOST:
            return self._real(host, port, **more)
        with self._lock:
            self.asked[host] += 1
            self.hanging += host != FAST
            self.threads.add(threading.current_thread())
        if host == FAST:
            return self._real("127.0.0.1", port, **more)
        self.goes_on.wait(20)
        with self._lock:
            self.hanging -= 1
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """A resolver that hangs on every name but one, until the test is over."""
    found = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield found
    found.goes_on.set()
    deadline = time.monotonic() + 10
    while found.hanging and time.monotonic() < deadline:
        time.sleep(0.002)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A port of 127.0.0.1 where a web server answers."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline():
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def gate(probe: Probe, timeout_seconds: float = 30.0) -> PeriodicGate:
    """Return a gate that asks often."""
    schedule = Schedule(0.02, timeout_seconds, success_threshold=1, failure_threshold=2)
    return PeriodicGate(schedule, probe, lambda: None)


@pytest.mark.parametrize("kind", KINDS)
async def test_names_that_hang_hold_up_no_gate_on_localhost(
    resolver: Resolver, port: int, kind: str
) -> None:
    """However many hang, localhost and addresses are asked, and asyncio's threads are free."""
    slow = [gate(KINDS[kind](HANGS, 1), 0.05) for _ in range(40)]
    healthy = [gate(KINDS[kind](host, port)) for host in ("localhost", "LOCALHOST.", "127.0.0.1")]
    for each in slow:
        each.start()
    await until(lambda: all(each.verdict.state is GateState.FAILING for each in slow))
    for each in healthy:
        each.start()
    await until(lambda: all(each.verdict.state is GateState.PASSING for each in healthy))
    async with asyncio.timeout(5):
        await asyncio.to_thread(lambda: None)
    assert resolver.hanging <= names.THREADS

    await asyncio.gather(*(each.stop() for each in [*slow, *healthy]))
    assert {each.verdict.state for each in healthy} == {GateState.PASSING}


@pytest.mark.parametrize("kind", KINDS)
async def test_one_name_that_hangs_takes_one_thread(
    resolver: Resolver, port: int, kind: str
) -> None:
    """A gate asks for its name once at a time, however often it gives up; other names go on."""
    slow = gate(KINDS[kind](HANGS, 1), 0.02)
    other = gate(KINDS[kind](FAST, port))
    slow.start()
    await until(lambda: slow.tally.in_a_row >= 5)
    other.start()
    await until(lambda: other.verdict.state is GateState.PASSING)
    await until(lambda: slow.tally.in_a_row >= 10)

    assert resolver.asked[HANGS] == 1
    assert slow.verdict.reason.startswith("no answer within 20 ms from ")
    await asyncio.gather(slow.stop(), other.stop())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_name_that_resolves_again_is_asked_again(
    resolver: Resolver, port: int, kind: str
) -> None:
    """What a lookup ends with while nobody waits for it is no answer to a later question."""
    probe = KINDS[kind](HANGS, port)
    slow = gate(probe, 0.02)
    slow.start()
    await until(lambda: slow.tally.in_a_row >= 2)
    resolver.goes_on.set()
    await until(lambda: "the name does not resolve" in slow.verdict.reason)
    assert resolver.asked[HANGS] >= 1
    await slow.stop()


async def test_lookups_outlive_no_process(resolver: Resolver) -> None:
    """Threads that hang are daemons: an agent that ends does not wait for a name server."""
    lookup = Lookup(HANGS)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await lookup.addresses(1)
    await until(lambda: resolver.hanging == 1)
    assert all(thread.daemon for thread in resolver.threads)
    lookup.close()


async def test_what_is_given_up_before_its_turn_is_never_looked_up(resolver: Resolver) -> None:
    """A gate that ends leaves nothing for a thread that becomes free."""
    busy = [Lookup(f"host{number}.example") for number in range(names.THREADS)]
    waiting = Lookup("late.example")
    asked = [asyncio.create_task(each.addresses(1)) for each in busy]
    await until(lambda: resolver.hanging == names.THREADS)
    late = asyncio.create_task(waiting.addresses(1))
    await asyncio.sleep(0)
    waiting.close()
    resolver.goes_on.set()
    await asyncio.wait({*asked, late})

    assert resolver.asked["late.example"] == 0
    assert late.cancelled()
    assert all(isinstance(each.exception(), socket.gaierror) for each in asked)


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7", "localhost"])
async def test_addresses_need_no_lookup(resolver: Resolver, host: str) -> None:
    """They are known at once, in any spelling."""
    found = await Lookup(host).addresses(80)

    assert {address[1] for _family, _type, _protocol, _name, address in found} == {80}
    assert resolver.asked == {}


async def test_localhost_is_loopback_of_both_families(resolver: Resolver) -> None:
    """Whatever a resolver would say of it."""
    found = await Lookup("localhost").addresses(80)

    assert [address[0] for *_kind, address in found] == ["::1", "127.0.0.1"]
    assert resolver.asked == {}


async def test_what_looks_like_an_address_is_not_looked_up(resolver: Resolver) -> None:
    """A name never has a colon."""
    with pytest.raises(socket.gaierror):
        await Lookup("1::2::3").addresses(80)
    assert resolver.asked == {}
