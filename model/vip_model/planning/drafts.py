"""Elections in the making: which VirtualIPs share one, and what is said of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vip_model.planning.inputs import PlanInputs
from vip_model.planning.planned_status import PlannedStatus, address_summary
from vip_model.resources.base import Part
from vip_model.resources.gate import Gate
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import Owner, VirtualRouter
from vip_model.schema.errors import Problem
from vip_model.schema.fields import fields_of
from vip_model.schema.limits import Finding
from vip_model.vocabulary import Reason


@dataclass(slots=True)
class Draft:
    """One election in the making.

    Attributes:
        name: name of the VirtualRouter.
        allocated: what was allocated before, also if it is retired.
        members: VirtualIPs that belong to it and are accepted so far, in order of precedence.
        moving: those that are to belong to it once another election has let their addresses go.
        refused: those that belong to it and are refused.
        staying: NAMESPACE/NAME of those for whom it runs and who are refused now, whatever their
            edit asks for, or cannot be read. What it has for them stays.
        is_left: owners of it are on their way to another election.
        announced: addresses that these take along as soon as every candidate knows of it.
        standby: its members are moving, so that it may be made known and must not run.
        virtual_router_id: VRID once it is known.
        remembered_virtual_router_id: VRID that it had before its VirtualRouter was lost.
    """

    name: str
    allocated: VirtualRouter | None = None
    members: list[VirtualIP] = field(default_factory=list)
    moving: list[VirtualIP] = field(default_factory=list)
    refused: list[VirtualIP] = field(default_factory=list)
    staying: frozenset[str] = frozenset()
    is_left: bool = False
    announced: tuple[str, ...] = ()
    standby: bool = False
    virtual_router_id: int | None = None
    remembered_virtual_router_id: int | None = None

    @property
    def running(self) -> VirtualRouter | None:
        """What was allocated before, unless it is retired."""
        if self.allocated is None or self.allocated.spec.retired:
            return None
        return self.allocated

    @property
    def owners(self) -> frozenset[str]:
        """NAMESPACE/NAME of those for whom it runs already."""
        if self.running is None or self.running.spec.standby:
            return frozenset()
        return frozenset(owner.key for owner in self.running.spec.owners)

    @property
    def sharing(self) -> list[VirtualIP]:
        """The VirtualIPs that must fit together: the members, and those that are to join them."""
        return [*self.members, *self.moving]

    def stand_by(self) -> None:
        """Be made known beforehand, if nothing runs and all that is to run is moving."""
        runs = self.running is not None and not self.running.spec.standby
        if self.moving and not self.members and not runs:
            self.members, self.moving, self.standby = self.moving, [], True

    @property
    def held_addresses(self) -> tuple[str, ...]:
        """What stays of its addresses: those of the owners that are refused."""
        if self.running is None:
            return ()
        if self._is_unrecorded:
            return self.running.addresses
        held = {one for owner in self._staying_owners for one in owner.addresses}
        return tuple(one for one in self.running.addresses if one in held)

    @property
    def held_gates(self) -> tuple[Gate, ...]:
        """What stays of its gates, likewise."""
        if self.running is None:
            return ()
        if self._is_unrecorded:
            return self.running.spec.gates
        held = {name for owner in self._staying_owners for name in owner.gates}
        return tuple(each for each in self.running.spec.gates if each.name in held)

    @property
    def _staying_owners(self) -> list[Owner]:
        owners = self.running.spec.owners if self.running is not None else ()
        return [owner for owner in owners if owner.key in self.staying]

    @property
    def _is_unrecorded(self) -> bool:
        """Somebody's part stays, and the record does not say what it is: it may be anything."""
        return any(not owner.addresses for owner in self._staying_owners)


class Ledger:
    """What is said of each VirtualIP, and of all of them."""

    def __init__(self, virtual_ips: Iterable[VirtualIP]) -> None:
        self._virtual_ips = tuple(virtual_ips)
        self._refusals: dict[int, tuple[Reason, tuple[Problem, ...]]] = {}
        self.warnings: list[Problem] = []

    def refuse(self, virtual_ip: VirtualIP, reason: Reason, findings: Iterable[Finding]) -> None:
        """Say why a VirtualIP is refused."""
        problems = tuple(Problem(label(virtual_ip), path, text) for path, text in findings)
        self._refusals[id(virtual_ip)] = (reason, problems)

    def warn(self, virtual_ip: VirtualIP, path: str, text: str) -> None:
        """Say what does not hinder but should be known."""
        self.warnings.append(Problem(label(virtual_ip), path, text))

    def is_refused(self, virtual_ip: VirtualIP) -> bool:
        """Return whether a VirtualIP is refused, and not merely on its way."""
        reason, _problems = self._refusals.get(id(virtual_ip), (Reason.ACCEPTED, ()))
        return reason not in (Reason.ACCEPTED, Reason.MOVING)

    def is_moving(self, virtual_ip: VirtualIP) -> bool:
        """Return whether a VirtualIP is on its way from one election to another."""
        return self._refusals.get(id(virtual_ip), (Reason.ACCEPTED, ()))[0] is Reason.MOVING

    def statuses(
        self, candidates: Mapping[str, bool], kept: Mapping[str, str]
    ) -> tuple[PlannedStatus, ...]:
        """Return what is said of each VirtualIP, in the order given.

        Args:
            candidates: name of a VirtualRouter to whether it has any.
            kept: NAMESPACE/NAME of a refused VirtualIP to the VirtualRouter that runs on for it.
        """
        return tuple(self._status(each, candidates, kept) for each in self._virtual_ips)

    def _status(
        self, virtual_ip: VirtualIP, candidates: Mapping[str, bool], kept: Mapping[str, str]
    ) -> PlannedStatus:
        reason, problems = self._refusals.get(id(virtual_ip), (Reason.ACCEPTED, ()))
        router = kept.get(virtual_ip.key, virtual_ip.router_name)
        return PlannedStatus(
            virtual_ip=virtual_ip.key,
            generation=virtual_ip.metadata.generation,
            router=router,
            address_summary=address_summary(virtual_ip),
            reason=reason,
            problems=problems,
            has_candidates=candidates.get(router),
        )


def label(virtual_ip: VirtualIP) -> str:
    """Return how problems name a VirtualIP."""
    return f"VirtualIP {virtual_ip.key}"


def display_name(router: str) -> str:
    """Return NAMESPACE/NAME, or what group it is, of the name of a VirtualRouter."""
    kind, _dot, rest = router.partition(".")
    name = rest.replace(".", "/", 1)
    return f"the group {name}" if kind == "group" else name


def in_order(inputs: PlanInputs, drafts: Mapping[str, Draft]) -> list[VirtualIP]:
    """Return the VirtualIPs in order of precedence.

    Those for whom an election runs come first, then the older ones, then by namespace and name;
    in static mode, where neither is known, only the last counts.
    """

    def precedence(virtual_ip: VirtualIP) -> tuple[bool, str, str]:
        owns = virtual_ip.key in drafts[virtual_ip.router_name].owners
        created = "" if inputs.static else virtual_ip.metadata.creation_timestamp or "9999"
        return (not owns, created, virtual_ip.key)

    return sorted(inputs.virtual_ips, key=precedence)


def gather(inputs: PlanInputs, allocated: Mapping[str, VirtualRouter]) -> dict[str, Draft]:
    """Return what VirtualIPs ask for and what was allocated before, by name, without members."""
    wanted = (each.router_name for each in inputs.virtual_ips)
    return {name: Draft(name, allocated.get(name)) for name in dict.fromkeys((*wanted, *allocated))}


def disagreements(virtual_ip: VirtualIP, draft: Draft) -> list[Finding]:
    """Return where a VirtualIP differs from the first member of its group."""
    if not draft.sharing:
        return []
    first = draft.sharing[0]
    found = [
        (
            f"spec.{path}",
            (
                f"VirtualIPs of one group share it, and {first.key} has another value: "
                "write the same, or leave the group"
            ),
        )
        for path in (
            *_different(virtual_ip.spec.vrrp, first.spec.vrrp, "vrrp"),
            *_different(virtual_ip.spec.placement, first.spec.placement, "placement"),
        )
    ]
    taken = {gate.name: (gate, member) for member in draft.sharing for gate in member.spec.gates}
    for number, gate in enumerate(virtual_ip.spec.gates):
        other = taken.get(gate.name)
        if other is not None and other[0] != gate:
            text = f"{other[1].key} of this group has another gate of this name: rename one"
            found.append((f"spec.gates[{number}].name", text))
    return found


def _different(one: Part, other: Part, prefix: str) -> list[str]:
    if one == other:
        return []
    return [
        f"{prefix}.{field.name}"
        for field in fields_of(type(one)).values()
        if getattr(one, field.attribute) != getattr(other, field.attribute)
    ]
