"""Whom an election has to wait for before it is over, or before addresses of it are free. Pure.

A node that was a candidate may run an election until it has applied a revision that ends it, or
has ended itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from vip_model.planning.inputs import Liveness
from vip_model.planning.networks import NetworkMap, Sources
from vip_model.resources.virtual_router import Candidate, VirtualRouter
from vip_model.schema.addresses import normalised

# So many neighbours must agree that a node has ended.
WITNESSES = 2


class Endings:
    """Tells whom elections wait for.

    Args:
        liveness: which nodes are there.
        networks: what speakers report.
    """

    def __init__(self, liveness: Liveness, networks: NetworkMap | None) -> None:
        self._liveness = liveness
        self._networks = networks

    @property
    def unreachable(self) -> frozenset[str]:
        """Nodes that are not heard, ended ones included."""
        return self._liveness.unreachable

    def former(self, router: VirtualRouter) -> list[Candidate]:
        """Return who may run an election without being a candidate any more."""
        former = self._liveness.former.get(router.name, ())
        return [self._with_sources(each, router) for each in former]

    def confirmed(self, router: str) -> frozenset[str]:
        """Return the nodes that have applied the newest revision of an election in between."""
        return self._liveness.confirmed.get(router, frozenset())

    def ended(self, router: VirtualRouter) -> frozenset[str]:
        """Return the candidates that certainly do not run an election any more."""
        return self._liveness.ended.get(router.name, frozenset())

    def awaited(self, router: VirtualRouter) -> frozenset[str]:
        """Return the nodes that may run an earlier revision of an election."""
        return self._nodes(router) - self.confirmed(router.name) - self.ended(router)

    def unheard(self, routers: Iterable[VirtualRouter]) -> dict[str, frozenset[str]]:
        """Return by name of an election the nodes that may run it and are not heard, if any."""
        if not self.unreachable:
            return {}
        found = {each.name: self.awaited(each) & self.unreachable for each in routers}
        return {name: nodes for name, nodes in found.items() if nodes}

    def is_over(self, router: VirtualRouter) -> bool:
        """Return whether no node runs an election that is retired."""
        return router.spec.retired and not self.awaited(router)

    def holding(self, routers: Iterable[VirtualRouter]) -> Iterator[VirtualRouter]:
        """Yield the elections that may hold addresses, without what they have let go of."""
        for router in routers:
            if self.is_over(router):
                continue
            if router.spec.releasing and not self.awaited(router):
                spec = msgspec.structs.replace(router.spec, releasing=())
                yield msgspec.structs.replace(router, spec=spec)
            else:
                yield router

    def releasing(
        self,
        stored: VirtualRouter | None,
        addresses: Iterable[str],
        *,
        announced: Iterable[str] = (),
        standby: bool,
    ) -> tuple[str, ...]:
        """Return the addresses that an election lets go of, until nobody may hold them for it.

        Args:
            stored: the election as it is.
            addresses: what it has from now on.
            announced: of these, what it is to lose as soon as every candidate knows that.
            standby: it does not run from now on.
        """
        if stored is None or not self._nodes(stored):
            return ()
        spec, is_awaited = stored.spec, bool(self.awaited(stored))
        left = spec.releasing if is_awaited else ()
        has_run = not spec.standby and (is_awaited or not spec.retired)
        had = sorted({*stored.addresses}) if has_run else ()
        kept = frozenset[str]() if standby else frozenset(addresses)
        gone = (one for one in (*left, *had) if one not in kept)
        return tuple(dict.fromkeys((*announced, *gone)))

    def is_ready(self, heir: VirtualRouter | None, addresses: frozenset[str]) -> bool:
        """Return whether an election can take addresses over: its living candidates know of it.

        Args:
            heir: as it is; None where it is not there yet.
            addresses: what another one is to let go of for it.
        """
        if heir is None or heir.spec.retired:
            return False
        living = {each.node for each in heir.spec.candidates} - self.unreachable
        if heir.spec.standby:
            knows = living <= self.confirmed(heir.name) and addresses <= {*heir.addresses}
            return bool(living) and knows
        return bool(living)

    def may_be_left(self, router: VirtualRouter, addresses: frozenset[str]) -> bool:
        """Return whether an election may let go of addresses without their being away for long.

        All that may hold one know that it goes, and are there to end it at once, or have ended.
        If none of them is heard, nothing is lost with it.
        """
        nodes = self._nodes(router)
        is_announced = addresses <= frozenset(router.spec.releasing)
        return nodes <= self.unreachable or (is_announced and not self.awaited(router))

    def retire(self, router: VirtualRouter) -> VirtualRouter:
        """Return an election marked as retired, with the marks that show whom it waits for.

        It keeps VRID and addresses.
        """
        retired = msgspec.structs.replace(
            router, spec=msgspec.structs.replace(router.spec, retired=True)
        )
        waits = self.awaited(router) if router.spec.retired else self._nodes(router)
        if waits.isdisjoint(self.unreachable):
            return retired
        marked = self.mark(retired)
        if {each.node for each in marked.spec.candidates} - self.unreachable:
            return marked
        return _with_candidates(
            marked, [*marked.spec.candidates, *_below(self._neighbours(marked), marked)]
        )

    def mark(self, router: VirtualRouter) -> VirtualRouter:
        """Return an election in which every node that may run it unheard is marked."""
        listed = {each.node for each in router.spec.candidates}
        lost = (
            each
            for each in self.former(router)
            if each.node in self.unreachable and each.node not in listed
        )
        candidates = [*router.spec.candidates, *_below(lost, router)]
        return _with_candidates(
            router,
            [
                msgspec.structs.replace(
                    each, unreachable=each.unreachable or each.node in self.unreachable
                )
                for each in candidates
            ],
        )

    def _nodes(self, router: VirtualRouter) -> frozenset[str]:
        former = self._liveness.former.get(router.name, ())
        return frozenset(each.node for each in (*router.spec.candidates, *former))

    def _with_sources(self, candidate: Candidate, router: VirtualRouter) -> Candidate:
        """Return a candidate with the sources that others can listen to, if any are known."""
        if candidate.sources:
            return candidate
        sources = self._members(router).get(candidate.node, ())
        return msgspec.structs.replace(candidate, sources=sources)

    def _members(self, router: VirtualRouter) -> Mapping[str, Sources]:
        """Return the nodes on the link of an election, and their sources there."""
        if self._networks is None:
            return {}
        instance = router.spec.instances[0]
        return self._networks.members(
            instance.family, normalised(instance.addresses), instance.interfaces
        )

    def _neighbours(self, router: VirtualRouter) -> Iterator[Candidate]:
        """Yield nodes on the link that are there and can tell whether others are."""
        members = self._members(router)
        living = sorted(members.keys() - self._nodes(router) - self.unreachable)
        for node in living[:WITNESSES]:
            yield Candidate(node=node, slot=0, priority=1, sources=members[node])


def _below(candidates: Iterable[Candidate], router: VirtualRouter) -> Iterator[Candidate]:
    """Yield candidates with slots and priorities after those of an election."""
    listed = router.spec.candidates
    slot = max((each.slot for each in listed), default=-1)
    priority = min((each.priority for each in listed), default=255)
    for each in candidates:
        slot, priority = slot + 1, max(1, priority - 1)
        yield msgspec.structs.replace(each, slot=slot, priority=priority)


def _with_candidates(router: VirtualRouter, candidates: Iterable[Candidate]) -> VirtualRouter:
    spec = msgspec.structs.replace(router.spec, candidates=tuple(candidates))
    return msgspec.structs.replace(router, spec=spec)
