"""A cluster as data, for tests of what the operator tells: time passes when a test says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from support import resources
from support.resources import lan, vip
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import plan
from vip_model.resources.metadata import Condition
from vip_model.resources.node import Node
from vip_model.resources.speaker import AbnormalRouter, ActiveRouter, AddressConflict, Speaker
from vip_model.resources.virtual_ip import VirtualIP, VirtualIPStatus
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.errors import Problem
from vip_model.vocabulary import Reason, State
from vip_operator.core.changes import EmitEvent, SetIngress, SetStatus
from vip_operator.core.known.round_inputs import SECOND_NS, STALE_AFTER_NS, Facts, Heartbeat, Moment
from vip_operator.core.known.snapshot import ServiceObject, Snapshot, UnreadableVirtualIP
from vip_operator.core.reporting.virtual_ip_status import StatusKeeper, StatusRound

WEB = "vip.shop.web"
START = datetime(2026, 1, 1, tzinfo=UTC)
CLASS = "vip-operator.io/vip"


def clock(seconds: float) -> str:
    """Return a time as speakers report it, so many seconds after the start."""
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def service(name: str = "nginx", *ingress: str, **changes: Any) -> ServiceObject:
    """Return a Service of our load-balancer class in the namespace shop."""
    fields: dict[str, Any] = {
        "namespace": "shop",
        "name": name,
        "uid": f"uid-{name}",
        "resource_version": "7",
        "type": "LoadBalancer",
        "load_balancer_class": CLASS,
        "ingress": ingress,
    }
    return ServiceObject(**{**fields, **changes})


def unreadable(name: str = "web", *conditions: Condition, **changes: Any) -> UnreadableVirtualIP:
    """Return a VirtualIP of the namespace shop that cannot be parsed."""
    problem = Problem(f"VirtualIP shop/{name}", "spec.addresses", "it must be a list")
    fields: dict[str, Any] = {
        "namespace": "shop",
        "name": name,
        "uid": f"uid-{name}",
        "resource_version": "3",
        "generation": 2,
        "problems": (problem,),
        "conditions": tuple(msgspec.to_builtins(each) for each in conditions),
    }
    return UnreadableVirtualIP(**{**fields, **changes})


@dataclass
class Cluster:
    """Three nodes on a LAN, n1 to n3, whose speakers are alive unless a test silences them."""

    virtual_ips: dict[str, VirtualIP] = field(default_factory=dict)
    unreadable: list[UnreadableVirtualIP] = field(default_factory=list)
    services: list[ServiceObject] = field(default_factory=list)
    speakers: dict[str, Speaker] = field(
        default_factory=lambda: {each.node: each for each in lan(3)}
    )
    nodes: tuple[Node, ...] = ()
    routers: tuple[VirtualRouter, ...] = ()
    seconds: float = 100.0
    changed: dict[str, float] = field(default_factory=dict)
    applied: dict[str, int] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    speaker_trouble: str = ""
    load_balancer_class: str = CLASS

    def __post_init__(self) -> None:
        """Let every speaker renew its Lease once, with everything applied."""
        self.changed = dict.fromkeys(self.speakers, self.seconds)
        self.applied = dict.fromkeys(self.speakers, 1_000_000)

    # --- what users do ---------------------------------------------------------------------

    def declare(self, name: str = "web", **spec: Any) -> VirtualIP:
        """Create a VirtualIP, or edit its spec."""
        fresh = vip(name, **spec)
        known = self.virtual_ips.get(fresh.key)
        metadata = msgspec.structs.replace(
            fresh.metadata,
            uid=f"uid-{name}",
            resource_version="1",
            generation=known.metadata.generation + 1 if known else 1,
        )
        status = known.status if known else VirtualIPStatus()
        self.virtual_ips[fresh.key] = msgspec.structs.replace(
            fresh, metadata=metadata, status=status
        )
        return self.virtual_ips[fresh.key]

    # --- what speakers do ------------------------------------------------------------------

    def claim(
        self,
        node: str,
        router: str = WEB,
        *,
        since: float | None = None,
        reason: str = "ActiveDown",
        failing: Iterable[str] = (),
        effective_priority: int = 0,
    ) -> None:
        """Let a node report that it is Active; what it reported of the router before is gone."""
        self.release(node, router)
        when = self.seconds if since is None else since
        active = ActiveRouter(
            router=router,
            since=clock(when),
            reason=reason,
            failing_gates=tuple(failing),
            effective_priority=effective_priority,
        )
        self._report(node, active=(*self.speakers[node].status.active, active))

    def conflict(self, node: str, reason: Reason, message: str) -> None:
        """Let a node report that another machine uses or announces an address of shop/web."""
        conflict = AddressConflict(router=WEB, reason=reason, message=message)
        self._report(node, conflicts=(*self.speakers[node].status.conflicts, conflict))

    def end_conflicts(self, node: str) -> None:
        """Let a node hear no other machine with the addresses any more."""
        self._report(node, conflicts=())

    def abnormal(
        self, node: str, reason: str, state: State = State.INITIALIZE, **report: Any
    ) -> None:
        """Let a node report that something is wrong with shop/web."""
        self.release(node)
        abnormal = AbnormalRouter(router=WEB, state=state, reason=reason, **report)
        self._report(node, abnormal=(*self.speakers[node].status.abnormal, abnormal))

    def release(self, node: str, router: str = WEB) -> None:
        """Let a node report that it is a healthy Backup."""
        status = self.speakers[node].status
        self._report(
            node,
            active=tuple(each for each in status.active if each.router != router),
            abnormal=tuple(each for each in status.abnormal if each.router != router),
        )

    def _report(self, node: str, **changes: Any) -> None:
        speaker = self.speakers[node]
        status = msgspec.structs.replace(speaker.status, **changes)
        self.speakers[node] = msgspec.structs.replace(speaker, status=status)

    def wait(self, seconds: float) -> None:
        """Let time pass; every speaker that is not silent renews its Lease at its end."""
        self.seconds += seconds
        for node in self.changed:
            if node not in self.silent:
                self.changed[node] = self.seconds

    # --- what the operator sees and does ---------------------------------------------------

    @property
    def now_ns(self) -> int:
        """The moment on the monotonic clock."""
        return int(self.seconds * SECOND_NS)

    def heartbeats(self) -> dict[str, Heartbeat]:
        """Return what the Leases tell."""
        return {
            node: Heartbeat(
                node=node,
                changed_ns=int(changed * SECOND_NS),
                fresh=self.now_ns - int(changed * SECOND_NS) <= STALE_AFTER_NS,
                applied_revision=self.applied[node],
            )
            for node, changed in self.changed.items()
        }

    def _plan_inputs(self) -> PlanInputs:
        return PlanInputs(
            virtual_ips=tuple(self.virtual_ips.values()),
            speakers=tuple(self.speakers.values()),
            allocated=self.routers,
            unreadable=frozenset(each.key for each in self.unreadable),
            services=[each.planned(self.load_balancer_class) for each in self.services],
            nodes=tuple({each.name: each for each in (*self._plain_nodes(), *self.nodes)}.values()),
        )

    def _plain_nodes(self) -> Iterator[Node]:
        return (resources.node(name) for name in self.speakers)

    def write_routers(self) -> None:
        """Plan and write: a router that changes gets the next revision."""
        newest = max((each.spec.revision for each in self.routers), default=0)
        before = {each.name: each for each in self.routers}
        written = []
        for router in plan(self._plan_inputs()).virtual_routers:
            if before.get(router.name) != router:
                newest += 1
                spec = msgspec.structs.replace(router.spec, revision=newest)
                router = msgspec.structs.replace(router, spec=spec)  # noqa: PLW2901  same router
            written.append(router)
        self.routers = tuple(written)

    def facts(self, *, written: bool = True) -> Facts:
        """Return what the operator knows now.

        Args:
            written: the VirtualRouters of its plan are written already.
        """
        if written:
            self.write_routers()
        return Facts(
            snapshot=Snapshot(
                virtual_ips=tuple(self.virtual_ips.values()),
                unreadable=tuple(self.unreadable),
                virtual_routers=self.routers,
                speakers=tuple(self.speakers.values()),
                nodes=self.nodes,
                services=tuple(self.services),
                speaker_trouble=self.speaker_trouble,
            ),
            plan=plan(self._plan_inputs()),
            heartbeats=self.heartbeats(),
            now=Moment(self.now_ns, START + timedelta(seconds=self.seconds)),
        )

    def round(self, keeper: StatusKeeper, *, written: bool = True) -> StatusRound:
        """Let the operator look once, and write the statuses that it wants."""
        found = keeper.round(self.facts(written=written))
        for change in statuses(found):
            key = f"{change.namespace}/{change.name}"
            if key in self.virtual_ips:
                self.virtual_ips[key] = msgspec.structs.replace(
                    self.virtual_ips[key], status=change.status
                )
            written_conditions = tuple(msgspec.to_builtins(c) for c in change.status.conditions)
            self.unreadable = [
                replace(each, conditions=written_conditions) if each.key == key else each
                for each in self.unreadable
            ]
        return found

    def status(self, name: str = "web") -> VirtualIPStatus:
        """Return the status of a VirtualIP as it is written."""
        return self.virtual_ips[f"shop/{name}"].status

    def condition(self, type_: str, name: str = "web") -> Condition:
        """Return a condition of a VirtualIP as it is written."""
        return next(each for each in self.status(name).conditions if each.type == type_)

    def told(self, type_: str, name: str = "web") -> tuple[str, str]:
        """Return status and reason of a condition."""
        condition = self.condition(type_, name)
        return condition.status, condition.reason


def statuses(found: StatusRound) -> list[SetStatus]:
    """Return the statuses that a round wants written."""
    return [each for each in found.changes if isinstance(each, SetStatus)]


def ingresses(found: StatusRound) -> list[SetIngress]:
    """Return the Services that a round wants changed."""
    return [each for each in found.changes if isinstance(each, SetIngress)]


def events(found: StatusRound) -> list[EmitEvent]:
    """Return the events of a round."""
    return [each for each in found.changes if isinstance(each, EmitEvent)]
