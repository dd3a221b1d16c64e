"""Kinds of gates are found by their modules, and run as the manifest says."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from vip_model.resources.gate import (
    BUILT_GATE_KINDS,
    CLUSTER_GATE_KINDS,
    ENGINE_GATE_KINDS,
    GATE_KINDS,
    Gate,
)
from vip_model.vocabulary import GateState
from vip_speaker.gates import registry
from vip_speaker.gates.periodic import Schedule, schedule_of
from vip_speaker.messages import Verdict


def gate(**fields: object) -> Gate:
    """Return a gate as the manifest spells it."""
    return msgspec.convert({"name": "g", **fields}, Gate)


def test_kinds_are_those_of_the_model() -> None:
    """Each kind is one that a manifest can ask for, and nobody else judges it."""
    assert registry.kinds() < set(GATE_KINDS)
    assert registry.kinds().isdisjoint(ENGINE_GATE_KINDS)
    assert registry.kinds() >= CLUSTER_GATE_KINDS
    assert registry.kinds() | ENGINE_GATE_KINDS == BUILT_GATE_KINDS


def test_schedule_is_taken_from_the_gate() -> None:
    """Milliseconds and thresholds of the manifest are what the gate runs by."""
    wanted = gate(
        tcpSocket={"port": 1},
        periodMilliseconds=200,
        timeoutMilliseconds=150,
        failureThreshold=2,
        successThreshold=4,
    )

    assert schedule_of(wanted) == Schedule(
        period_seconds=0.2, timeout_seconds=0.15, success_threshold=4, failure_threshold=2
    )


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("httpGet", "HTTP 200 from http://127.0.0.1:{port}/"),
        ("tcpSocket", "connected to 127.0.0.1:{port}"),
    ],
)
async def test_each_kind_runs(kind: str, reason: str) -> None:
    """A gate of each kind asks the target of its manifest and reports the change."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline():
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    changed = asyncio.Event()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        running = registry.create(gate(**{kind: {"port": port}}), changed.set)
        running.start()
        async with asyncio.timeout(5):
            await changed.wait()
        await running.stop()

    expected = Verdict(state=GateState.PASSING, reason=reason.format(port=port))
    assert running.verdict == expected


@pytest.mark.parametrize(
    "condition", [{"pods": {"selector": {}}}, {"endpoints": {"serviceRef": {"name": "web"}}}]
)
async def test_a_gate_that_needs_a_cluster_does_not_count(condition: dict[str, object]) -> None:
    """Without Kubernetes `pods` and `endpoints` are NotApplicable, and say so."""
    running = registry.create(gate(**condition), lambda: None)
    running.start()
    await running.stop()

    (kind,) = condition
    assert running.verdict == Verdict(
        state=GateState.NOT_APPLICABLE,
        reason=f"{kind} needs Kubernetes and does not count without",
    )
