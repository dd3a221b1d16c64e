"""The agent's end of the engine's socket, against a scripted engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.fake_engine import FakeEngine, serving, until
from vip_model.vocabulary import GateState
from vip_speaker.agent import client as client_module
from vip_speaker.agent.client import EngineClient
from vip_speaker.messages import (
    Desired,
    FromEngine,
    Hello,
    Status,
    Subscribe,
    Transition,
    Verdict,
    Verdicts,
)

DESIRED = Desired(node="n1", revision=7, complete=True)
VERDICTS = Verdicts(routers={"vip.shop.web": {"nginx": Verdict(state=GateState.PASSING)}})
TRANSITION = Transition(
    router="vip.shop.web",
    previous="Backup",
    state="Active",
    reason="",
    since="2026-01-01T00:00:00Z",
)


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    """Where the engine listens."""
    return tmp_path / "engine.sock"


@asynccontextmanager
async def talking(socket: Path) -> AsyncIterator[tuple[EngineClient, list[FromEngine]]]:
    """Run a client; yield it with what it heard."""
    heard: list[FromEngine] = []
    client = EngineClient(str(socket), heard.append)
    task = asyncio.create_task(client.run())
    try:
        yield client, heard
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_says_everything_on_connecting(socket: Path) -> None:
    """A new connection subscribes and hears desired state and verdicts, in this order."""
    async with talking(socket) as (client, _heard):
        client.say(VERDICTS)
        client.say(DESIRED)
        async with serving(FakeEngine(), socket) as engine:
            await until(lambda: len(engine.heard) == 3)

            assert engine.heard == [Subscribe(), DESIRED, VERDICTS]
            await until(lambda: client.connected)


async def test_says_it_all_again_to_a_new_engine(socket: Path) -> None:
    """After a lost connection the client connects again and repeats what holds."""
    async with serving(FakeEngine(), socket) as engine, talking(socket) as (client, _heard):
        client.say(DESIRED)
        await until(lambda: engine.of_type(Desired) == [DESIRED])
        engine.hang_up()
        await until(lambda: engine.connections == 2)
        await until(lambda: engine.of_type(Desired) == [DESIRED, DESIRED])


async def test_no_verdicts_before_there_are_any(socket: Path) -> None:
    """A client that was told nothing says nothing but that it listens."""
    async with serving(FakeEngine(), socket) as engine, talking(socket) as (client, _heard):
        await until(lambda: client.connected)
        assert await client.status() is not None

        assert engine.of_type(Verdicts) == []
        assert engine.of_type(Desired) == []


async def test_a_newer_message_replaces_an_unsent_one(socket: Path) -> None:
    """What was said while no engine was there is not repeated version by version."""
    async with talking(socket) as (client, _heard):
        for revision in range(1, 50):
            client.say(Desired(node="n1", revision=revision))
        async with serving(FakeEngine(), socket) as engine:
            await until(lambda: bool(engine.of_type(Desired)))

            assert [message.revision for message in engine.of_type(Desired)] == [49]


async def test_repeats_verdicts_before_they_go_stale(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verdicts that do not change are said again after a while."""
    monkeypatch.setattr(client_module, "VERDICTS_EVERY_SECONDS", 0.02)
    async with serving(FakeEngine(), socket) as engine, talking(socket) as (client, _heard):
        client.say(VERDICTS)
        await until(lambda: len(engine.of_type(Verdicts)) >= 4)

    assert set(map(repr, engine.of_type(Verdicts))) == {repr(VERDICTS)}


async def test_repeats_verdicts_however_much_else_is_said(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for the status again and again, as in a cluster, does not keep verdicts back."""
    monkeypatch.setattr(client_module, "VERDICTS_EVERY_SECONDS", 0.05)
    async with serving(FakeEngine(), socket) as engine, talking(socket) as (client, _heard):
        await until(lambda: client.connected)
        client.say(VERDICTS)
        async with asyncio.timeout(10):
            while len(engine.of_type(Verdicts)) < 4:
                assert await client.status() is not None


def test_repeats_verdicts_in_time() -> None:
    """The engine wants verdicts every 10 s; the client leaves it a margin."""
    assert client_module.VERDICTS_EVERY_SECONDS < 10


async def test_hands_on_what_the_engine_says(socket: Path) -> None:
    """Greeting and transitions reach the agent."""
    async with serving(FakeEngine(), socket) as engine, talking(socket) as (client, heard):
        await until(lambda: client.connected)
        engine.send(TRANSITION)
        await until(lambda: len(heard) == 2)

    assert isinstance(heard[0], Hello)
    assert heard[1] == TRANSITION


async def test_ignores_what_it_does_not_understand(
    socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A message of a newer engine is logged and skipped; the connection stays."""
    async with serving(FakeEngine(), socket) as engine, talking(socket) as (client, heard):
        await until(lambda: client.connected)
        engine.send(b'{"type": "weather", "version": 9}\n\xff\xfe\nnonsense\n')
        engine.send(TRANSITION)
        await until(lambda: TRANSITION in heard)

        assert engine.connections == 1
    assert caplog.text.count("Ignored a message of the engine") == 3


async def test_survives_a_line_beyond_the_limit(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endless line ends the connection, not the agent."""
    monkeypatch.setattr(client_module, "_LINE_LIMIT_BYTES", 1024)
    async with serving(FakeEngine(), socket) as engine, talking(socket) as (client, _heard):
        await until(lambda: client.connected)
        engine.send(b"x" * 10_000)
        await until(lambda: engine.connections == 2)
        await until(lambda: client.connected)


async def test_status_answers_for_what_was_said_before(socket: Path) -> None:
    """A status that is asked for after a desired state is the answer of an engine that has it."""
    async with serving(FakeEngine(), socket), talking(socket) as (client, _heard):
        await until(lambda: client.connected)
        client.say(DESIRED)
        status = await client.status()

    assert isinstance(status, Status)
    assert status.revision == DESIRED.revision


async def test_many_may_ask_for_the_status_at_once(socket: Path) -> None:
    """Callers at the same time share one question."""
    async with serving(FakeEngine(), socket), talking(socket) as (client, _heard):
        await until(lambda: client.connected)
        answers = await asyncio.gather(*(client.status() for _ in range(5)))

    assert all(isinstance(answer, Status) for answer in answers)


async def test_no_status_without_an_engine(socket: Path) -> None:
    """Without a connection the answer is None at once."""
    async with talking(socket) as (client, _heard):
        assert await client.status() is None


async def test_no_status_from_a_silent_engine(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that does not answer costs a bounded wait, then None."""
    monkeypatch.setattr(client_module, "_STATUS_TIMEOUT_SECONDS", 0.05)
    async with serving(FakeEngine(), socket) as engine, talking(socket) as (client, _heard):
        await until(lambda: client.connected)
        engine.silent = True

        assert await client.status() is None


async def test_no_status_when_the_engine_goes_meanwhile(socket: Path) -> None:
    """A question that the engine took with it is answered with None, and the next one works."""
    async with serving(FakeEngine(), socket) as engine, talking(socket) as (client, _heard):
        await until(lambda: client.connected)
        engine.silent = True
        asking = asyncio.create_task(client.status())
        await until(lambda: len(engine.heard) == 2)
        engine.hang_up()
        engine.silent = False

        assert await asking is None
        await until(lambda: client.connected)
        assert await client.status() is not None


async def test_tells_when_the_engine_is_gone(socket: Path) -> None:
    """`gone` returns while there is no engine and waits while there is one."""
    async with talking(socket) as (client, _heard):
        async with asyncio.timeout(1):
            await client.gone()
        async with serving(FakeEngine(), socket):
            await until(lambda: client.connected)
            waiting = asyncio.create_task(client.gone())
            await asyncio.sleep(0)
            assert not waiting.done()
        async with asyncio.timeout(5):
            await waiting
