"""Where each instance of a router runs on this node, and which configuration is in force. Pure.

An edit that cannot be placed must not take down what serves: as long as that is so, the router
goes on with the instances that it had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import msgspec

from vip_model.vocabulary import OWNER_PRIORITY
from vip_speaker.engine.compile import (
    Choice,
    InstanceKey,
    NotPlaceableError,
    NotPlaceableYetError,
    Placed,
    place_instance,
)
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredInstance, DesiredRouter

# Returns the name of the other router of this node that has the VRID of a place there, or None.
Others = Callable[[Placed], str | None]


def _no_other(_placed: Placed) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Missing:
    """An instance that has no place on this node now.

    Attributes:
        why: a sentence.
        is_pending: the kernel decides in a moment whether it has one.
        is_taken: another router of this node has its VRID on that interface.
    """

    why: str
    is_pending: bool = False
    is_taken: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """Every instance of a router.

    Attributes:
        router: the configuration that is in force.
        instances: in the order of that configuration, its place or why it has none.
        refused: why the instances that are desired are not in force; empty if they are.
        proven: whether this configuration, or some of it, has had a place here.
    """

    router: DesiredRouter
    instances: tuple[Placed | Missing, ...]
    refused: str = ""
    proven: bool = False

    @property
    def placed(self) -> dict[int, Placed]:
        """The instances that have a place, by their position."""
        return {at: one for at, one in enumerate(self.instances) if isinstance(one, Placed)}

    @property
    def missing(self) -> dict[int, str]:
        """Why the others have none, by their position."""
        return {at: one.why for at, one in enumerate(self.instances) if isinstance(one, Missing)}

    @property
    def is_pending(self) -> bool:
        """Whether the kernel decides in a moment about an instance that has no place."""
        return any(isinstance(one, Missing) and one.is_pending for one in self.instances)

    @property
    def is_taken(self) -> bool:
        """Whether an instance waits for another router of this node to give its VRID free."""
        return any(isinstance(one, Missing) and one.is_taken for one in self.instances)

    @property
    def why(self) -> str:
        """Why instances are missing, in one line; with the family where others have a place."""
        found = self.missing
        partial = len(found) < len(self.instances)
        sentences = [
            f"{self.router.instances[at].family.value}: {why}" if partial else why
            for at, why in found.items()
        ]
        return "; ".join(dict.fromkeys(sentences))

    def without(self, failed: Mapping[int, Missing]) -> Placement:
        """Return the same with some instances missing for another reason."""
        instances = tuple(failed.get(at, one) for at, one in enumerate(self.instances))
        return replace(self, instances=instances)


def place(
    router: DesiredRouter,
    view: NetworkView,
    earlier: Placement | None = None,
    others: Others = _no_other,
) -> Placement:
    """Return the place of every instance; those of `earlier` stay where they are while they can."""
    current = earlier.placed.values() if earlier is not None else ()
    used: dict[Choice, set[int]] = {}
    for one in current:
        used.setdefault(one.choice, set()).add(one.index)
    taken: set[InstanceKey] = set()

    def place_one(instance: DesiredInstance) -> Placed | Missing:
        try:
            placed = place_instance(router, instance, view, used)
        except NotPlaceableError as error:
            return Missing(str(error), is_pending=isinstance(error, NotPlaceableYetError))
        if placed.key in taken:
            # RFC 9568 §5.2.3: a VRID names one virtual router of a link.
            vrid = instance.virtual_router_id
            return Missing(f"VRID {vrid} is already used on {placed.interface} by this group")
        other = others(placed)
        if other is not None:
            return Missing(
                f"VRID {instance.virtual_router_id} is already used on {placed.interface} by "
                f"{other}: choose another virtualRouterID for one of them",
                is_taken=True,
            )
        taken.add(placed.key)
        return placed

    return Placement(router, tuple(place_one(instance) for instance in router.instances))


def place_in_force(
    desired: DesiredRouter,
    view: NetworkView,
    earlier: Placement | None,
    others: Others = _no_other,
) -> Placement:
    """Return where what is desired runs, or what was in force before if that would be lost.

    An edit comes into force if it can be placed whole, or else if some of it can, and with it
    every address that has a place now and is still wanted. A configuration that never had a place
    here gives way to any other.

    Args:
        desired: what is wanted.
        view: this node.
        earlier: what was in force before.
        others: which other router of this node has the VRID of a place there, by its shown name.
    """
    fresh = place(desired, view, earlier, others)
    if earlier is None:
        return replace(fresh, proven=bool(fresh.placed))
    same = _same_instances(earlier.router, desired) and not _becomes_owner(earlier.router, desired)
    proven = bool(fresh.placed) or (same and earlier.proven)
    if same or not earlier.proven or not fresh.missing:
        return replace(fresh, proven=proven)
    kept = place(_with_instances_of(earlier.router, desired), view, earlier, others)
    wanted = {address for one in desired.instances for address in one.addresses}
    lost = (_served(kept) & wanted) - _served(fresh)
    if fresh.placed and not lost:
        return replace(fresh, proven=proven)
    return replace(kept, proven=True, refused=fresh.why)


def _served(placement: Placement) -> set[str]:
    return {address for one in placement.placed.values() for address in one.wanted}


def _same_instances(before: DesiredRouter, desired: DesiredRouter) -> bool:
    return [_identity(one) for one in before.instances] == [
        _identity(one) for one in desired.instances
    ]


def _with_instances_of(before: DesiredRouter, desired: DesiredRouter) -> DesiredRouter:
    """Return what is desired with the instances of before; whose adverts count is news."""
    sources = {(one.family, one.virtual_router_id): one.sources for one in desired.instances}
    instances = [
        msgspec.structs.replace(
            one, sources=sources.get((one.family, one.virtual_router_id), one.sources)
        )
        for one in before.instances
    ]
    priority = before.priority if _becomes_owner(before, desired) else desired.priority
    return msgspec.structs.replace(desired, instances=instances, priority=priority)


def _becomes_owner(before: DesiredRouter, desired: DesiredRouter) -> bool:
    return desired.priority == OWNER_PRIORITY != before.priority


def _identity(instance: DesiredInstance) -> DesiredInstance:
    return msgspec.structs.replace(instance, sources=None)
