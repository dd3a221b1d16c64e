"""Static mode: from manifests to what this node's engine is told and which gates run.

What is planned is the model's business (`vip_model.static`); here it becomes what the processes
of one node exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from vip_model.rank import place_of, sources_of
from vip_model.resources.gate import CLUSTER_GATE_KINDS, Gate
from vip_model.resources.virtual_router import RouterInstance, VirtualRouter
from vip_model.static import StaticPlan, plan_documents
from vip_speaker.agent.files import Document
from vip_speaker.gates import registry
from vip_speaker.gates.constant import ConstantGate
from vip_speaker.messages import (
    Checksum,
    DesiredGate,
    DesiredInstance,
    DesiredRouter,
    FailureAction,
    Family,
    PreemptionMode,
    Verdict,
    VerdictState,
)

# The engine judges it by itself.
ENGINE_GATE_KINDS = frozenset({"interface"})

GateKey = tuple[str, str]  # router name, gate name


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What a set of manifests means for one node.

    Attributes:
        routers: what the engine is to run; None: the set is rejected.
        gates: what the agent is to run.
        problems: why the set is rejected, or what of it was left out; one sentence each.
        warnings: what does not hinder but should be known.
        ignored: documents of kinds that static mode does not know.
    """

    routers: tuple[DesiredRouter, ...] | None
    gates: Mapping[GateKey, Gate]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    ignored: tuple[str, ...]


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
        if (desired := desired_router(router, node)) is not None
    ]
    return NodePlan(
        routers=_routers(plan, mine),
        gates={
            (router.name, gate.name): gate
            for router, _desired in mine
            for gate in router.spec.gates
            if gate.kind not in ENGINE_GATE_KINDS
        },
        problems=tuple(str(problem) for problem in plan.problems),
        warnings=tuple(str(warning) for warning in plan.warnings),
        ignored=plan.ignored,
    )


def _routers(
    plan: StaticPlan, mine: list[tuple[VirtualRouter, DesiredRouter]]
) -> tuple[DesiredRouter, ...] | None:
    if plan.virtual_routers is None:
        return None
    return tuple(desired for _router, desired in mine)


def create_gate(gate: Gate, on_change: Callable[[], None]) -> registry.RunningGate:
    """Return a gate that has not been started; one that needs a cluster does not count."""
    if gate.kind in CLUSTER_GATE_KINDS:
        reason = f"{gate.kind} needs Kubernetes and does not count without"
        return ConstantGate(Verdict(state=VerdictState.NOT_APPLICABLE, reason=reason))
    return registry.create(gate, on_change)


def desired_router(router: VirtualRouter, node: str) -> DesiredRouter | None:
    """Return the election as this node takes part in it, or None if it takes no part."""
    place = place_of(router, node)
    if place is None:
        return None
    spec = router.spec
    return DesiredRouter(
        name=router.name,
        display_name=router.display_name,
        revision=spec.revision,
        priority=place.priority,
        slot=place.slot,
        slot_is_hashed=place.hashed,
        step=spec.timing.step,
        advertisement_interval_milliseconds=spec.timing.advertisement_interval_milliseconds,
        preemption=PreemptionMode(spec.preemption.mode.value),
        preemption_delay_seconds=spec.preemption.delay_seconds,
        health_bands=spec.health_bands,
        checksum=Checksum(spec.checksum.value),
        generate_link_local=spec.generate_link_local,
        bootstrap=spec.bootstrap,
        instances=[_instance(router, instance) for instance in spec.instances],
        gates=[_gate(gate) for gate in spec.gates],
    )


def _instance(router: VirtualRouter, instance: RouterInstance) -> DesiredInstance:
    sources = sources_of(router, instance)
    return DesiredInstance(
        family=Family(instance.family.value),
        virtual_router_id=instance.virtual_router_id,
        interfaces=list(instance.interfaces),
        addresses=list(instance.addresses),
        sources=None if sources is None else list(sources),
    )


def _gate(gate: Gate) -> DesiredGate:
    return DesiredGate(
        name=gate.name,
        action=FailureAction(gate.failure_policy.action.value),
        by=gate.failure_policy.by,
        interface=gate.interface.name if gate.interface else None,
    )
