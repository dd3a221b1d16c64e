"""What the engine says of itself."""

from __future__ import annotations

from collections.abc import Iterable

from vip_model.vocabulary import Family, Reason, State
from vip_speaker.engine.clock import WallClock
from vip_speaker.engine.router import Router
from vip_speaker.engine.strangers import Stranger
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredInstance, ForeignRouter, InterfaceReport, RouterStatus
from vip_speaker.vrrp.election import Health


def interfaces(view: NetworkView) -> list[InterfaceReport]:
    """Return every interface that a virtual router could use."""
    return [
        InterfaceReport(name=name, mac=mac, subnets=list(subnets), carrier=carrier)
        for name, mac, subnets, carrier in view.reports()
    ]


def foreign(strangers: Iterable[Stranger], view: NetworkView) -> list[ForeignRouter]:
    """Return the strangers with the names of their interfaces, each once, in the same order."""
    found = {
        ForeignRouter(
            interface=link.name,
            family=Family.IPV4 if stranger.source.version == 4 else Family.IPV6,
            virtual_router_id=stranger.virtual_router_id,
            source=str(stranger.source),
        ): None
        for stranger in strangers
        if (link := view.link_by_index(stranger.ifindex)) is not None
    }
    return list(found)


def routers(running: Iterable[Router], wall_clock: WallClock) -> list[RouterStatus]:
    """Return one item per instance, in the order of the routers' names."""
    ordered = sorted(running, key=lambda router: router.desired.display_name)
    return [
        _instance(router, position, instance, wall_clock.rfc3339(router.since_ns))
        for router in ordered
        for position, instance in enumerate((router.instances.in_force or router.desired).instances)
    ]


def _instance(router: Router, position: int, instance: DesiredInstance, since: str) -> RouterStatus:
    election = router.election
    running, placement = router.instances.at(position), router.instances.placement
    missing = placement.missing.get(position) if placement is not None else None
    source = election.active_source_on(position) if election else None
    counters = router.counters(instance.family, instance.virtual_router_id)
    state = election.state if election and missing is None else State.INITIALIZE
    return RouterStatus(
        name=router.desired.display_name,
        router=router.name,
        interface=running.placed.interface if running else "",
        family=instance.family,
        virtual_router_id=instance.virtual_router_id,
        state=state,
        yielding=election.yielding if election else False,
        withdrawn=election is not None and election.health is Health.WITHDRAWN,
        reason=Reason.NOT_PLACEABLE if missing else router.obstacles.reason(election),
        message=missing or router.obstacles.message(election),
        missing=len(placement.missing) if placement is not None else 0,
        not_in_force=router.instances.not_in_force,
        priority=router.desired.priority,
        effective_priority=election.effective_priority if election else router.desired.priority,
        advertisement_interval_milliseconds=router.desired.advertisement_interval_milliseconds,
        active_source=str(source) if source else "",
        since=since,
        addresses=instance.addresses,
        gates=router.gates,
        counters=counters.message(router.transitions),
    )
