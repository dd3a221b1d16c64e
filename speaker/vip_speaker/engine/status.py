"""What the engine says of itself."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Mapping

import msgspec

from vip_model.vocabulary import OWNER_PRIORITY, Family, Reason, State
from vip_speaker.engine.clock import WallClock, boottime_ns
from vip_speaker.engine.judge import Refusal
from vip_speaker.engine.router import Router
from vip_speaker.engine.strangers import Stranger
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import (
    Counters,
    DesiredInstance,
    ForeignRouter,
    InterfaceReport,
    RouterStatus,
)

# Of a router that is refused; it may be refused because it has too many.
_log = logging.getLogger("engine")

_ADDRESSES_SHOWN = 255
_INSTANCES_SHOWN = 8


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


def log_strangers(found: list[ForeignRouter], before: list[ForeignRouter]) -> None:
    """Log which virtual routers of others are new, and which are gone."""
    for what, some, others in (
        ("Heard virtual routers that are not ours", found, before),
        ("No longer heard, virtual routers that are not ours", before, found),
    ):
        texts = [
            f"VRID {each.virtual_router_id} from {each.source} on {each.interface}"
            for each in some
            if each not in others
        ]
        if texts:
            _log.info("%s: %s", what, ", ".join(texts))


def routers(
    running: Iterable[Router], refused: Mapping[str, Refusal], wall_clock: WallClock
) -> Generator[None, None, list[RouterStatus]]:
    """Return one item per instance, in the order of the routers' names, after a step for each.

    Args:
        running: what runs.
        refused: what does not, or not as desired.
        wall_clock: tells people of moments.
    """
    found: list[RouterStatus] = []
    names = set()
    for router in running:
        names.add(router.name)
        since = wall_clock.rfc3339(router.since_ns)
        edit = refused.get(router.name)
        for position, instance in enumerate(
            (router.instances.in_force or router.desired).instances
        ):
            one = _instance(router, position, instance, since)
            found.append(msgspec.structs.replace(one, not_in_force=edit.why) if edit else one)
        yield
    now = wall_clock.rfc3339(boottime_ns())
    for name, refusal in refused.items():
        if name not in names:
            found += _not_run(refusal, now)
    return sorted(found, key=lambda one: one.name)


def _not_run(refusal: Refusal, since: str) -> list[RouterStatus]:
    """Return what there is to say of a router that never ran, within the bounds of each field."""
    router = refusal.router
    priority = min(max(router.priority, 0), OWNER_PRIORITY)
    nothing = DesiredInstance(family=Family.IPV4, virtual_router_id=0, addresses=[])
    return [
        RouterStatus(
            name=router.display_name,
            router=router.name,
            interface="",
            family=instance.family,
            virtual_router_id=min(max(instance.virtual_router_id, 0), 255),
            state=State.INITIALIZE,
            reason=Reason.INVALID,
            message=refusal.why,
            priority=priority,
            effective_priority=priority,
            advertisement_interval_milliseconds=max(router.advertisement_interval_milliseconds, 0),
            since=since,
            addresses=instance.addresses[:_ADDRESSES_SHOWN],
            gates=[],
            counters=Counters(),
        )
        for instance in router.instances[:_INSTANCES_SHOWN] or [nothing]
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
        withdrawn=election is not None and election.health.withdrawn,
        reason=Reason.NOT_PLACEABLE if missing else router.obstacles.reason(election),
        message=missing or router.obstacles.message(election),
        missing=len(placement.missing) if placement is not None else 0,
        not_in_force=router.instances.not_in_force,
        conflict=router.prober.conflict,
        priority=router.desired.priority,
        effective_priority=election.effective_priority if election else router.desired.priority,
        advertisement_interval_milliseconds=router.desired.advertisement_interval_milliseconds,
        active_source=str(source) if source else "",
        since=since,
        addresses=instance.addresses,
        gates=router.gates,
        counters=counters.message(router.transitions),
    )
