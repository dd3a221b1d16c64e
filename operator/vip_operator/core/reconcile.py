"""One round of the operator: from what is there to what must be written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from vip_model.planning import inputs
from vip_model.planning.plan import Plan, plan
from vip_model.resources.gate import BUILT_GATE_KINDS
from vip_model.resources.virtual_router import VirtualRouter
from vip_operator.core.changes import RouterChange, StatusChange
from vip_operator.core.holders.liveness import LivenessKeeper
from vip_operator.core.known.heartbeats import Heartbeats
from vip_operator.core.known.round_inputs import SECOND_NS, Facts, Heartbeat, Moment
from vip_operator.core.known.snapshot import EndpointSliceObject, Snapshot
from vip_operator.core.reporting.virtual_ip_status import StatusKeeper
from vip_operator.core.routers import RouterKeeper
from vip_operator.core.settings import OperatorSettings

# How long the first election waits for the report of a node that was just seen.
REPORT_PATIENCE_NS = 5 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Round:
    """What came out of a round.

    Attributes:
        router_changes: in the order in which they must be written, one after the other.
        status_changes: in any order, once those are written.
        due_ns: monotonic time at which to look again although nothing changed; None: never.
        plan: what follows from the snapshot.
        heartbeats: of every speaker that has a Lease, by node.
        warnings: why something cannot be written: a sentence for each.
    """

    router_changes: tuple[RouterChange, ...]
    status_changes: tuple[StatusChange, ...]
    due_ns: int | None
    plan: Plan
    heartbeats: Mapping[str, Heartbeat]
    warnings: tuple[str, ...]


class Reconciler:
    """Decides, round after round; remembers only what the API server does not tell.

    Rounds are for whoever leads. Two rounds on snapshots that do not show yet what was written in
    between want the same again, which is then refused: take the answers of writes into the store.

    Args:
        settings: what was set.
    """

    def __init__(self, settings: OperatorSettings) -> None:
        self._planner = _Planner(settings)
        self._heartbeats = Heartbeats()
        self._liveness = LivenessKeeper()
        self._arrivals = _Arrivals()
        self._routers = RouterKeeper()
        self._statuses = StatusKeeper()

    def round(self, snapshot: Snapshot, now: Moment, epoch: int) -> Round:
        """Return what must be written.

        Args:
            snapshot: everything there is.
            now: the moment.
            epoch: of our leadership.
        """
        living = _without_deleted(snapshot)
        heartbeats = self._heartbeats.observe(living.leases, now.monotonic_ns)
        report_due_ns = self._arrivals.due_ns(living, now.monotonic_ns)
        known = self._routers.observe(living)
        liveness = self._observe_liveness(known, living, heartbeats, now.monotonic_ns)
        basis = _basis(living, known, liveness, all_nodes_reported=report_due_ns is None)
        found = self._planner.plan(basis)
        facts = Facts(snapshot=living, plan=found, heartbeats=heartbeats, now=now)
        routers = self._routers.changes(facts, epoch)
        statuses = self._statuses.round(facts)
        dues = (self._heartbeats.due_ns, report_due_ns, statuses.due_ns)
        return Round(
            router_changes=routers.changes,
            status_changes=statuses.changes,
            due_ns=min((due for due in dues if due is not None), default=None),
            plan=found,
            heartbeats=heartbeats,
            warnings=routers.warnings,
        )

    def _observe_liveness(
        self,
        routers: tuple[VirtualRouter, ...],
        snapshot: Snapshot,
        heartbeats: Mapping[str, Heartbeat],
        now_ns: int,
    ) -> inputs.Liveness:
        expected = self._liveness.expected(routers, snapshot)
        silences = self._heartbeats.silences(expected, now_ns)
        return self._liveness.observe(snapshot, heartbeats, silences)


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a plan follows from, apart from the settings."""

    snapshot: Snapshot
    vanished: tuple[VirtualRouter, ...]
    liveness: inputs.Liveness
    all_nodes_reported: bool


class _Planner:
    """Plans, but not twice for the same: Leases change all the time, and no plan asks for them."""

    def __init__(self, settings: OperatorSettings) -> None:
        self._settings = settings
        self._latest: tuple[_Basis, Plan] | None = None

    def plan(self, basis: _Basis) -> Plan:
        """Return the plan."""
        # Comparing is cheap: parts that did not change hold the same objects.
        if self._latest is None or self._latest[0] != basis:
            self._latest = (basis, plan(_inputs(basis, self._settings)))
        return self._latest[1]


class _Arrivals:
    """Remembers when each Node was first seen, to give its speaker time for a first report."""

    def __init__(self) -> None:
        self._first_ns: dict[str, int] = {}

    def due_ns(self, snapshot: Snapshot, now_ns: int) -> int | None:
        """Return when the last Node without a report has been waited for; None: now."""
        self._first_ns = {
            node.name: self._first_ns.get(node.name, now_ns) for node in snapshot.nodes
        }
        reported = {speaker.node for speaker in snapshot.speakers}
        ends = (
            first_ns + REPORT_PATIENCE_NS
            for node, first_ns in self._first_ns.items()
            if node not in reported
        )
        due_ns = max(ends, default=now_ns)
        return due_ns if due_ns > now_ns else None


def _without_deleted(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot without VirtualIPs that only a finalizer of somebody keeps."""
    living = (each for each in snapshot.virtual_ips if not each.metadata.deletion_timestamp)
    return replace(snapshot, virtual_ips=tuple(living))


def _basis(
    snapshot: Snapshot,
    known: tuple[VirtualRouter, ...],
    liveness: inputs.Liveness,
    *,
    all_nodes_reported: bool,
) -> _Basis:
    there = {router.name for router in snapshot.virtual_routers}
    return _Basis(
        snapshot=replace(snapshot, leases=(), speaker_trouble=""),
        vanished=tuple(router for router in known if router.name not in there),
        liveness=liveness,
        all_nodes_reported=all_nodes_reported,
    )


def _inputs(basis: _Basis, settings: OperatorSettings) -> inputs.PlanInputs:
    snapshot = basis.snapshot
    return inputs.PlanInputs(
        virtual_ips=snapshot.virtual_ips,
        pools=snapshot.pools,
        services=[each.planned(settings.load_balancer_class) for each in snapshot.services],
        endpoints=_endpoints(snapshot.endpoint_slices),
        pods=snapshot.pods,
        hidden_pods=snapshot.hidden_pods,
        nodes=snapshot.nodes,
        speakers=snapshot.speakers,
        allocated=snapshot.virtual_routers,
        remembered=basis.vanished,
        liveness=basis.liveness,
        unreadable=frozenset(each.key for each in snapshot.unreadable),
        supported_gates=BUILT_GATE_KINDS,
        settings=inputs.Settings(
            address_policy=settings.address_policy,
            reserved_virtual_router_ids=settings.reserved_virtual_router_ids,
            all_nodes_reported=basis.all_nodes_reported,
        ),
    )


def _endpoints(slices: Iterable[EndpointSliceObject]) -> list[inputs.ServiceEndpoints]:
    """Return the nodes of each Service: its slices taken together."""
    found: dict[tuple[str, str], inputs.ServiceEndpoints] = {}
    for each in slices:
        key = (each.namespace, each.service)
        before = found.get(key) or inputs.ServiceEndpoints(*key)
        found[key] = replace(
            before,
            ready_nodes=before.ready_nodes | each.ready_nodes,
            nameless=before.nameless or each.nameless,
        )
    return list(found.values())
