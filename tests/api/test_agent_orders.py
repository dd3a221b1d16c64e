"""What an agent in cluster mode tells its engine, which the test plays, of a real API server."""

from __future__ import annotations

import asyncio
import functools
import statistics
import time

import pytest

from support.cluster_agent import NODE, until
from support.cluster_scene import Scene, a_scene, pods_gate, router
from support.figures import Figure
from vip_common.kinds import VIRTUAL_ROUTERS
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.objects import (
    delete_pod,
    make_node,
    make_pod,
    set_node_ready,
    set_pod_ready,
    terminate_pod,
)
from vip_model.vocabulary import GateState
from vip_speaker.agent.kubernetes.routers import NODE_GATE, PLACE_GATE
from vip_speaker.messages import Desired, Verdicts

# --- orders --------------------------------------------------------------------------------------


async def test_a_router_reaches_the_engine(
    api: ControlPlane, namespace: str, figure: Figure
) -> None:
    """A VirtualRouter that changes is desired of the engine, as a rule within 0.1 s."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await until("the first orders", lambda: scene.engine.desired)
        await scene.create_router("n2", NODE, revision=1)
        await scene.runs()
        took = []
        for revision in range(2, 7):
            began = time.monotonic()
            await scene.edit_router(revision=revision)
            await until("the new revision", functools.partial(_has, scene, revision))
            took.append(scene.engine.time_of(lambda message: isinstance(message, Desired)) - began)
        # Right after the CRDs were made the API server ends every watch of them once more.
        figure("VirtualRouter to engine, median of 5", statistics.median(took))
        desired = scene.engine.desired
        code, _text = await asyncio.to_thread(scene.agent.page, "/readyz")
        configuration = (await asyncio.to_thread(scene.agent.status))["configuration"]

    assert statistics.median(took) < 0.5
    assert desired is not None
    assert (desired.revision, desired.complete, desired.retired) == (6, False, [])
    assert (desired.routers[0].slot, desired.routers[0].priority) == (1, 251)
    assert code == 200
    assert configuration["source"] == f"Kubernetes {api.server}"
    assert (configuration["revision"], configuration["valid"]) == (6, True)


def _has(scene: Scene, revision: int) -> bool:
    """Return whether the engine was told of that revision."""
    desired = scene.engine.desired
    return desired is not None and desired.revision == revision


async def test_only_an_explicit_word_ends_a_router(api: ControlPlane, namespace: str) -> None:
    """A VirtualRouter that vanishes is not mentioned any more; one marked retired is ended."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await scene.create_router(NODE)
        await scene.runs()
        api.api.delete(VIRTUAL_ROUTERS, scene.router)
        await until("it to be left out", lambda: not scene.engine.runs(scene.router))
        assert all(each.retired == [] for each in scene.engine.of_type(Desired))

        await scene.create_router(NODE, revision=2)
        await scene.runs()
        await scene.edit_router(retired=True, revision=3)
        await until("the end", lambda: scene.engine.of_type(Desired)[-1].retired)
        desired = scene.engine.of_type(Desired)[-1]

    assert (desired.routers, desired.retired, desired.revision) == ([], [scene.router], 3)


async def test_a_node_taken_off_the_list_is_led_out(api: ControlPlane, namespace: str) -> None:
    """It is withdrawn, so that it hands over, and ended two seconds later."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await scene.create_router(NODE, "n2")
        await scene.runs()
        candidates = router(namespace, "n2")["spec"]["candidates"]
        await scene.edit_router(candidates=candidates, revision=2)
        await scene.judged(PLACE_GATE, GateState.FAILING)
        assert scene.engine.runs(scene.router)
        await until("the end", lambda: scene.engine.of_type(Desired)[-1].retired)


async def test_nothing_is_said_before_the_first_list(
    api: ControlPlane, namespace: str, proxy: FaultProxy
) -> None:
    """An agent that cannot list says neither orders nor verdicts, is not ready, and says why."""
    make_node(api.api, NODE, "192.0.2.1")
    api.api.create(VIRTUAL_ROUTERS, router(namespace, NODE))
    proxy.answer(403, path="/virtualrouters")
    async with a_scene(api, namespace, proxy) as scene:
        await until("a report", scene.speaker)
        code, text = await asyncio.to_thread(scene.agent.page, "/readyz")
        assert code == 503
        assert "403" in text
        assert scene.engine.of_type(Desired) + scene.engine.of_type(Verdicts) == []
        proxy.pass_through()
        await scene.runs()


async def test_the_node_gate_opens_once(api: ControlPlane, namespace: str) -> None:
    """A router gets no verdict of the node before that was Ready, and keeps it for ever after."""
    make_node(api.api, NODE, "192.0.2.1", ready=False)
    async with a_scene(api, namespace) as scene:
        await scene.create_router(NODE)
        await scene.runs()
        await until("a report", scene.speaker)
        assert scene.engine.verdict(scene.router, NODE_GATE) is None
        set_node_ready(api.api, NODE, ready=True)
        await scene.judged(NODE_GATE, GateState.PASSING)
        set_node_ready(api.api, NODE, ready=False)
        await scene.edit_router(revision=2)
        await until("the edit", lambda: scene.engine.of_type(Desired)[-1].revision == 2)
        assert scene.engine.verdict(scene.router, NODE_GATE) is GateState.PASSING


async def test_a_gate_of_an_unknown_kind_does_not_count(api: ControlPlane, namespace: str) -> None:
    """A newer operator's gate is NotApplicable here, and /status asks for an upgrade."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await scene.create_router(
            NODE, gates=[{"name": "gateway", "ping": {"host": "192.0.2.254"}}]
        )
        await scene.judged("gateway", GateState.NOT_APPLICABLE)
        configuration = (await asyncio.to_thread(scene.agent.status))["configuration"]

    assert "upgrade the speaker" in configuration["problems"][0]


async def test_a_new_agent_says_nothing_while_the_api_is_away(
    api: ControlPlane, namespace: str, proxy: FaultProxy
) -> None:
    """Killed and started without an API it leaves engine and Lease alone until it has listed."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace, proxy) as scene:
        await scene.create_router(NODE, revision=6)
        await scene.judged(NODE_GATE, GateState.PASSING)
        await until("the acknowledgement", lambda: scene.applied() == 6)
        proxy.refuse()
        await asyncio.to_thread(scene.agent.process.kill)
        told, connections = len(scene.engine.of_type(Desired)), scene.engine.connections
        verdicts = len(scene.engine.of_type(Verdicts))
        scene.agent.start()
        await until("the new agent", lambda: scene.engine.connections > connections)
        await until("its trouble", lambda: scene.agent.status()["configuration"]["trouble"])
        assert len(scene.engine.of_type(Desired)) == told
        assert len(scene.engine.of_type(Verdicts)) == verdicts
        assert scene.applied() == 6

        proxy.pass_through()
        await until("orders", lambda: len(scene.engine.of_type(Desired)) > told)
        assert scene.engine.runs(scene.router)
        assert scene.engine.of_type(Desired)[-1].retired == []


# --- pods ----------------------------------------------------------------------------------------


async def test_an_unready_pod_is_a_verdict_at_once(
    api: ControlPlane, namespace: str, figure: Figure
) -> None:
    """From the patch of the pod's status to the engine it takes less than 100 ms."""
    make_node(api.api, NODE, "192.0.2.1")
    labels = {"app": "web"}
    make_pod(api.api, namespace, "web", node=NODE, address="10.0.0.7", labels=labels)
    async with a_scene(api, namespace) as scene:
        await scene.create_router(NODE, gates=[pods_gate()])
        await scene.judged("web", GateState.PASSING)
        took = []
        for ready in (False, True) * 5:
            state = GateState.PASSING if ready else GateState.FAILING
            began = time.monotonic()
            await asyncio.to_thread(set_pod_ready, api.api, namespace, "web", ready=ready)
            await scene.judged("web", state)
            took.append(scene.engine.time_of(lambda each: isinstance(each, Verdicts)) - began)
        took.sort()
        figure("pod patched to verdict, median of 10", took[5])
        figure("pod patched to verdict, slowest of 10", took[-1])
        terminate_pod(api.api, namespace, "web")
        await scene.judged("web", GateState.FAILING)

    assert took[5] < 0.1


# --- while the API is away -----------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["refuse", "hang", "403", "410", "503"])
async def test_trouble_with_the_api_changes_nothing(
    api: ControlPlane, namespace: str, proxy: FaultProxy, fault: str, figure: Figure
) -> None:
    """Whatever the API does, nothing is said that would end or move anything; then it catches up.

    Meanwhile a pod and a VirtualRouter vanish, and another router comes.
    """
    make_node(api.api, NODE, "192.0.2.1")
    labels = {"app": "web"}
    make_pod(api.api, namespace, "web", node=NODE, address="10.0.0.7", labels=labels)
    api.api.create(VIRTUAL_ROUTERS, router(namespace, NODE, name="other", revision=2))
    async with a_scene(api, namespace, proxy) as scene:
        await scene.create_router(NODE, gates=[pods_gate()])
        await scene.judged("web", GateState.PASSING)
        await until("the report", scene.speaker)
        before = scene.engine.desired
        break_api(proxy, fault)
        delete_pod(api.api, namespace, "web")
        api.api.delete(VIRTUAL_ROUTERS, f"vip.{namespace}.other")
        api.api.create(VIRTUAL_ROUTERS, router(namespace, NODE, name="more", revision=3))
        # Longer than a Lease takes to be missed here, and than any request is waited for.
        await asyncio.sleep(12)
        assert scene.engine.desired == before
        assert scene.engine.verdict(scene.router, "web") is GateState.PASSING
        assert (await asyncio.to_thread(scene.agent.page, "/readyz"))[0] == 200
        trouble = (await asyncio.to_thread(scene.agent.status))["configuration"]["trouble"]
        assert trouble
        assert "vip_speaker_api_connected 0.0" in scene.agent.page("/metrics")[1]

        proxy.pass_through()
        began = time.monotonic()
        await scene.judged("web", GateState.FAILING, 20)
        await until("the new router", lambda: scene.engine.runs(f"vip.{namespace}.more"), 20)
        await until("the acknowledgement", lambda: scene.applied() == 3, 20)
        figure(f"caught up after {fault}", time.monotonic() - began)
        await until(
            "the trouble to be over",
            lambda: scene.agent.status()["configuration"]["trouble"] == [],
            20,
        )

    assert all(each.retired == [] for each in scene.engine.of_type(Desired))
    assert not scene.engine.runs(f"vip.{namespace}.other")


def break_api(proxy: FaultProxy, fault: str) -> None:
    """Let the API fail in one of its ways, open watches included."""
    if fault == "refuse":
        proxy.refuse()
    elif fault == "hang":
        proxy.hang()
        proxy.cut_watches()
    else:
        proxy.answer(int(fault))
        proxy.cut_watches()
