"""Static mode: from the documents of a file to elections, the same on every host. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from vip_model.planning.drafts import label
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.planning.planned_status import COLLISIONS
from vip_model.planning.rank import place_of
from vip_model.resources.enums import UnlistedNodes
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.errors import Problem
from vip_model.schema.hosts import meant_by
from vip_model.schema.parse import Parsed, parse_documents


@dataclass(frozen=True, slots=True)
class StaticPlan:
    """What a set of documents means.

    Attributes:
        virtual_routers: the elections; None: the set is rejected, and the last good one stays.
        problems: why the set is rejected, or what of it is left out at a first start.
        warnings: what does not hinder but should be known.
        ignored: documents of other kinds: "Deployment shop/web (vip.yaml)".
        excluded: the elections in which this node takes no part, and why.
        names: what this node is called in the elections whose documents spell it differently.
    """

    virtual_routers: tuple[VirtualRouter, ...] | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    ignored: tuple[str, ...] = ()
    excluded: tuple[Problem, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def plan_documents(
    documents: Iterable[tuple[str, object]],
    *,
    supported_gates: frozenset[str] | None,
    first_start: bool,
    node: str | None = None,
) -> StaticPlan:
    """Return the elections of documents that are already decoded.

    Any problem rejects the whole set, so that a file that turns bad while running changes
    nothing. Only where there is no last good set (`first_start`) are VirtualIPs that merely
    collide with an earlier one, by namespace and name, left out and the others used.

    Args:
        documents: pairs of where it was read (a file) and the decoded document.
        supported_gates: kinds of gates that this speaker has; None: not judged.
        first_start: there is no last good set.
        node: adds what this node is in the plan.
    """
    parsed = parse_documents(documents)
    virtual_ips, unclear = named_as_documents(parsed)
    found = plan(
        PlanInputs(virtual_ips=virtual_ips, nodes=parsed.nodes, supported_gates=supported_gates)
    )
    place = _Place(found, node)
    refused = (problem for status in found.refusals for problem in status.problems)
    others = [*unclear, *_empty(found), *place.unclear]
    problems = parsed.problems + _with_origins([*refused, *others], parsed)
    only_collisions = not (parsed.problems or others) and all(
        status.reason in COLLISIONS for status in found.refusals
    )
    usable = not problems or (first_start and only_collisions)
    return StaticPlan(
        virtual_routers=found.virtual_routers if usable else None,
        problems=problems,
        warnings=_with_origins([*found.warnings, *(place.warnings if usable else ())], parsed),
        ignored=parsed.ignored + _of_other_kinds(parsed),
        excluded=_with_origins(place.excluded if usable else (), parsed),
        names=place.names,
    )


def _of_other_kinds(parsed: Parsed) -> tuple[str, ...]:
    """Return the documents of ours that mean nothing outside of a cluster."""
    others = (
        *(f"VirtualIPPool {pool.name}" for pool in parsed.pools),
        *(f"VirtualRouter {router.name}" for router in parsed.virtual_routers),
        *(f"Speaker {speaker.node}" for speaker in parsed.speakers),
    )
    return tuple(f"{label} ({parsed.origins[label]})" for label in others)


def _with_origins(problems: Iterable[Problem], parsed: Parsed) -> tuple[Problem, ...]:
    return tuple(
        replace(problem, origin=parsed.origins.get(problem.object, "")) for problem in problems
    )


def named_as_documents(parsed: Parsed) -> tuple[tuple[VirtualIP, ...], list[Problem]]:
    """Return the VirtualIPs with nodes named as in the Node documents, and what is not clear."""
    known = [node.name for node in parsed.nodes or ()]
    problems: list[Problem] = []

    def renamed(virtual_ip: VirtualIP) -> VirtualIP:
        placement = virtual_ip.spec.placement
        meant = {name: meant_by(name, known) or [name] for name in placement.named}
        for name, nodes in meant.items():
            if len(nodes) > 1:
                text = f"{name} may be {' or '.join(nodes)}: write the whole name"
                problems.append(Problem(label(virtual_ip), "spec.placement", text))
        placement = placement.renamed(lambda name: meant[name][0])
        if placement == virtual_ip.spec.placement:
            return virtual_ip
        spec = msgspec.structs.replace(virtual_ip.spec, placement=placement)
        return msgspec.structs.replace(virtual_ip, spec=spec)

    return tuple(map(renamed, parsed.virtual_ips)), problems


def _empty(found: Plan) -> Iterator[Problem]:
    """Yield the elections in which no node can ever take part."""
    for router in found.virtual_routers:
        if router.spec.unlisted_nodes is UnlistedNodes.REFUSED and not router.spec.candidates:
            text = (
                "no node can take part: no Node document has the labels of nodeSelector; "
                "correct the labels, or name nodes in preferredNodes"
            )
            yield Problem(_owner(router), "spec.placement", text)


class _Place:
    """What one node is in a plan; nothing where nobody asks for one."""

    def __init__(self, found: Plan, node: str | None) -> None:
        self.names: dict[str, str] = {}
        self.unclear: list[Problem] = []
        self.warnings: list[Problem] = []
        self.excluded: list[Problem] = []
        if node is not None:
            for router in found.virtual_routers:
                self._look_at(router, node)

    def _look_at(self, router: VirtualRouter, node: str) -> None:
        candidates = [candidate.node for candidate in router.spec.candidates]
        meant = meant_by(node, candidates)
        if len(meant) > 1:
            text = (
                f"this host, {node}, may be {' or '.join(meant)}: "
                "write whole names, or start the speaker with --node and one of these"
            )
            self.unclear.append(Problem(_owner(router), "spec.placement", text))
            return
        name = self.names[router.name] = meant[0] if meant else node
        place = place_of(router, name)
        if place is None:
            text = (
                f"this host, {node}, takes no part, since no others than {', '.join(candidates)} "
                "do: if it is one of them, name it so or start its speaker with --node; "
                "if it is to take part too, raise maxCandidates or add its Node document"
            )
            self.excluded.append(Problem(_owner(router), "spec.placement", text))
        elif place.hashed and candidates:
            text = (
                f"this host, {node}, is not named: its slot {place.slot} is drawn by hash, and "
                "another host may draw the same one; name it"
            )
            self.warnings.append(Problem(_owner(router), "spec.placement.preferredNodes", text))


def _owner(router: VirtualRouter) -> str:
    """Return how problems name the first VirtualIP of an election."""
    owner = router.spec.owners[0]
    return f"VirtualIP {owner.namespace}/{owner.name}"
