"""What many Services cost an agent: memory, connections, and how quickly it is heard and judges.

Two cases, each with a real API server and 500 gates on Services with policy Local: 500 Services,
and 5000 with 50,000 endpoints. The budgets: verdicts within 5 s, the Lease renewed every 12 s, at
most 10 connections, and at most 128 MiB.

Run it: `.venv/bin/python benchmarks/bench_agent.py`. Exit status 1 if a budget is broken.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from pathlib import Path

from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.objects import make_namespace, make_node
from vip_model.vocabulary import GateState

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.api_server import clean_up, control_plane
from support.cluster_agent import NODE, until
from support.cluster_scene import a_scene
from support.service_crowd import (
    ServiceCrowd,
    connections,
    longest_pause_seconds,
    peak_memory_mebibytes,
)

GATES = 500
CASES = ((500, 2), (5000, 10))  # Services, endpoints of each
JUDGED_SECONDS, RENEWED_SECONDS, CONNECTIONS, MEBIBYTES = 5.0, 12.0, 10, 128.0


def main() -> int:
    """Print one line per case; return 1 if a budget is broken."""
    broken = False
    with control_plane() as plane:
        for services, endpoints in CASES:
            broken = asyncio.run(_case(plane, services, endpoints)) or broken
            clean_up(plane.api)
    return 1 if broken else 0


async def _case(plane: ControlPlane, services: int, endpoints: int) -> bool:
    """Measure and print; return whether a budget is broken."""
    namespace = make_namespace(plane.api, f"bench-{services}")
    make_node(plane.api, NODE, "192.0.2.1")
    crowd = ServiceCrowd(plane, namespace, services, endpoints, GATES)
    await crowd.create()
    async with a_scene(plane, namespace) as scene:
        began = time.monotonic()
        await until("verdicts", lambda: crowd.all_judged(scene, GateState.PASSING), 120)
        started = time.monotonic() - began
        pid = scene.agent.process.pid
        pauses = asyncio.create_task(longest_pause_seconds(plane, namespace, renewals=3))
        judged = 0.0
        for number in range(0, GATES, GATES // 10):
            began = time.monotonic()
            await crowd.set_ready(number, ready=False)
            await until("it", functools.partial(crowd.is_failing, scene, number))
            judged = max(judged, time.monotonic() - began)
        renewed = await pauses
        count, peak = connections(pid, plane.server), peak_memory_mebibytes(pid)
    print(
        f"{services} Services, {services * endpoints} endpoints, {GATES} gates: "
        f"all verdicts {started:.1f} s after the start; endpoint to verdict {judged * 1000:.0f} ms "
        f"at most; renewals {renewed:.1f} s apart at most; {count} connections; "
        f"peak {peak:.0f} MiB"
    )
    return (
        judged > JUDGED_SECONDS
        or renewed > RENEWED_SECONDS
        or count > CONNECTIONS
        or peak > MEBIBYTES
    )


if __name__ == "__main__":
    sys.exit(main())
