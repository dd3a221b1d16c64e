"""The whole agent against a scripted engine: manifests in, messages and pages out."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.fake_engine import FakeEngine, serving, until
from support.manifests import http_gate, virtual_ip
from vip_model.resources.gate import Gate
from vip_model.vocabulary import GateState
from vip_speaker import liveness
from vip_speaker.agent import main as main_module
from vip_speaker.agent.main import Agent, source_of
from vip_speaker.agent.manifests import files
from vip_speaker.gates import http_get
from vip_speaker.gates.periodic import PeriodicGate
from vip_speaker.gates.surroundings import Site
from vip_speaker.messages import Desired, DesiredGate, Verdict, Verdicts
from vip_speaker.settings import LIFELINE_VARIABLE, Settings


class Backend:
    """A web server on loopback whose answer the test decides."""

    def __init__(self) -> None:
        self.status = 200
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        if await reader.readline():
            writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    """A healthy backend."""
    backend = Backend()
    async with await asyncio.start_server(backend.handle, "127.0.0.1", 0) as server:
        backend.port = server.sockets[0].getsockname()[1]
        yield backend


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the manifests are; polled often."""
    monkeypatch.setattr(files, "POLL_SECONDS", 0.01)
    return tmp_path / "vip.yaml"


def settings_of(file: Path) -> Settings:
    """Return the settings of an agent for that file."""
    return Settings(
        node="n1", manifests=str(file), socket=str(file.with_name("engine.sock")), http=None
    )


@asynccontextmanager
async def running(
    file: Path, settings: Settings | None = None
) -> AsyncIterator[tuple[Agent, asyncio.Task[None]]]:
    """Run an agent until the block ends."""
    settings = settings or settings_of(file)
    agent = Agent(settings, source_of(settings))
    task = asyncio.create_task(agent.run())
    try:
        yield agent, task
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def speaker(file: Path) -> AsyncIterator[tuple[FakeEngine, Agent, asyncio.Task[None]]]:
    """Run an agent beside a scripted engine."""
    path = file.with_name("engine.sock")
    async with serving(FakeEngine(), path) as engine, running(file) as (agent, task):
        yield engine, agent, task


def newest(engine: FakeEngine) -> dict[str, Verdict]:
    """Return the verdicts that the engine was told last."""
    return engine.of_type(Verdicts)[-1].routers["vip.shop.web"]


def states(engine: FakeEngine) -> list[GateState]:
    """Return the states of the one gate, as the engine was told."""
    return [message.routers["vip.shop.web"]["http"].state for message in engine.of_type(Verdicts)]


async def test_manifests_reach_the_engine(file: Path, backend: Backend) -> None:
    """The engine is told the whole set, as one that ends what it does not hold."""
    file.write_text(virtual_ip(gates=[http_gate(backend.port)]))
    async with speaker(file) as (engine, _agent, _task):
        await until(lambda: bool(engine.of_type(Desired)))
        (desired,) = engine.of_type(Desired)

    (router,) = desired.routers
    assert desired.complete
    assert desired.node == "n1"
    assert (router.name, router.priority) == ("vip.shop.web", 254)
    assert router.gates == [DesiredGate(name="http")]


async def test_a_taken_port_is_no_reason_to_end_the_agent(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where another program has the port of its pages, the agent still counts as alive."""
    file.write_text(virtual_ip())
    path = file.with_name("agent.sock")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = dataclasses.replace(
            settings_of(file),
            http=f"127.0.0.1:{other.getsockname()[1]}",
            probe_socket=str(path),
        )
        async with running(file, settings):
            await until(lambda: "another program uses that port" in caplog.text)
            await until(path.exists)
            assert await asyncio.to_thread(liveness.why_not_alive, str(path)) == ""


async def test_verdicts_reach_the_engine(file: Path, backend: Backend) -> None:
    """A verdict is told when it is decided, at each change, and not in between."""
    file.write_text(virtual_ip(gates=[http_gate(backend.port)]))
    async with speaker(file) as (engine, _agent, _task):
        await until(lambda: bool(engine.of_type(Verdicts)))
        backend.status = 503
        await until(lambda: len(engine.of_type(Verdicts)) == 2)
        backend.status = 200
        await until(lambda: len(engine.of_type(Verdicts)) == 3)
        told = states(engine)
        last = engine.of_type(Verdicts)[-1].routers["vip.shop.web"]["http"]

    assert told == [GateState.PASSING, GateState.FAILING, GateState.PASSING]
    assert last.reason == f"HTTP 200 from http://127.0.0.1:{backend.port}/"


async def test_a_gate_that_cannot_be_started_is_a_problem_and_no_more(
    file: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are judged and told on, that one fails, and the report names it."""
    create = http_get.create

    def broken(gate: Gate, on_change: Callable[[], None], site: Site) -> PeriodicGate:
        if gate.name == "odd":
            raise ValueError("no such thing")
        return create(gate, on_change, site)

    monkeypatch.setattr(http_get, "create", broken)
    file.write_text(virtual_ip(gates=[http_gate(backend.port), http_gate(backend.port, "odd")]))
    async with speaker(file) as (engine, agent, task):
        await until(lambda: bool(engine.of_type(Verdicts)) and "http" in newest(engine))
        assert newest(engine)["http"].state is GateState.PASSING
        assert newest(engine)["odd"].state is GateState.FAILING
        assert (await agent.report()).configuration.problems == [
            "Gate odd of shop/web could not be started: no such thing"
        ]
        assert not task.done()


async def test_no_verdict_is_told_before_it_is_decided(file: Path, backend: Backend) -> None:
    """A new agent does not replace what an earlier one said by nothing."""
    slow = http_gate(backend.port, successThreshold=1000)
    file.write_text(virtual_ip(gates=[slow]))
    async with speaker(file) as (engine, agent, _task):
        await until(lambda: bool(engine.of_type(Desired)))
        await until(lambda: agent.gate_details()[0].in_a_row > 3)

        assert engine.of_type(Verdicts) == []


async def test_an_edit_keeps_the_verdict_of_the_same_gate(file: Path, backend: Backend) -> None:
    """Adding an address does not make a healthy node unknown for a moment."""
    gates = [http_gate(backend.port)]
    file.write_text(virtual_ip(gates=gates))
    async with speaker(file) as (engine, _agent, _task):
        await until(lambda: bool(engine.of_type(Verdicts)))
        more = virtual_ip(gates=gates, addresses=["192.0.2.100", "192.0.2.200"])
        file.write_text(more)
        await until(lambda: len(engine.of_type(Desired)) == 2)
        await until(lambda: len(engine.of_type(Verdicts)) >= 2)
        told = states(engine)

    assert set(told) == {GateState.PASSING}


async def test_a_removed_gate_is_no_longer_told(file: Path, backend: Backend) -> None:
    """Verdicts are those of the gates that run now."""
    file.write_text(virtual_ip(gates=[http_gate(backend.port)]))
    async with speaker(file) as (engine, _agent, _task):
        await until(lambda: bool(engine.of_type(Verdicts)))
        file.write_text(virtual_ip())
        await until(lambda: engine.of_type(Verdicts)[-1].routers == {})


async def test_gates_that_need_a_cluster_are_told_as_not_applicable(file: Path) -> None:
    """Without Kubernetes a gate on pods does not count, and the engine knows."""
    pods = {"name": "http", "pods": {"selector": {"matchLabels": {"app": "web"}}}}
    file.write_text(virtual_ip(gates=[pods]))
    async with speaker(file) as (engine, _agent, _task):
        await until(lambda: bool(engine.of_type(Verdicts)))

        assert states(engine) == [GateState.NOT_APPLICABLE]


async def test_the_interface_is_the_engines_own_business(file: Path) -> None:
    """A gate on carrier is told with its interface, and has no verdict of the agent."""
    file.write_text(virtual_ip(gates=[{"name": "uplink", "interface": {"name": "eth1"}}]))
    async with speaker(file) as (engine, agent, _task):
        await until(lambda: bool(engine.of_type(Desired)))
        (router,) = engine.of_type(Desired)[0].routers

        assert router.gates == [DesiredGate(name="uplink", interface="eth1")]
        assert agent.gate_details() == []
        assert engine.of_type(Verdicts) == []


async def test_ready_when_the_engine_has_the_set(file: Path) -> None:
    """The report has no hindrance once the engine confirms the revision in force."""
    async with speaker(file) as (engine, agent, _task):
        before = (await agent.report()).hindrances()
        file.write_text(virtual_ip())
        await until(lambda: bool(engine.of_type(Desired)))
        report = await agent.report()

    assert before[0] == "No valid configuration was found yet"
    assert report.hindrances() == []
    assert report.configuration.valid


async def test_stop_waits_for_the_engine(file: Path, backend: Backend) -> None:
    """A stopping agent goes on with verdicts until the engine has left, then ends."""
    file.write_text(virtual_ip(gates=[http_gate(backend.port)]))
    async with speaker(file) as (engine, agent, task):
        await until(lambda: bool(engine.of_type(Verdicts)))
        agent.stop()
        backend.status = 503
        await until(lambda: states(engine)[-1] is GateState.FAILING)
        assert not task.done()
        engine.hang_up()
        async with asyncio.timeout(5):
            await task


async def test_stop_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not leave holds the agent for a bounded time only."""
    monkeypatch.setattr(main_module, "_STOP_SECONDS", 0.05)
    file.write_text(virtual_ip())
    async with speaker(file) as (engine, agent, task):
        await until(lambda: bool(engine.of_type(Desired)))
        agent.stop()
        async with asyncio.timeout(5):
            await task


async def test_stop_without_an_engine_is_immediate(file: Path) -> None:
    """Nobody is waited for who is not there."""
    async with running(file) as (agent, task):
        await asyncio.sleep(0)
        agent.stop()
        async with asyncio.timeout(5):
            await task


async def test_ends_when_the_supervisor_is_gone(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent whose supervisor was killed leaves the field to the next one."""
    read, write = os.pipe()
    monkeypatch.setenv(LIFELINE_VARIABLE, str(read))
    async with running(file) as (_agent, task):
        await asyncio.sleep(0)
        os.close(write)
        async with asyncio.timeout(5):
            await task
    os.close(read)


def test_an_agent_without_manifests(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without manifests there is nothing to follow: one sentence and status 2."""
    monkeypatch.setattr("vip_common.log.configure", lambda *_, **__: None)

    assert main_module.main(Settings(node="n1")) == 2
    assert "give it --manifests FILE_OR_DIR" in caplog.text
