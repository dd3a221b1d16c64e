"""Cluster mode as a source of orders: joins what is watched, what is reported, and the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from vip_common.kinds import SPEAKERS, VIRTUAL_ROUTERS
from vip_common.timestamps import rfc3339
from vip_kube.access import Access
from vip_kube.client import Client, Selection
from vip_kube.kinds import NODES
from vip_kube.wire import Object
from vip_model.__about__ import __version__
from vip_model.resources.gate import ENGINE_GATE_KINDS
from vip_model.vocabulary import GateState, Reason
from vip_speaker.agent.desired import WantedGate
from vip_speaker.agent.kubernetes import speaker_status
from vip_speaker.agent.kubernetes.engine_watch import EngineWatch
from vip_speaker.agent.kubernetes.following import Following
from vip_speaker.agent.kubernetes.heartbeat import Heartbeat
from vip_speaker.agent.kubernetes.problem_log import ProblemLog
from vip_speaker.agent.kubernetes.reporter import Reporter
from vip_speaker.agent.kubernetes.routers import NODE_GATE_KIND, PLACE_GATE_KIND, ClusterState, View
from vip_speaker.agent.kubernetes.start_gate import NodeWatch, StartGate
from vip_speaker.agent.kubernetes.surroundings import ClusterSurroundings
from vip_speaker.agent.report import Configuration
from vip_speaker.agent.source import Apply, AskEngine
from vip_speaker.gates import registry
from vip_speaker.gates.constant import ConstantGate
from vip_speaker.gates.surroundings import Site
from vip_speaker.messages import Farewell, FromEngine, Hello, Status, Verdict

# An API server that hangs must not cost a Lease its life.
_REQUEST_SECONDS = 5.0
_FAREWELL_SECONDS = 0.8


class KubernetesSource:
    """Follows the VirtualRouters of a cluster, and reports back.

    Args:
        access: where the API is.
        namespace: the operator's, where the Lease lives.
        node: name of this node.
        apply: is given the orders.
        ask_engine: returns the engine's status.
    """

    def __init__(
        self, access: Access, namespace: str, node: str, apply: Apply, ask_engine: AskEngine
    ) -> None:
        self._apply = apply
        self._client = Client(
            access,
            user_agent=f"vip-speaker/{__version__}",
            timeout_seconds=_REQUEST_SECONDS,
        )
        self._state = ClusterState(node, registry.kinds())
        self._features = tuple(sorted(f"gate/{kind}" for kind in _gate_kinds()))
        self._view: View | None = None
        self._changed = asyncio.Event()
        self._problems = ProblemLog()
        self._configuration = Configuration(source=f"Kubernetes {access.server}", trouble=[])
        self._node = NodeWatch(node, boot_id())
        self._following = Following(self._client)
        self._surroundings = ClusterSurroundings(
            node, self._following.follow, lambda: self._node.address
        )
        self._engine = EngineWatch(ask_engine, self._looked_at_engine)
        self._reporter = Reporter(self._client, self._node)
        self._heartbeat = Heartbeat(
            self._client, namespace, self._node, self._applied_revision, self._concern
        )
        self._has_left = False
        self._has_released = False

    @property
    def configuration(self) -> Configuration:
        """The VirtualRouters in force, what of them cannot be done, and trouble with the API."""
        troubles = [
            *self._following.troubles,
            self._reporter.trouble,
            self._heartbeat.trouble,
        ]
        found = sorted({trouble for trouble in troubles if trouble})
        in_force = self._configuration
        return Configuration(
            source=in_force.source,
            revision=in_force.revision,
            loaded=in_force.loaded,
            problems=in_force.problems,
            trouble=found,
        )

    def create_gate(
        self, wanted: WantedGate, on_change: Callable[[], None]
    ) -> registry.RunningGate:
        """Return a gate; one of a kind that is not known here does not count."""
        if wanted.kind == NODE_GATE_KIND:
            return StartGate(self._node, on_change)
        if wanted.kind == PLACE_GATE_KIND:
            return _constant(GateState.FAILING, "this node is no candidate any more")
        if wanted.kind not in registry.kinds():
            reason = "this speaker does not know this kind of gate"
            return _constant(GateState.NOT_APPLICABLE, reason)
        return registry.create(wanted.spec, on_change, Site(wanted.namespace, self._surroundings))

    def read_again(self) -> None:
        """A cluster is followed: there is nothing to read."""

    async def run(self) -> None:
        """Follow, order and report until cancelled."""
        async with self._client, asyncio.TaskGroup() as group:
            self._following.run_in(group)
            follow, name = self._following.follow, self._node.name
            follow(VIRTUAL_ROUTERS, _Routers(self._state, self._changed), Selection())
            own = Selection(fields=f"metadata.name={name}")
            follow(NODES, self._node, own)
            follow(SPEAKERS, self._reporter, own)
            group.create_task(self._engine.run())
            group.create_task(self._reporter.run())
            group.create_task(self._heartbeat.run())
            await self._give_orders()

    def hear(self, message: FromEngine) -> None:
        """Report what the engine announces."""
        if isinstance(message, Hello | Farewell):
            self._has_released = isinstance(message, Farewell) and message.released
        if not isinstance(message, Status):
            self._engine.nudge()

    def told_verdicts(self) -> None:
        """Report what the engine makes of verdicts."""
        self._engine.nudge()

    async def farewell(self) -> None:
        """Report that this node claims nothing any more; nothing else is reported after that."""
        self._has_left = True
        status = speaker_status.without_engine(
            self._engine.last,
            self._own_routers(),
            self._features,
            Reason.STOPPED,
            stopped=self._has_released,
        )
        await self._reporter.deliver(status, _FAREWELL_SECONDS)

    # --- orders ----------------------------------------------------------------------------

    async def _give_orders(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._something_changed()
            self._changed.clear()
            view = self._state.view(loop.time())
            self._view = view
            self._problems.show(view.problems)
            self._configuration = Configuration(
                source=self._configuration.source,
                revision=view.orders.desired.revision,
                loaded=rfc3339(datetime.now(UTC)),
                problems=list(view.problems),
            )
            await self._apply(view.orders)
            self._engine.nudge()

    async def _something_changed(self) -> None:
        due = self._view.due if self._view is not None else None
        try:
            async with asyncio.timeout_at(due):
                await self._changed.wait()
        except TimeoutError:
            return

    # --- reports ---------------------------------------------------------------------------

    def _looked_at_engine(self) -> None:
        # What the engine said last is older than its end.
        if not self._has_left:
            self._report()
        self._heartbeat.look()

    def _report(self) -> None:
        last = self._engine.last
        if self._engine.away:
            self._reporter.report(
                speaker_status.without_engine(
                    last, self._own_routers(), self._features, Reason.ENGINE_AWAY
                )
            )
        elif last is not None:
            self._state.engine_runs(frozenset(each.router for each in last.virtual_routers))
            unreadable = self._view.unreadable if self._view is not None else {}
            essence = speaker_status.without_prose(last)
            self._reporter.report(
                speaker_status.with_engine(last, self._features, unreadable),
                speaker_status.with_engine(essence, self._features, unreadable),
            )

    def _own_routers(self) -> list[str]:
        if self._view is None:
            return []
        return [router.name for router in self._view.orders.desired.routers]

    def _applied_revision(self) -> int | None:
        """Return what the engine has applied of what this agent has seen, None if nothing."""
        last, view = self._engine.last, self._view
        if last is None or view is None or last.revision > view.orders.desired.revision:
            return None
        return last.revision

    def _concern(self) -> int:
        return self._view.concern if self._view is not None else 0


class _Routers:
    """Handler of the VirtualRouters: nothing is ordered before the first complete list."""

    def __init__(self, state: ClusterState, changed: asyncio.Event) -> None:
        self._state = state
        self._changed = changed
        self._complete = False

    def upsert(self, content: Object) -> None:
        self._state.upsert(content)
        self._tell()

    def delete(self, content: Object) -> None:
        self._state.delete(content)
        self._tell()

    def synced(self) -> None:
        self._complete = True
        self._tell()

    def _tell(self) -> None:
        if self._complete:
            self._changed.set()


def boot_id() -> str:
    """Return the id of this boot of the kernel, as the kubelet reports it too."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _gate_kinds() -> frozenset[str]:
    return registry.kinds() | ENGINE_GATE_KINDS


def _constant(state: GateState, reason: str) -> ConstantGate:
    return ConstantGate(Verdict(state=state, reason=reason))
