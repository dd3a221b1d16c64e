"""`vip-operator plan`: what the plan makes of manifests, without doing any of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from vip_common.manifests.reading import Reading
from vip_model.planning.explain import about_node, ranking
from vip_model.planning.inputs import Liveness, PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.planning.planned_status import PlannedStatus
from vip_model.planning.rank import place_of
from vip_model.planning.static import named_as_documents
from vip_model.resources.gate import BUILT_GATE_KINDS
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.errors import Problem
from vip_model.schema.hosts import meant_by
from vip_model.schema.parse import Parsed, parse_documents
from vip_operator.commands.heard import liveness_of
from vip_operator.core.known.kubernetes_objects import LEASE_PREFIX, read_service
from vip_operator.core.known.snapshot import ServiceObject
from vip_operator.core.settings import LOAD_BALANCER_CLASS


@dataclass(frozen=True, slots=True)
class DryRun:
    """What the plan makes of manifests.

    Attributes:
        parsed: what was in them.
        plan: what follows.
        in_cluster: it is the plan of a cluster.
        unclear: names of nodes that may mean several.
        skipped: what is named like a manifest and is none, one sentence each.
    """

    parsed: Parsed
    plan: Plan
    in_cluster: bool
    unclear: tuple[Problem, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def problems(self) -> list[Problem]:
        """Everything that is refused, with where it was read."""
        refused = (problem for status in self.plan.refusals for problem in status.problems)
        found = (self._placed(problem) for problem in (*refused, *self.unclear))
        return [*self.parsed.problems, *found]

    @property
    def warnings(self) -> list[Problem]:
        """What does not hinder but should be known, with where it was read."""
        return [self._placed(warning) for warning in self.plan.warnings]

    @property
    def ignored(self) -> list[str]:
        """Documents of kinds that say nothing here."""
        lease = f"/{LEASE_PREFIX}" if self.in_cluster else None
        return [
            each
            for each in self.parsed.ignored
            if not (lease and each.startswith("Lease ") and lease in each)
        ]

    @property
    def owners(self) -> dict[str, VirtualIP]:
        """One VirtualIP of each VirtualRouter that is accepted."""
        accepted = {each.virtual_ip for each in self.plan.statuses if each.accepted}
        return {each.router_name: each for each in self.parsed.virtual_ips if each.key in accepted}

    def name_in(self, router: VirtualRouter, node: str) -> str:
        """Return what a node is called in an election; in a cluster it has one name only."""
        if self.in_cluster:
            return node
        meant = meant_by(node, (candidate.node for candidate in router.spec.candidates))
        return meant[0] if len(meant) == 1 else node

    def _placed(self, problem: Problem) -> Problem:
        return replace(problem, origin=self.parsed.origins.get(problem.object, ""))


def dry_run(manifests: Reading) -> DryRun:
    """Return what the plan makes of manifests.

    With Speakers among them it is the plan of a cluster, with VirtualRouters as what was
    allocated before, Services as they are, and Leases as what tells which nodes are heard;
    otherwise it is what hosts without Kubernetes would do.
    """
    documents = [(each.origin, each.content) for each in manifests.documents]
    services, others = _services(documents)
    parsed = parse_documents(others)
    in_cluster = bool(parsed.speakers or parsed.virtual_routers)
    if not in_cluster:
        services, parsed = [], parse_documents(documents)  # Services are nothing to such hosts
    virtual_ips, unclear = (parsed.virtual_ips, []) if in_cluster else named_as_documents(parsed)
    found = plan(
        PlanInputs(
            virtual_ips=virtual_ips,
            pools=parsed.pools,
            services=[each.planned(LOAD_BALANCER_CLASS) for each in services] or None,
            nodes=parsed.nodes,
            speakers=parsed.speakers if in_cluster else None,
            allocated=parsed.virtual_routers if in_cluster else None,
            unreadable=parsed.unreadable,
            supported_gates=BUILT_GATE_KINDS,
            liveness=liveness_of(documents, parsed) if in_cluster else Liveness(),
        )
    )
    return DryRun(parsed, found, in_cluster, tuple(unclear), manifests.skipped)


def _services(
    documents: Iterable[tuple[str, object]],
) -> tuple[list[ServiceObject], list[tuple[str, object]]]:
    """Return the Services among documents, and the other documents."""
    services, others = [], []
    for origin, content in documents:
        service = _read_service(content)
        if service is None:
            others.append((origin, content))
        else:
            services.append(service)
    return services, others


def _read_service(content: object) -> ServiceObject | None:
    if not isinstance(content, dict) or content.get("kind") != "Service":
        return None
    try:
        return read_service(content)
    except msgspec.ValidationError:
        return None  # it is listed among what is ignored


def text(run: DryRun, node: str | None) -> str:
    """Return it for a person to read.

    Args:
        run: what the plan makes of manifests.
        node: adds what this node is in each election.
    """
    blocks = [_election(router, run, node) for router in run.plan.virtual_routers]
    if run.plan.ingress:
        blocks.append(["Services:", *(f"  {line}" for line in _ingress(run.plan))])
    if run.problems:
        blocks.append(["Refused:", *(f"  {problem}" for problem in run.problems)])
        if not run.in_cluster:
            blocks[-1].append("  A speaker that runs keeps its last good set until this is mended.")
    warnings = [*run.skipped, *run.warnings]
    if warnings:
        blocks.append(["Warnings:", *(f"  {warning}" for warning in warnings)])
    if run.ignored:
        blocks.append(["Ignored, since they are of other kinds:"])
        blocks[-1] += [f"  {each}" for each in run.ignored]
    return "\n\n".join("\n".join(block) for block in blocks)


def document(run: DryRun, node: str | None) -> dict[str, Any]:
    """Return it for a program to read."""
    found: dict[str, Any] = {
        "virtualIPs": [_status(status) for status in run.plan.statuses],
        "virtualRouters": msgspec.to_builtins(run.plan.virtual_routers),
        "deletable": sorted(run.plan.deletable),
        "awaited": {name: sorted(nodes) for name, nodes in run.plan.awaited.items()},
        "services": [
            {"name": f"{namespace}/{name}", "addresses": list(addresses)}
            for (namespace, name), addresses in run.plan.ingress.items()
        ],
        "problems": [_problem(problem) for problem in run.problems],
        "warnings": [_problem(warning) for warning in run.warnings],
        "ignored": run.ignored,
        "skipped": list(run.skipped),
    }
    if node is not None:
        places = {
            router.name: place_of(router, run.name_in(router, node))
            for router in run.plan.virtual_routers
        }
        found["places"] = msgspec.to_builtins(places)
    return found


def _election(router: VirtualRouter, run: DryRun, node: str | None) -> list[str]:
    spec = router.spec
    if router.name in run.plan.deletable:
        return [f"{router.display_name} is over, and its VirtualRouter is deleted"]
    if spec.retired:
        lines = [f"{router.display_name} is being retired: no VirtualIP asks for it any more"]
        return lines + _waiting(router, run)
    if spec.standby:
        addresses = ", ".join(_addresses(router))
        line = f"{_title(router)} runs once another election has let go of {addresses}"
        return [line, *_waiting(router, run)]
    lines = [f"{_title(router)}: {', '.join(_addresses(router))}", f"  {_parameters(router)}"]
    owner = run.owners.get(router.name)
    if owner is None:
        return [*lines, "  stays as it is, since what is asked for is refused or still moving"]
    allocated = {each.name: each for each in run.parsed.virtual_routers}
    rows = [
        (str(each.rank) if each.rank else "-", each.node, each.priority, each.why)
        for each in ranking(router, owner, allocated)
    ]
    if rows:
        lines += _table([("RANK", "NODE", "PRIORITY", "WHY"), *rows])
    else:
        lines.append("  no node can hold it: none reports an interface in the subnet")
    if spec.releasing:
        lines.append(f"  lets go of {', '.join(spec.releasing)}")
        lines += _waiting(router, run)
    if node is not None:
        lines.append(f"  {about_node(router, run.name_in(router, node))}")
    return lines


def _ingress(plan: Plan) -> Iterator[str]:
    for (namespace, name), addresses in plan.ingress.items():
        yield f"{namespace}/{name} shows {', '.join(addresses) or 'no address'}"


def _waiting(router: VirtualRouter, run: DryRun) -> list[str]:
    awaited = run.plan.awaited.get(router.name, frozenset())
    return [f"  waits for {', '.join(sorted(awaited))}"] if awaited else []


def _title(router: VirtualRouter) -> str:
    if not router.is_group:
        return router.display_name
    return f"group {router.display_name} ({', '.join(router.owners)})"


def _addresses(router: VirtualRouter) -> Iterator[str]:
    for instance in router.spec.instances:
        yield from instance.addresses


def _parameters(router: VirtualRouter) -> str:
    spec = router.spec
    found = [
        f"VRID {spec.instances[0].virtual_router_id}",
        f"adverts every {spec.timing.advertisement_interval_milliseconds} ms",
        f"preemption {spec.preemption.mode}",
    ]
    if spec.gates:
        found.append(f"gates {', '.join(gate.name for gate in spec.gates)}")
    return ", ".join(found)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return [f"  {line.rstrip()}" for line in lines]


def _status(status: PlannedStatus) -> dict[str, Any]:
    return {
        "name": status.virtual_ip,
        "accepted": status.accepted,
        "reason": str(status.reason),
        "virtualRouter": status.router,
        "addressSummary": status.address_summary,
        "problems": [_problem(problem) for problem in status.problems],
    }


def _problem(problem: Problem) -> dict[str, str]:
    return {
        "origin": problem.origin,
        "object": problem.object,
        "field": problem.field,
        "message": problem.message,
    }
