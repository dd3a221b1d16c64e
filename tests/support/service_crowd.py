"""Many Services with endpoints, a VirtualRouter for some of them, and what an agent makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.cluster_agent import NODE
from support.cluster_scene import Scene, router
from vip_common.kinds import VIRTUAL_ROUTERS
from vip_kube.access import from_kubeconfig
from vip_kube.client import Client
from vip_kube.kinds import ENDPOINT_SLICES, LEASES, SERVICES
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_model.vocabulary import GateState
from vip_speaker.agent.kubernetes.heartbeat import lease_name

GATE = "service/web"

_WORKERS = 8
_ESTABLISHED = "01"


class ServiceCrowd:
    """Services of one namespace; an agent has a gate on the first of them.

    Args:
        plane: where.
        namespace: where they are.
        services: how many.
        endpoints: of each.
        gates: how many of them have a VirtualRouter with a gate on them.
    """

    def __init__(
        self, plane: ControlPlane, namespace: str, services: int, endpoints: int, gates: int
    ) -> None:
        self._plane = plane
        self._namespace = namespace
        self._services = services
        self._endpoints = endpoints
        self._gates = gates

    def router(self, number: int) -> str:
        """Return the name of a VirtualRouter."""
        return f"vip.{self._namespace}.{_name(number)}"

    async def create(self) -> None:
        """Create all of it."""
        await self._each(self._create)

    async def set_ready(self, number: int, *, ready: bool) -> None:
        """Change the endpoints of a Service."""
        endpoints = {"endpoints": self._some_endpoints(number, ready=ready)}
        async with self._client() as client:
            await client.merge(ENDPOINT_SLICES, _name(number), endpoints, self._namespace)

    def all_judged(self, scene: Scene, state: GateState) -> bool:
        """Return whether the engine was told that verdict for every gate."""
        return all(
            scene.engine.verdict(self.router(number), GATE) is state
            for number in range(self._gates)
        )

    def is_failing(self, scene: Scene, number: int) -> bool:
        """Return whether the engine was told that a Service has no ready endpoint."""
        return scene.engine.verdict(self.router(number), GATE) is GateState.FAILING

    async def _create(self, client: Client, number: int) -> None:
        name, namespace = _name(number), self._namespace
        metadata = {"name": name, "namespace": namespace}
        port = {"name": "web", "port": 80, "protocol": "TCP"}
        spec: dict[str, Any] = {"ports": [port], "clusterIP": "None"}
        if number < self._gates:
            spec = {"ports": [port], "type": "NodePort", "externalTrafficPolicy": "Local"}
        await client.create(SERVICES, {"metadata": metadata, "spec": spec}, namespace)
        labels = {"kubernetes.io/service-name": name}
        content = {
            "metadata": metadata | {"labels": labels},
            "addressType": "IPv4",
            "ports": [port],
            "endpoints": self._some_endpoints(number, ready=True),
        }
        await client.create(ENDPOINT_SLICES, content, namespace)
        if number < self._gates:
            gate = {"name": GATE, "endpoints": {"serviceRef": {"name": name}}}
            wanted = router(namespace, NODE, name=name, gates=[gate])
            await client.create(VIRTUAL_ROUTERS, wanted)

    def _some_endpoints(self, number: int, *, ready: bool) -> list[dict[str, Any]]:
        """Return endpoints as the controller of EndpointSlices writes them; the first is on n1."""
        return [
            {
                "addresses": [f"10.{number % 250}.{number // 250}.{at + 1}"],
                "conditions": {"ready": ready, "serving": ready, "terminating": False},
                "nodeName": NODE if at == 0 else f"node-{at}",
                "targetRef": {
                    "kind": "Pod",
                    "name": f"web-{number}-5d4f8c7b9f-{at:05}",
                    "namespace": self._namespace,
                    "uid": f"00000000-0000-4000-8000-{number:06}{at:06}",
                },
                "zone": "zone-a",
            }
            for at in range(self._endpoints)
        ]

    async def _each(self, do: Callable[[Client, int], Awaitable[None]]) -> None:
        numbers = iter(range(self._services))

        async def work(client: Client) -> None:
            for number in numbers:
                await do(client, number)

        async with self._client() as client, asyncio.TaskGroup() as group:
            for _worker in range(_WORKERS):
                group.create_task(work(client))

    def _client(self) -> Client:
        access = from_kubeconfig(str(self._plane.kubeconfig()))
        return Client(access, user_agent="vip-test/1", timeout_seconds=60)


def _name(number: int) -> str:
    return f"web-{number}"


async def longest_pause_seconds(plane: ControlPlane, namespace: str, renewals: int) -> float:
    """Return the longest time between so many renewals of the agent's Lease, by its own clock."""
    times: list[datetime] = []

    def look() -> bool:
        lease = plane.api.find(LEASES, lease_name(NODE), namespace)
        if lease is not None:
            renewed = datetime.fromisoformat(lease["spec"]["renewTime"])
            if not times or times[-1] != renewed:
                times.append(renewed)
        return len(times) > renewals

    while not await asyncio.to_thread(look):
        await asyncio.sleep(0.2)
        if times:
            silent = datetime.now(times[-1].tzinfo) - times[-1]
            assert silent.total_seconds() < 25, "the Lease has run out"
    return max((b - a).total_seconds() for a, b in pairwise(times))


def connections(pid: int, server: str) -> int:
    """Return how many TCP connections a process has to a server."""
    port = urlsplit(server).port
    mine: set[str] = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            found = re.fullmatch(r"socket:\[(\d+)\]", str(each.readlink()))
            mine.update(found.groups() if found else ())
    return sum(
        int(remote.rpartition(":")[2], 16) == port and state == _ESTABLISHED and inode in mine
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        for remote, state, inode in [_fields(line)]
    )


def _fields(line: str) -> tuple[str, str, str]:
    """Return remote address, state and inode of a line of /proc/net/tcp."""
    words = line.split()
    return words[2], words[3], words[9]


def peak_memory_mebibytes(pid: int) -> float:
    """Return the most memory that a process has had so far."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024
