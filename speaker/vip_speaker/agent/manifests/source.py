"""Static mode as a source of orders: what the manifests say, and nothing besides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from vip_speaker.agent.desired import WantedGate
from vip_speaker.agent.manifests.follower import Follower
from vip_speaker.agent.manifests.static import NodePlan
from vip_speaker.agent.report import Configuration
from vip_speaker.agent.source import Apply, Orders
from vip_speaker.gates import registry
from vip_speaker.gates.registry import RunningGate
from vip_speaker.messages import Desired, FromEngine, Hello


class ManifestSource:
    """Follows a file or directory.

    Args:
        manifests: file or directory.
        node: name of this node.
        apply: is given the orders that follow from each valid set.
    """

    def __init__(self, manifests: Path, node: str, apply: Apply) -> None:
        self._node = node
        self._apply = apply
        self._follower = Follower(manifests, node, self._take, self._routers_of_engine)
        self._hello: Hello | None = None
        self._greeted = asyncio.Event()

    @property
    def configuration(self) -> Configuration:
        """The manifests in force, and what is wrong with the newest version."""
        return self._follower.configuration

    def create_gate(self, wanted: WantedGate, on_change: Callable[[], None]) -> RunningGate:
        """Return a gate; one that needs a cluster does not count."""
        return registry.create(wanted.spec, on_change)

    def read_again(self) -> None:
        """Read the manifests again, whether they changed or not."""
        self._follower.read_again()

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._follower.run()

    def hear(self, message: FromEngine) -> None:
        """Note what the engine runs from the days of an earlier agent."""
        if isinstance(message, Hello):
            self._hello = message
            self._greeted.set()

    def told_verdicts(self) -> None:
        """Nobody is reported to."""

    async def farewell(self) -> None:
        """Nobody is reported to."""

    async def _take(self, plan: NodePlan, revision: int) -> None:
        assert plan.routers is not None
        desired = Desired(
            node=self._node,
            revision=revision,
            routers=list(plan.routers),
            complete=True,
            known=list(plan.known),
        )
        names = {router.name: router.display_name for router in plan.routers}
        await self._apply(Orders(desired, plan.gates, names))

    async def _routers_of_engine(self) -> frozenset[str]:
        await self._greeted.wait()
        assert self._hello is not None
        return frozenset(self._hello.routers)
