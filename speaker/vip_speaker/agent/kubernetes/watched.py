"""Which nodes the engine is to watch, since VirtualRouters call them unreachable. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

from vip_model.resources.virtual_router import Candidate, RouterInstance, VirtualRouter
from vip_speaker.messages import WatchedNode, WatchedSource

# As many as a Speaker reports.
_NODES_MAX = 256


@dataclass(slots=True)
class _Found:
    """What VirtualRouters say of a node, each source once."""

    sources: dict[tuple[str, tuple[str, ...], str], None] = field(default_factory=dict)
    interval_milliseconds: int = 0


def watched_nodes(routers: Iterable[VirtualRouter], node: str) -> list[WatchedNode]:
    """Return the unreachable candidates of all elections that list this node, by name.

    An election that is retired or on standby counts as well: whether its candidates have ended is
    what others wait for. A candidate whose sources are unknown cannot be asked.

    Args:
        routers: every VirtualRouter that there is.
        node: this node, which never watches itself.
    """
    found: dict[str, _Found] = {}
    for router in routers:
        for candidate in _unreachable(router, node):
            one = found.setdefault(candidate.node, _Found())
            one.sources.update(dict.fromkeys(_sources(router, candidate)))
            interval = router.spec.timing.advertisement_interval_milliseconds
            one.interval_milliseconds = max(one.interval_milliseconds, interval)
    names = sorted(name for name, one in found.items() if one.sources)
    return [_message(name, found[name]) for name in names[:_NODES_MAX]]


def _unreachable(router: VirtualRouter, node: str) -> Iterator[Candidate]:
    if any(candidate.node == node for candidate in router.spec.candidates):
        for candidate in router.spec.candidates:
            if candidate.unreachable and candidate.node != node:
                yield candidate


def _sources(
    router: VirtualRouter, candidate: Candidate
) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for instance in router.spec.instances:
        for source in candidate.sources:
            if source.family is instance.family:
                yield source.address, instance.interfaces, _decisive(instance)


def _decisive(instance: RouterInstance) -> str:
    """Return the virtual address that tells which interface the instance is on."""
    telling = (each for each in instance.addresses if not ip_address(each).is_link_local)
    return next(telling, instance.addresses[0])


def _message(name: str, found: _Found) -> WatchedNode:
    return WatchedNode(
        node=name,
        sources=[
            WatchedSource(address=address, interfaces=list(interfaces), near=near)
            for address, interfaces, near in sorted(found.sources)
        ],
        advertisement_interval_milliseconds=found.interval_milliseconds,
    )
