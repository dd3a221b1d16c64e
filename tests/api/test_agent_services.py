"""An agent with gates on many Services: it stays heard, is quick, and asks for little."""

from __future__ import annotations

import asyncio
import functools
import time

from support.cluster_agent import NODE, until
from support.cluster_scene import a_scene
from support.figures import Figure
from support.service_crowd import (
    ServiceCrowd,
    connections,
    longest_pause_seconds,
    peak_memory_mebibytes,
)
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.objects import make_node
from vip_model.vocabulary import GateState

PASSING, FAILING = GateState.PASSING, GateState.FAILING


async def test_sixty_services_silence_no_agent(
    api: ControlPlane, namespace: str, figure: Figure
) -> None:
    """Its Lease is renewed, verdicts follow at once, and there are few connections."""
    crowd = ServiceCrowd(api, namespace, services=60, endpoints=2, gates=60)
    make_node(api.api, NODE, "192.0.2.1")
    await crowd.create()
    async with a_scene(api, namespace) as scene:
        began = time.monotonic()
        await until("all verdicts", lambda: crowd.all_judged(scene, PASSING))
        figure("start to all verdicts", time.monotonic() - began)
        pauses = asyncio.create_task(longest_pause_seconds(api, namespace, renewals=2))
        longest = 0.0
        for number in (0, 31, 59):
            began = time.monotonic()
            await crowd.set_ready(number, ready=False)
            await until("the verdict", functools.partial(crowd.is_failing, scene, number))
            longest = max(longest, time.monotonic() - began)
        pause = await pauses
        count = connections(scene.agent.process.pid, api.server)
        peak = peak_memory_mebibytes(scene.agent.process.pid)
    figure("endpoint unready to verdict, the longest of three", longest)
    figure("renewals apart", pause)
    figure("connections, peak memory", f"{count}, {peak:.0f} MiB")
    assert longest <= 5.0
    assert pause <= 12.0
    assert count <= 10


async def test_a_gate_that_is_added_finds_its_service(api: ControlPlane, namespace: str) -> None:
    """Its Service was nobody's business until then, and was dropped."""
    crowd = ServiceCrowd(api, namespace, services=3, endpoints=1, gates=1)
    make_node(api.api, NODE, "192.0.2.1")
    await crowd.create()
    async with a_scene(api, namespace) as scene:
        await until("the first verdict", lambda: crowd.all_judged(scene, PASSING))
        gate = {"name": "other", "endpoints": {"serviceRef": {"name": "web-2"}}}
        await scene.create_router(NODE, gates=[gate])
        await scene.judged("other", PASSING, 5.0)
        await crowd.set_ready(2, ready=False)
        await scene.judged("other", FAILING, 5.0)
