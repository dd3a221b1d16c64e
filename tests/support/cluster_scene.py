"""An agent in cluster mode on a real API server, with an engine that the test plays."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from support.cluster_agent import NODE, ClusterAgent, PlayedEngine, cluster_agent, until
from vip_common.kinds import SPEAKERS, VIRTUAL_ROUTERS
from vip_kube.kinds import LEASES
from vip_lab.kubernetes.api import Api, JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_model.vocabulary import GateState
from vip_speaker.agent.kubernetes.heartbeat import APPLIED_REVISION, lease_name


def router(
    namespace: str, *nodes: str, revision: int = 1, name: str = "web", **spec: Any
) -> JsonObject:
    """Return a VirtualRouter of a VirtualIP of the namespace."""
    return {
        "apiVersion": VIRTUAL_ROUTERS.api_version,
        "kind": VIRTUAL_ROUTERS.name,
        "metadata": {"name": f"vip.{namespace}.{name}"},
        "spec": {
            "owners": [{"namespace": namespace, "name": name}],
            "revision": revision,
            "instances": [{"family": "IPv4", "virtualRouterID": 51, "addresses": ["192.0.2.100"]}],
            "candidates": [
                {"node": node, "slot": slot, "priority": 254 - 3 * slot}
                for slot, node in enumerate(nodes)
            ],
            **spec,
        },
    }


def pods_gate() -> JsonObject:
    """Return a gate on the pods of app web."""
    return {"name": "web", "pods": {"selector": {"matchLabels": {"app": "web"}}}}


class Scene:
    """An agent with its engine, and the API as admin."""

    def __init__(self, agent: ClusterAgent, api: Api, namespace: str) -> None:
        self.agent = agent
        self.api = api
        self.namespace = namespace
        self.router = f"vip.{namespace}.web"

    @property
    def engine(self) -> PlayedEngine:
        """The engine that the test plays."""
        return self.agent.engine

    async def create_router(self, *nodes: str, **spec: Any) -> None:
        """Create the VirtualRouter."""
        await asyncio.to_thread(
            self.api.create, VIRTUAL_ROUTERS, router(self.namespace, *nodes, **spec)
        )

    async def edit_router(self, **spec: Any) -> None:
        """Change its spec."""
        await asyncio.to_thread(self.api.patch, VIRTUAL_ROUTERS, self.router, {"spec": spec})

    def speaker(self) -> JsonObject:
        """Return the Speaker's status; empty while there is none."""
        found = self.api.find(SPEAKERS, NODE)
        return (found or {}).get("status") or {}

    def applied(self) -> int:
        """Return what the Lease says was applied; -1 while there is none."""
        lease = self.api.find(LEASES, lease_name(NODE), self.namespace)
        return -1 if lease is None else int(lease["metadata"]["annotations"][APPLIED_REVISION])

    async def runs(self) -> None:
        """Wait until the engine was told to run the router."""
        await until("the engine to be told", lambda: self.engine.runs(self.router))

    async def judged(self, gate: str, state: GateState, seconds: float = 30.0) -> None:
        """Wait until the engine was told that verdict."""
        await until(
            f"{gate} to be {state}",
            lambda: self.engine.verdict(self.router, gate) is state,
            seconds,
        )


@contextlib.asynccontextmanager
async def a_scene(
    plane: ControlPlane, namespace: str, proxy: FaultProxy | None = None
) -> AsyncIterator[Scene]:
    """Run an agent of node n1, through a proxy if one is given."""
    kubeconfig = plane.kubeconfig() if proxy is None else proxy.kubeconfig()
    async with cluster_agent(kubeconfig, namespace) as agent:
        yield Scene(agent, plane.api, namespace)
