"""Static mode: from manifests to what is sent to this node's engine and which gates run.

What is planned is the model's business (`vip_model.planning.static`); here it becomes what the
processes of one node exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from vip_common.manifests.documents import Document
from vip_model.planning.static import StaticPlan, plan_documents
from vip_model.resources.gate import ENGINE_GATE_KINDS
from vip_model.resources.virtual_router import VirtualRouter
from vip_speaker.agent.desired import (
    GateKey,
    WantedGate,
    desired_router,
    known_routers,
    wanted_gates,
)
from vip_speaker.gates import registry
from vip_speaker.messages import DesiredRouter, KnownRouter


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What a set of manifests means for one node.

    Attributes:
        routers: what the engine is to run; None: the set is rejected.
        gates: what the agent is to run.
        problems: why the set is rejected, or what of it was left out; one sentence each.
        warnings: what does not hinder but should be known.
        ignored: documents of kinds that static mode does not know.
        excluded: the elections in which the node takes no part, and why; one sentence each.
        known: every virtual router of the set, those of other nodes included.
    """

    routers: tuple[DesiredRouter, ...] | None
    gates: Mapping[GateKey, WantedGate]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    ignored: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    known: tuple[KnownRouter, ...] = ()


def plan_node(documents: Iterable[Document], node: str, *, first_start: bool) -> NodePlan:
    """Return what one node is to run.

    Args:
        documents: the manifests.
        node: name of the node.
        first_start: there is no last good set, so that documents that collide with earlier ones
            are left out instead of rejecting the whole set.
    """
    plan = plan_documents(
        [(document.origin, document.content) for document in documents],
        supported_gates=registry.kinds() | ENGINE_GATE_KINDS,
        first_start=first_start,
        node=node,
    )
    mine = [
        (router, desired)
        for router in plan.virtual_routers or ()
        if (desired := desired_router(router, plan.names.get(router.name, node))) is not None
    ]
    return NodePlan(
        routers=_routers(plan, mine),
        gates=dict(chain.from_iterable(wanted_gates(router) for router, _desired in mine)),
        problems=tuple(str(problem) for problem in plan.problems),
        warnings=tuple(str(warning) for warning in plan.warnings),
        excluded=tuple(str(each) for each in plan.excluded),
        ignored=plan.ignored,
        known=tuple(chain.from_iterable(map(known_routers, plan.virtual_routers or ()))),
    )


def _routers(
    plan: StaticPlan, mine: list[tuple[VirtualRouter, DesiredRouter]]
) -> tuple[DesiredRouter, ...] | None:
    if plan.virtual_routers is None:
        return None
    return tuple(desired for _router, desired in mine)
