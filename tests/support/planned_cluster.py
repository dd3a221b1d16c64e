"""A cluster as an operator's rounds see it: what they want written is written, fences included."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from support.resources import lan, node, vip
from vip_model.resources.node import Node
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import RouterSummary, VirtualIP, VirtualIPStatus
from vip_model.resources.virtual_router import VirtualRouter
from vip_operator.core.changes import CreateRouter, DeleteRouter, RouterChange, UpdateRouter
from vip_operator.core.known.round_inputs import SECOND_NS, Moment
from vip_operator.core.known.snapshot import Snapshot, SpeakerLease
from vip_operator.core.reconcile import Reconciler, Round
from vip_operator.core.settings import OperatorSettings

BEGIN_UTC = datetime(2026, 11, 3, 10, 0, 0, tzinfo=UTC)
BEGIN_MILLISECONDS = int(BEGIN_UTC.timestamp() * 1000)
WEB = "vip.shop.web"


def declared(name: str = "web", deleting: bool = False, **spec: Any) -> VirtualIP:
    """Return a VirtualIP as the API server has it."""
    found = vip(name, **spec)
    metadata = msgspec.structs.replace(
        found.metadata,
        uid=f"uid-{name}",
        generation=1,
        deletion_timestamp="2026-11-03T10:00:00Z" if deleting else "",
    )
    return msgspec.structs.replace(found, metadata=metadata)


def shows(virtual_ip: VirtualIP, router: VirtualRouter) -> VirtualIP:
    """Return a VirtualIP whose status shows a VirtualRouter."""
    routers = tuple(
        RouterSummary(
            name=router.name, family=each.family, virtual_router_id=each.virtual_router_id
        )
        for each in router.spec.instances
    )
    return msgspec.structs.replace(virtual_ip, status=VirtualIPStatus(routers=routers))


@dataclass
class PlannedCluster:
    """What is stored, and the operator that leads.

    Attributes:
        virtual_ips: what users declared.
        speakers: what nodes report.
        nodes: the nodes.
        routers: VirtualRouters by name.
        applied: newest revision that each node's engine runs.
        renewals: how often each node's Lease was renewed.
        parts: what else snapshots have.
        reconciler: the operator.
        epoch: of its leadership.
        now_ns: monotonic time; the wall clock goes with it.
        writes: how often something was written.
    """

    virtual_ips: list[VirtualIP] = field(default_factory=lambda: [declared()])
    speakers: list[Speaker] = field(default_factory=lambda: lan(3))
    nodes: list[Node] = field(default_factory=lambda: [node(f"n{each}") for each in (1, 2, 3)])
    routers: dict[str, VirtualRouter] = field(default_factory=dict)
    applied: dict[str, int] = field(default_factory=lambda: {"n1": 0, "n2": 0, "n3": 0})
    renewals: dict[str, int] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    reconciler: Reconciler = field(default_factory=lambda: Reconciler(OperatorSettings()))
    epoch: int = 1
    now_ns: int = 0
    writes: int = 0

    @property
    def web(self) -> VirtualRouter:
        """The VirtualRouter of shop/web."""
        return self.routers[WEB]

    def snapshot(self) -> Snapshot:
        """Return everything there is."""
        snapshot = Snapshot(
            virtual_ips=tuple(self.virtual_ips),
            virtual_routers=tuple(self.routers[name] for name in sorted(self.routers)),
            speakers=tuple(self.speakers),
            leases=tuple(
                SpeakerLease(name, f"{revision}.{self.renewals.get(name, 0)}", revision)
                for name, revision in self.applied.items()
            ),
            nodes=tuple(self.nodes),
        )
        return replace(snapshot, **self.parts)

    def look(self) -> Round:
        """Return what the operator wants, and write nothing."""
        utc = BEGIN_UTC + timedelta(microseconds=self.now_ns // 1000)
        return self.reconciler.round(self.snapshot(), Moment(self.now_ns, utc), self.epoch)

    def round(self) -> tuple[RouterChange, ...]:
        """Write what the operator wants of VirtualRouters, and return it."""
        changes = self.look().router_changes
        for change in changes:
            self.write(change)
        return changes

    def settle(self, rounds: int = 10) -> list[RouterChange]:
        """Let speakers apply and the operator write until nothing changes; return all changes."""
        found: list[RouterChange] = []
        for _each in range(rounds):
            changes = self.round()
            found += changes
            self.apply()
            if not changes:
                return found
        raise AssertionError(f"it never ends: {changes}")

    def write(self, change: RouterChange) -> None:
        """Carry a write out as the API server would; a fence that does not hold is an error."""
        self.writes += 1
        name = change.router.name
        if isinstance(change, CreateRouter):
            assert name not in self.routers, "AlreadyExists"
            assert change.router.metadata.uid == ""
            uid = f"uid-{name}-{self.writes}"
        else:
            before = change.before if isinstance(change, UpdateRouter) else change.router
            assert self.routers[name] == before, "Conflict"
            uid = before.metadata.uid
        if isinstance(change, DeleteRouter):
            del self.routers[name]
            return
        assert change.router.spec.epoch == self.epoch
        metadata = msgspec.structs.replace(
            change.router.metadata, uid=uid, resource_version=str(self.writes)
        )
        self.routers[name] = msgspec.structs.replace(change.router, metadata=metadata)

    def apply(self, nodes: Iterable[str] | None = None) -> None:
        """Let the speakers of nodes, or of all, apply everything that is stored."""
        newest = max((router.spec.revision for router in self.routers.values()), default=0)
        for name in self.applied if nodes is None else nodes:
            self.applied[name] = max(self.applied[name], newest)

    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.now_ns += int(seconds * SECOND_NS)

    def restart(self) -> None:
        """Let another operator lead: it remembers nothing, and its epoch is greater."""
        self.reconciler = Reconciler(OperatorSettings())
        self.epoch += 1
