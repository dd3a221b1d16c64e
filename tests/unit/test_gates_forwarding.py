"""The gate `endpoints` with policy Local waits for kube-proxy, whose part a real server plays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest

from support.cluster_agent import until
from support.fake_surroundings import FakeSurroundings
from support.http_program import Program
from vip_model.resources.gate import Gate
from vip_model.vocabulary import GateState
from vip_speaker.gates import forwarding, registry
from vip_speaker.gates.registry import RunningGate
from vip_speaker.gates.surroundings import ServiceView, Site

PASSING, FAILING, UNKNOWN = GateState.PASSING, GateState.FAILING, GateState.UNKNOWN
HOST = "127.0.0.1"
NOTHING_HERE = ServiceView(exists=True, local=True, ready_anywhere=2)


class Stage:
    """A gate of Service web, and the kube-proxy of its node.

    Attributes:
        states: of the gate, at each question to kube-proxy.
    """

    def __init__(self) -> None:
        self.proxy = Program()
        self.states: list[GateState] = []
        self.surroundings = FakeSurroundings()
        self.told = 0
        spec = msgspec.convert({"name": "g", "endpoints": {"serviceRef": {"name": "web"}}}, Gate)
        site = Site("shop", self.surroundings)
        self.gate: RunningGate = registry.create(spec, self._note, site)
        self.ready = NOTHING_HERE

    @property
    def state(self) -> GateState:
        """Of the gate, now."""
        return self.gate.verdict.state

    def set(self, view: ServiceView) -> None:
        """Change the Service."""
        self.surroundings.set_service(view)

    async def asked(self, times: int) -> None:
        """Wait until kube-proxy has been asked so often."""
        await until("the questions", lambda: self.proxy.asked >= times)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be kube-proxy for one connection."""
        self.states.append(self.state)
        await self.proxy.handle(reader, writer)

    def _note(self) -> None:
        self.told += 1


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """The gate has begun; `ready` is a Service with one endpoint here and a health check."""
    stage = Stage()
    async with await asyncio.start_server(stage.answer, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        stage.ready = replace(NOTHING_HERE, ready_here=1, health_check=(HOST, port))
        stage.gate.start()
        try:
            yield stage
        finally:
            await stage.gate.stop()


async def test_an_endpoint_counts_once_kube_proxy_forwards_to_it(stage: Stage) -> None:
    """Ready alone leaves the gate Failing and says why; it passes with the first answer of 200."""
    stage.proxy.status = 503
    stage.set(NOTHING_HERE)
    stage.set(stage.ready)
    await stage.asked(3)
    assert stage.state is FAILING
    assert "kube-proxy does not forward" in stage.gate.verdict.reason

    stage.proxy.status = 200
    await until("a pass", lambda: stage.state is PASSING)
    assert stage.gate.verdict.reason == "1 ready endpoint of Service web on this node"


async def test_a_gate_that_begins_is_unknown_until_kube_proxy_has_answered(stage: Stage) -> None:
    """An agent that starts anew says nothing before it knows, so that the old verdict stands."""
    stage.proxy.status = 503
    stage.set(stage.ready)
    await stage.asked(2)
    assert stage.state is UNKNOWN

    stage.proxy.status = 200
    await until("a pass", lambda: stage.state is PASSING)


async def test_the_last_endpoint_gone_fails_at_once_and_the_next_is_asked_for_again(
    stage: Stage,
) -> None:
    """What kube-proxy said of earlier endpoints does not count for later ones."""
    stage.set(stage.ready)
    await until("a pass", lambda: stage.state is PASSING)

    stage.set(NOTHING_HERE)
    assert stage.state is FAILING

    stage.proxy.status = 503
    stage.set(stage.ready)
    await stage.asked(3)
    assert stage.state is FAILING
    stage.proxy.status = 200
    await until("a pass", lambda: stage.state is PASSING)


async def test_kube_proxy_is_not_asked_for_endpoints_that_are_terminating(stage: Stage) -> None:
    """It says no to them, though it forwards to them; a ready one is asked for anew."""
    stage.set(stage.ready)
    await until("a pass", lambda: stage.state is PASSING)
    asked = stage.proxy.asked
    stage.proxy.status = 503

    stage.set(replace(stage.ready, ready_here=0, serving_here=1))
    going = stage.gate.verdict
    assert (going.state, going.partial) == (FAILING, True)
    await asyncio.sleep(5 * forwarding.PERIOD_SECONDS)  # that nothing happens
    assert stage.proxy.asked == asked
    assert stage.gate.verdict == going

    stage.set(replace(stage.ready, serving_here=1))
    await stage.asked(asked + 2)
    assert (stage.state, stage.gate.verdict.partial) == (FAILING, True)
    assert "kube-proxy does not forward" in stage.gate.verdict.reason
    stage.proxy.status = 200
    await until("a pass", lambda: stage.state is PASSING)
    assert not stage.gate.verdict.partial


async def test_more_endpoints_ask_nothing_more(stage: Stage) -> None:
    """Once it passes kube-proxy is left alone, whatever becomes ready besides."""
    stage.set(stage.ready)
    await until("a pass", lambda: stage.state is PASSING)
    asked = stage.proxy.asked

    stage.set(replace(stage.ready, ready_here=2))

    assert stage.gate.verdict.reason == "2 ready endpoints of Service web on this node"
    await asyncio.sleep(5 * forwarding.PERIOD_SECONDS)  # that nothing happens
    assert stage.proxy.asked == asked


async def test_where_nobody_answers_the_endpoints_have_to_do(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster whose proxy has no such port still gets its address, after the limit."""
    monkeypatch.setattr(forwarding, "LIMIT_SECONDS", 1.0)
    stage.proxy.status = 503
    stage.set(NOTHING_HERE)
    stage.set(stage.ready)
    began = time.monotonic()
    await until("a pass", lambda: stage.state is PASSING)
    assert time.monotonic() - began >= 1.0
    assert len(stage.states) >= 2
    # The last question may have been on its way when the time was up.
    assert set(stage.states[:-1]) == {FAILING}


async def test_a_kube_proxy_that_says_nothing_delays_no_longer_than_one_that_says_no(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is one of time: questions that nobody answers take much of it."""
    monkeypatch.setattr(forwarding, "LIMIT_SECONDS", 1.0)
    patient = replace(forwarding._SCHEDULE, timeout_seconds=60.0)
    monkeypatch.setattr(forwarding, "_SCHEDULE", patient)
    stage.proxy.status = None
    stage.set(NOTHING_HERE)
    stage.set(stage.ready)
    began = time.monotonic()
    await until("a pass", lambda: stage.state is PASSING)
    assert time.monotonic() - began >= 1.0
    assert stage.states == [FAILING]  # the first question was not even given up
    await until("no question", lambda: stage.proxy.waiting == 0)


async def test_the_limit_begins_anew_with_other_endpoints(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of it for endpoints that went is not used on the next ones."""
    stage.proxy.status = 503
    monkeypatch.setattr(forwarding, "LIMIT_SECONDS", 0.5)
    stage.set(stage.ready)
    monkeypatch.setattr(forwarding, "LIMIT_SECONDS", 1.0)
    stage.set(NOTHING_HERE)
    stage.set(stage.ready)
    began = time.monotonic()
    await until("a pass", lambda: stage.state is PASSING)
    assert time.monotonic() - began >= 1.0


async def test_a_gate_that_stops_leaves_no_question_behind(stage: Stage) -> None:
    """A kube-proxy that takes its time is not waited for, and nothing is told afterwards."""
    stage.proxy.status = None
    stage.set(stage.ready)
    await until("a question under way", lambda: stage.proxy.waiting == 1)
    told = stage.told

    await stage.gate.stop()

    await until("no connection", lambda: stage.proxy.waiting == 0)
    assert stage.told == told


def test_the_limit_outlasts_kube_proxy() -> None:
    """kube-proxy changes its rules once a second at most by default; the limit is well above."""
    assert 2.5 <= forwarding.LIMIT_SECONDS <= 4
