"""Static mode: from the documents of a file to elections, the same on every host. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from vip_model.errors import Problem
from vip_model.inputs import PlanInputs
from vip_model.parse import Parsed, parse_documents
from vip_model.plan import Plan, plan
from vip_model.rank import place_of
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.status import COLLISIONS


@dataclass(frozen=True, slots=True)
class StaticPlan:
    """What a set of documents means.

    Attributes:
        virtual_routers: the elections; None: the set is rejected, and the last good one stays.
        problems: why the set is rejected, or what of it is left out at a first start.
        warnings: what does not hinder but should be known.
        ignored: documents of other kinds: "Deployment shop/web (vip.yaml)".
    """

    virtual_routers: tuple[VirtualRouter, ...] | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    ignored: tuple[str, ...] = ()


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
        node: adds warnings about what this node is in the plan.
    """
    parsed = parse_documents(documents)
    ignored = parsed.ignored + _of_other_kinds(parsed)
    found = plan(
        PlanInputs(
            virtual_ips=parsed.virtual_ips, nodes=parsed.nodes, supported_gates=supported_gates
        )
    )
    origins = parsed.origins
    problems = parsed.problems + tuple(
        _with_origin(problem, origins) for status in found.refusals for problem in status.problems
    )
    only_collisions = not parsed.problems and all(
        status.reason in COLLISIONS for status in found.refusals
    )
    usable = not problems or (first_start and only_collisions)
    warnings = [_with_origin(warning, origins) for warning in found.warnings]
    if node is not None and usable:
        warnings += _about_node(found, node)
    return StaticPlan(
        virtual_routers=found.virtual_routers if usable else None,
        problems=problems,
        warnings=tuple(warnings),
        ignored=ignored,
    )


def _of_other_kinds(parsed: Parsed) -> tuple[str, ...]:
    """Return the documents of ours that mean nothing outside of a cluster."""
    others = (
        *(f"VirtualIPPool {pool.name}" for pool in parsed.pools),
        *(f"VirtualRouter {router.name}" for router in parsed.virtual_routers),
        *(f"Speaker {speaker.node}" for speaker in parsed.speakers),
    )
    return tuple(f"{label} ({parsed.origins[label]})" for label in others)


def _with_origin(problem: Problem, origins: Mapping[str, str]) -> Problem:
    return replace(problem, origin=origins.get(problem.object, ""))


def _about_node(found: Plan, node: str) -> list[Problem]:
    """Return what a node should know that is not among the named ones."""
    warnings = []
    for router in found.virtual_routers:
        place = place_of(router, node)
        label = f"VirtualRouter {router.name}"
        if place is None:
            text = (
                f"{node} takes no part: as many nodes are named as may, or it fits no Node document"
            )
            warnings.append(Problem(label, "", text))
        elif place.hashed and router.spec.candidates:
            text = (
                f"{node} is not named in placement.preferredNodes: its slot {place.slot} is drawn "
                "by hash, and another node may draw the same one; name it there"
            )
            warnings.append(Problem(label, "", text))
    return warnings
