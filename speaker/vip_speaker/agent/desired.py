"""From VirtualRouters to what is sent to the engine and which gates run; for both modes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vip_model.planning.rank import place_of, sources_of
from vip_model.resources.enums import UnlistedNodes
from vip_model.resources.gate import ENGINE_GATE_KINDS, Gate
from vip_model.resources.virtual_router import AdvertSource, RouterInstance, VirtualRouter
from vip_speaker.messages import DesiredGate, DesiredInstance, DesiredRouter, KnownRouter

GateKey = tuple[str, str]  # router name, gate name


@dataclass(frozen=True, slots=True)
class WantedGate:
    """A gate that the agent is to run.

    Attributes:
        spec: what the manifest or the VirtualRouter says.
        kind: httpGet, pods, …, or a kind of the agent's own; empty for one that is not known here.
        namespace: of the VirtualIPs that it belongs to.
    """

    spec: Gate
    kind: str
    namespace: str = ""


def wanted_gates(router: VirtualRouter) -> Iterator[tuple[GateKey, WantedGate]]:
    """Yield every gate of an election that the engine does not judge by itself."""
    namespace = router.spec.owners[0].namespace if router.spec.owners else ""
    for gate in router.spec.gates:
        if gate.kind not in ENGINE_GATE_KINDS:
            yield (router.name, gate.name), WantedGate(gate, gate.kind or "", namespace)


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
        candidates=spec.timing.failing_slots,
        advertisement_interval_milliseconds=spec.timing.advertisement_interval_milliseconds,
        preemption=spec.preemption.mode,
        preemption_delay_seconds=spec.preemption.delay_seconds,
        start_delay_seconds=spec.timing.start_delay_seconds,
        health_bands=spec.health_bands,
        checksum=spec.checksum,
        generate_link_local=spec.generate_link_local,
        bootstrap=spec.bootstrap,
        instances=[_instance(router, instance) for instance in spec.instances],
        gates=[_gate(gate) for gate in spec.gates],
    )


def known_routers(
    router: VirtualRouter, former: Iterable[AdvertSource] = ()
) -> Iterator[KnownRouter]:
    """Yield what the engine must know of an election to take none of its members for a stranger.

    Args:
        router: the election, whether this node takes part or not.
        former: where the adverts of earlier candidates come from.
    """
    former = tuple(former)
    nobody = not router.spec.candidates and router.spec.unlisted_nodes is UnlistedNodes.REFUSED
    for instance in router.spec.instances:
        sources = () if nobody else sources_of(router, instance)
        if sources is not None:
            more = (each.address for each in former if each.family is instance.family)
            sources = tuple(dict.fromkeys([*sources, *more]))
        yield KnownRouter(
            family=instance.family,
            virtual_router_id=instance.virtual_router_id,
            sources=None if sources is None else list(sources),
        )


def _instance(router: VirtualRouter, instance: RouterInstance) -> DesiredInstance:
    sources = sources_of(router, instance)
    return DesiredInstance(
        family=instance.family,
        virtual_router_id=instance.virtual_router_id,
        interfaces=list(instance.interfaces),
        addresses=list(instance.addresses),
        sources=None if sources is None else list(sources),
    )


def _gate(gate: Gate) -> DesiredGate:
    return DesiredGate(
        name=gate.name,
        action=gate.failure_policy.action,
        by=gate.failure_policy.by,
        cost=gate.failure_policy.cost,
        partial_cost=gate.partial_cost,
        interface=gate.interface.name if gate.interface else None,
    )
