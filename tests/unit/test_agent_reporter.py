"""How often a Speaker is written: state at once, mere prose in its own time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from support.fake_engine import until
from support.speaker_api import NODE, SpeakerApi, node
from support.statuses import router_status, status
from vip_kube.client import Client
from vip_model.resources.speaker import SpeakerStatus
from vip_model.vocabulary import GateState, Reason
from vip_speaker.agent.kubernetes import reporter as module
from vip_speaker.agent.kubernetes import speaker_status
from vip_speaker.agent.kubernetes.reporter import Reporter
from vip_speaker.agent.kubernetes.start_gate import NodeWatch
from vip_speaker.messages import GateStatus, Status

LONG = 3600.0


def engine(reason: str, *, gate: GateState = GateState.FAILING, state: str = "Backup") -> Status:
    """Return a status with one gate."""
    gates = [GateStatus(name="web", state=gate, reason=reason)]
    return status(router_status(state=state, gates=gates))


class Scene:
    """A reporter at work."""

    def __init__(self) -> None:
        self.api = SpeakerApi()
        self.node = NodeWatch(NODE, "boot")
        self.node.upsert(node())
        self.node.synced()
        self.reporter = Reporter(cast("Client", self.api), self.node)

    def report(self, found: Status) -> SpeakerStatus:
        """Report what an engine says."""
        report = speaker_status.with_engine(found, (), {})
        essence = speaker_status.with_engine(speaker_status.without_prose(found), (), {})
        self.reporter.report(report, essence)
        return report

    async def written(self, times: int) -> list[dict[str, Any]]:
        """Wait until it was written so often; return what."""
        await until(lambda: len(self.api.written) >= times)
        return self.api.written


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A reporter that has written that gate web fails with HTTP 502."""
    scene = Scene()
    task = asyncio.create_task(scene.reporter.run())
    scene.report(engine("HTTP 502"))
    await scene.written(1)
    yield scene
    task.cancel()
    await asyncio.wait({task})


def pace(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Change how often prose is written."""
    monkeypatch.setattr(module, "PROSE_EVERY_SECONDS", seconds)


async def test_reasons_that_alternate_are_not_written_each_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web server that answers 502 and 503 in turn costs no write while its gate fails."""
    pace(monkeypatch, LONG)
    for number in range(100):
        scene.report(engine(f"HTTP {502 + number % 2}"))
        await asyncio.sleep(0.002)

    assert len(scene.api.written) == 1


async def test_the_newest_reason_is_written_in_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes on and on is written once per pace, and in the end it is the truth."""
    pace(monkeypatch, 0.3)
    began = asyncio.get_running_loop().time()
    for number in range(200):
        scene.report(engine(f"attempt {number}"))
        await asyncio.sleep(0.005)
    took = asyncio.get_running_loop().time() - began
    await until(lambda: "attempt 199" in scene.api.written[-1]["abnormal"][0]["message"])

    assert 3 <= len(scene.api.written) <= took / 0.3 + 2


@pytest.mark.parametrize(
    "other",
    [
        engine("HTTP 200", gate=GateState.PASSING),
        engine("HTTP 503", gate=GateState.UNKNOWN),
        engine("HTTP 503", state="Active"),
        engine("HTTP 503", state="Initialize"),
        status(),
    ],
    ids=["passing", "unknown", "Active", "Initialize", "gone"],
)
async def test_a_change_of_state_goes_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, other: Status
) -> None:
    """It takes along what waits."""
    pace(monkeypatch, LONG)
    scene.report(engine("HTTP 503"))
    await asyncio.sleep(0.02)
    report = scene.report(other)
    written = await scene.written(2)

    assert written[1:] == [speaker_status.to_document(report)]


async def test_every_change_of_state_goes_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no pace for those."""
    pace(monkeypatch, LONG)
    for times in range(2, 22):
        scene.report(engine(f"HTTP {times}", state="Active" if times % 2 else "Initialize"))
        await scene.written(times)


async def test_a_farewell_goes_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait behind prose."""
    pace(monkeypatch, LONG)
    scene.report(engine("HTTP 503"))
    farewell = speaker_status.without_engine(None, ["vip.shop.web"], (), Reason.STOPPED)

    assert await scene.reporter.deliver(farewell, 5)
    assert scene.api.written[1:] == [speaker_status.to_document(farewell)]


async def test_a_reason_that_comes_back_needs_no_write(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the API has already is delivered, however much prose came between."""
    pace(monkeypatch, LONG)
    scene.report(engine("HTTP 503"))
    await asyncio.sleep(0.02)
    report = scene.report(engine("HTTP 502"))

    assert await scene.reporter.deliver(report, 5)
    assert len(scene.api.written) == 1


async def test_a_foreign_edit_is_undone_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever waits, what somebody else wrote is written over."""
    pace(monkeypatch, LONG)
    scene.report(engine("HTTP 503"))
    await asyncio.sleep(0.02)
    scene.reporter.upsert({"metadata": {"name": NODE}, "status": {"active": [{"router": "x"}]}})
    written = await scene.written(2)

    assert "HTTP 503" in written[1]["abnormal"][0]["message"]


def test_prose_is_about_gates() -> None:
    """What gates saw is prose; names, states and transitions are not."""
    found = engine("HTTP 502", state="Active")
    (router,) = speaker_status.without_prose(found).virtual_routers
    (gate,) = router.gates

    assert (gate.name, gate.state, gate.reason) == ("web", GateState.FAILING, "")
    assert (router.state, router.reason) == ("Active", found.virtual_routers[0].reason)
