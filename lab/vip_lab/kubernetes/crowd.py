"""Thousands of Pods as large as real ones, made and deleted quickly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from vip_kube.access import from_kubeconfig
from vip_kube.client import Client
from vip_kube.kinds import PODS
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.objects import running

_WORKERS = 8
# What a Pod of ours weighs as JSON without its padding.
_BARE_BYTES = 1200


class Crowd:
    """Pods labelled app=web, spread over nodes that exist.

    Args:
        plane: where they are.
        namespace: likewise.
        nodes: which nodes they are bound to.
        count: how many they are.
        size_bytes: of each as JSON.
        ready: how many of them are reported as ready; of the others nothing is.
    """

    def __init__(
        self,
        plane: ControlPlane,
        namespace: str,
        nodes: Sequence[str],
        count: int,
        *,
        size_bytes: int,
        ready: int,
    ) -> None:
        self._plane = plane
        self._namespace = namespace
        self._nodes = nodes
        self._count = count
        self._padding = "x" * max(0, size_bytes - _BARE_BYTES)
        self._ready = ready

    def create(self) -> None:
        """Create all of them."""
        asyncio.run(self._each(self._create))

    def delete(self) -> None:
        """Delete all of them; without a grace period, so that they are gone."""
        asyncio.run(self._each(self._delete))

    async def _each(self, do: Callable[[Client, int], Awaitable[None]]) -> None:
        numbers = iter(range(self._count))
        access = from_kubeconfig(str(self._plane.kubeconfig()))

        async def work(client: Client) -> None:
            for number in numbers:
                await do(client, number)

        async with (
            Client(access, user_agent="vip-lab/1", timeout_seconds=60.0) as client,
            asyncio.TaskGroup() as group,
        ):
            for _worker in range(_WORKERS):
                group.create_task(work(client))

    async def _create(self, client: Client, number: int) -> None:
        await client.create(PODS, self._pod(number), self._namespace)
        if number < self._ready:
            status = {"status": running(_address(number))}
            await client.merge(PODS, _name(number), status, self._namespace, subresource="status")

    async def _delete(self, client: Client, number: int) -> None:
        await client.delete(PODS, _name(number), self._namespace)

    def _pod(self, number: int) -> dict[str, Any]:
        return {
            "metadata": {
                "name": _name(number),
                "labels": {"app": "web", "pod-template-hash": f"{number // 100:08x}"},
                "annotations": {"example.com/padding": self._padding},
            },
            "spec": {
                "nodeName": self._nodes[number % len(self._nodes)],
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "main", "image": "never-pulled"}],
            },
        }


def _name(number: int) -> str:
    return f"web-{number:05}"


def _address(number: int) -> str:
    return f"10.1.{number >> 8 & 255}.{number & 255}"
