"""The gate `pods` with a probe: real servers on loopback stand for the pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import groupby
from typing import Any

import msgspec
import pytest

from support.fake_surroundings import FakeSurroundings, pod
from support.http_program import Program
from vip_model.resources.gate import Gate
from vip_model.vocabulary import GateState
from vip_speaker.gates import registry
from vip_speaker.gates.registry import RunningGate
from vip_speaker.gates.surroundings import Site
from vip_speaker.messages import Verdict

PASSING, FAILING, UNKNOWN = GateState.PASSING, GateState.FAILING, GateState.UNKNOWN
A, B = "127.0.0.2", "127.0.0.3"


class Stage:
    """Programs at the addresses of two pods, and a gate that is stopped at the end.

    Attributes:
        verdicts: what the gate reported.
        answers: what the first program had answered by each report.
    """

    def __init__(self, port: int, programs: dict[str, Program]) -> None:
        self.port = port
        self.programs = programs
        self.surroundings = FakeSurroundings()
        self.verdicts: list[Verdict] = []
        self.answers: list[list[int]] = []
        self.gate: RunningGate | None = None

    def start(self, kind: str = "httpGet", *, host: str | None = None, **probe: int) -> RunningGate:
        """Start a gate whose probe is fast unless told otherwise; no pod is known yet."""
        target: dict[str, Any] = {"port": self.port} | ({"host": host} if host else {})
        fields = {"periodMilliseconds": 10, "failureThreshold": 2} | probe
        condition = {"selector": {"matchLabels": {"app": "web"}}, "probe": {kind: target} | fields}
        spec = msgspec.convert({"name": "g", "pods": condition}, Gate)
        gate = registry.create(spec, self._note, Site("shop", self.surroundings))
        self.gate = gate
        gate.start()
        return gate

    @property
    def states(self) -> list[GateState]:
        """The states that were reported, each once however often its reason changed."""
        return [state for state, _again in groupby(verdict.state for verdict in self.verdicts)]

    def _note(self) -> None:
        assert self.gate is not None
        self.verdicts.append(self.gate.verdict)
        self.answers.append(list(self.programs[A].answers))


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Serve two programs on one port of two addresses; end everything with the block."""
    programs = {A: Program(), B: Program()}
    async with AsyncExitStack() as stack:
        first = await asyncio.start_server(programs[A].handle, A, 0)
        await stack.enter_async_context(first)
        port = first.sockets[0].getsockname()[1]
        second = await asyncio.start_server(programs[B].handle, B, port)
        await stack.enter_async_context(second)
        stage = Stage(port, programs)
        try:
            yield stage
        finally:
            if stage.gate is not None:
                await stage.gate.stop()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Two programs that answer 200."""
    async with staged() as found:
        yield found


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail after 5 s."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


async def test_a_probe_that_cannot_be_made_fails_the_gate_alone(stage: Stage) -> None:
    """Who tells of a pod hears nothing of it, and a pod that goes is judged as ever."""
    gate = stage.start(host="[::1]")
    stage.surroundings.set_pods(pod())
    assert gate.verdict.state is FAILING
    assert gate.verdict.reason.startswith("the gate broke: ")

    stage.surroundings.remove_pod("web-a")
    assert gate.verdict.reason == "no pod matches app=web on this node"


# --- one pod -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("httpGet", "HTTP 200 from http://{host}:{port}/"),
        ("tcpSocket", "connected to {host}:{port}"),
    ],
)
async def test_a_ready_pod_is_asked_at_its_own_address(stage: Stage, kind: str, found: str) -> None:
    """The default host is the pod, and the reason tells what its probe found."""
    gate = stage.start(kind)
    stage.surroundings.set_pods(pod(address=B))
    await until(lambda: gate.verdict.state is PASSING)

    seen = found.format(host=B, port=stage.port)
    assert gate.verdict.reason == f"pod web-a is ready, {seen}"
    assert stage.programs[A].asked == 0
    assert gate.tally is None


async def test_nothing_is_decided_before_the_probe_is(stage: Stage) -> None:
    """A gate that has just begun stays Unknown while the probe of a ready pod is under way."""
    stage.programs[A].status = None
    gate = stage.start()
    stage.surroundings.set_pods(pod())
    await until(lambda: stage.programs[A].waiting == 1)

    assert gate.verdict == Verdict(
        state=UNKNOWN, reason="pod web-a is ready, but its probe has no verdict yet"
    )


async def test_thresholds_of_the_probe_decide(stage: Stage) -> None:
    """A ready pod fails after failureThreshold answers and passes after successThreshold."""
    stage.programs[A].status = 503
    gate = stage.start(failureThreshold=4, successThreshold=3)
    stage.surroundings.set_pods(pod())
    await until(lambda: gate.verdict.state is FAILING)
    assert gate.verdict.reason == f"pod web-a is ready, but HTTP 503 from http://{A}:{stage.port}/"

    stage.programs[A].status = 204
    await until(lambda: gate.verdict.state is PASSING)

    assert stage.states == [UNKNOWN, FAILING, PASSING]
    _begun, failed, passed = stage.answers
    assert failed == 4 * [503]
    assert passed[-4:] == [503, 204, 204, 204]


async def test_a_probe_beyond_its_timeout_has_failed(stage: Stage) -> None:
    """A pod that does not answer in time fails, with the bound named."""
    stage.programs[A].status = None
    gate = stage.start(timeoutMilliseconds=20)
    stage.surroundings.set_pods(pod())
    await until(lambda: gate.verdict.state is FAILING)

    assert gate.verdict.reason == (
        f"pod web-a is ready, but no answer within 20 ms from http://{A}:{stage.port}/"
    )


async def test_a_pod_that_refuses_connections(stage: Stage) -> None:
    """A ready pod in which nobody listens fails with that reason."""
    gate = stage.start("tcpSocket")
    stage.surroundings.set_pods(pod(address="127.0.0.4"))
    await until(lambda: gate.verdict.state is FAILING)

    assert gate.verdict.reason == (
        f"pod web-a is ready, but connection refused: 127.0.0.4:{stage.port}"
    )


async def test_readiness_counts_at_once_whatever_the_probe_says(stage: Stage) -> None:
    """A pod that is not ready fails within the change, and is asked again once it is ready."""
    gate = stage.start(periodMilliseconds=60_000)
    stage.surroundings.set_pods(pod())
    await until(lambda: gate.verdict.state is PASSING)

    stage.surroundings.put_pod(pod(ready=False))
    assert gate.verdict == Verdict(state=FAILING, reason="pod web-a is not ready")
    stage.surroundings.put_pod(pod())
    assert gate.verdict == Verdict(
        state=FAILING, reason="pod web-a is ready, but its probe has no verdict yet"
    )
    await until(lambda: gate.verdict.state is PASSING)

    assert stage.programs[A].asked == 2


async def test_only_pods_that_count_are_asked(stage: Stage) -> None:
    """Pods that are not ready, are going, or are not chosen are left alone."""
    stage.start()
    stage.surroundings.set_pods(
        pod("web-a", address=A),
        pod("web-b", address=B, ready=False),
        pod("web-c", address=B, terminating=True),
        pod("db-a", address=B, labels={"app": "db"}),
        pod("web-d", address=B, namespace="bank"),
    )
    await until(lambda: stage.programs[A].asked >= 5)

    assert stage.programs[B].asked == 0


async def test_a_verdict_that_stays_is_reported_once(stage: Stage) -> None:
    """Many answers of the same kind are one report."""
    stage.start()
    stage.surroundings.set_pods(pod())
    await until(lambda: stage.programs[A].asked >= 5)

    assert [verdict.state for verdict in stage.verdicts] == [UNKNOWN, PASSING]


# --- whom to ask ---------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.9", ""])
async def test_another_host_is_asked_as_written(stage: Stage, address: str) -> None:
    """A host that is not the default is asked for every pod, wherever the pod is."""
    gate = stage.start(host=B)
    stage.surroundings.set_pods(pod(address=address))
    await until(lambda: gate.verdict.state is PASSING)

    assert gate.verdict.reason == (f"pod web-a is ready, HTTP 200 from http://{B}:{stage.port}/")


async def test_a_pod_without_an_address_is_asked_when_it_has_one(stage: Stage) -> None:
    """A ready pod that cannot be asked yet decides nothing."""
    gate = stage.start()
    stage.surroundings.set_pods(pod(address=""))
    assert gate.verdict == Verdict(
        state=UNKNOWN, reason="pod web-a is ready, but it has no address yet"
    )

    stage.surroundings.put_pod(pod(address=A))

    await until(lambda: gate.verdict.state is PASSING)


async def test_a_pod_with_another_address_is_asked_anew(stage: Stage) -> None:
    """A pod of the same name that was made anew is asked where it is now, and only there."""
    gate = stage.start()
    stage.programs[B].status = 503
    stage.surroundings.set_pods(pod(address=A))
    await until(lambda: gate.verdict.state is PASSING)

    stage.surroundings.put_pod(pod(address=B))
    await until(lambda: gate.verdict.state is FAILING)
    before = stage.programs[A].asked
    await until(lambda: stage.programs[B].asked >= 5)

    assert stage.programs[A].asked == before
    assert gate.verdict.reason.endswith(f"HTTP 503 from http://{B}:{stage.port}/")


# --- several pods --------------------------------------------------------------------------------


async def test_one_pod_that_passes_is_enough(stage: Stage) -> None:
    """The gate passes as long as any ready pod does, and fails with the last."""
    stage.programs[A].status = 503
    gate = stage.start()
    stage.surroundings.set_pods(pod("web-a", address=A), pod("web-b", address=B))
    await until(lambda: gate.verdict.state is PASSING)
    assert gate.verdict.reason.startswith("pod web-b is ready, HTTP 200 from ")

    stage.programs[B].status = 500
    await until(lambda: gate.verdict.state is FAILING)

    assert gate.verdict.reason.startswith("pod web-a is ready, but HTTP 503 from ")


async def test_a_rollout_does_not_make_the_gate_fail(stage: Stage) -> None:
    """When the pod that passed goes, a ready one without a verdict keeps the gate as it is."""
    gate = stage.start(failureThreshold=1000)
    stage.surroundings.set_pods(pod("web-a", address=A))
    await until(lambda: gate.verdict.state is PASSING)
    stage.programs[B].status = 503  # it starts up, for less than its threshold
    stage.surroundings.put_pod(pod("web-b", address=B))
    stage.surroundings.put_pod(pod("web-a", address=A, terminating=True))
    stage.surroundings.remove_pod("web-a")
    await until(lambda: stage.programs[B].asked >= 3)
    assert gate.verdict == Verdict(
        state=PASSING, reason="pod web-b is ready, but its probe has no verdict yet"
    )

    stage.programs[B].status = 200
    await until(lambda: gate.verdict.reason.startswith("pod web-b is ready, HTTP 200"))

    assert stage.states == [UNKNOWN, PASSING]


async def test_a_fresh_pod_that_never_answers_fails_in_the_end(stage: Stage) -> None:
    """What is kept for a fresh pod is kept until its failureThreshold and no longer."""
    gate = stage.start(timeoutMilliseconds=20)
    stage.surroundings.set_pods(pod("web-a", address=A))
    await until(lambda: gate.verdict.state is PASSING)
    stage.programs[B].status = None
    stage.surroundings.set_pods(pod("web-b", address=B))
    assert gate.verdict.state is PASSING

    await until(lambda: gate.verdict.state is FAILING)

    assert gate.verdict.reason.startswith("pod web-b is ready, but no answer within 20 ms")


# --- the end of a probe --------------------------------------------------------------------------


async def test_a_pod_that_vanishes_during_its_probe(stage: Stage) -> None:
    """The gate fails within the change, and the probe under way is ended."""
    stage.programs[A].status = None
    gate = stage.start(timeoutMilliseconds=60_000)
    stage.surroundings.set_pods(pod())
    await until(lambda: stage.programs[A].waiting == 1)

    stage.surroundings.remove_pod("web-a")
    assert gate.verdict == Verdict(state=FAILING, reason="no pod matches app=web on this node")
    await until(lambda: stage.programs[A].waiting == 0)

    assert stage.programs[A].asked == 1


@pytest.mark.parametrize("gone_before", [False, True])
async def test_stop_ends_every_probe(gone_before: bool) -> None:
    """Nothing of a stopped gate goes on, whether or not a pod went a moment before."""
    async with staged() as stage:
        for program in stage.programs.values():
            program.status = None
        before = asyncio.all_tasks()
        gate = stage.start(timeoutMilliseconds=60_000)
        stage.surroundings.set_pods(pod("web-a", address=A), pod("web-b", address=B))
        await until(lambda: all(program.waiting for program in stage.programs.values()))
        if gone_before:
            stage.surroundings.remove_pod("web-a")
        reported = len(stage.verdicts)

        await gate.stop()

        left = [task for task in asyncio.all_tasks() - before if "handle" not in repr(task)]
        assert left == []
        assert not stage.surroundings.is_watched()
        await until(lambda: not any(program.waiting for program in stage.programs.values()))
        assert len(stage.verdicts) == reported


async def test_a_gate_without_pods_can_be_stopped() -> None:
    """Stopping is safe before any pod was asked, and twice."""
    async with staged() as stage:
        gate = stage.start()
        await gate.stop()
        await gate.stop()

        assert not stage.surroundings.is_watched()
