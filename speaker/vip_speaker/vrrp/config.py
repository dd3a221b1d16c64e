"""What an election is configured with, and what it hears: frozen data.

One election is one VirtualRouter object. It has one or more instances (interface, family, VRID);
adverts go out on all that work, an advert on any keeps the holder, and all move together
(docs/protocol.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar

from vip_model.vocabulary import (
    HIGHEST_FAILING_PRIORITY,
    PROVISIONAL_PRIORITIES,
    Degradation,
    PreemptionMode,
    PriorityScale,
    effective_priority,
    is_provisional,
    possible_degradations,
)
from vip_speaker.vrrp.timers import SECOND_NS

Address = IPv4Address | IPv6Address

_SOUND_LEVEL = -1


@dataclass(frozen=True, slots=True)
class Health:
    """What the gates say of this node.

    Attributes:
        cost: sum of the costs of the gates that fail and lower the priority; 0 is healthy.
        withdrawn: a gate that withdraws the node fails: it takes no part.
    """

    cost: int = 0
    withdrawn: bool = False

    HEALTHY: ClassVar[Health]
    FAILING: ClassVar[Health]
    WITHDRAWN: ClassVar[Health]

    @property
    def is_healthy(self) -> bool:
        """Whether every gate passes."""
        return self.cost == 0 and not self.withdrawn

    def __str__(self) -> str:
        if self.withdrawn:
            return "Withdrawn"
        return "Failing" if self.cost else "Healthy"


Health.HEALTHY = Health()
Health.FAILING = Health(cost=100)
Health.WITHDRAWN = Health(withdrawn=True)


@dataclass(frozen=True, slots=True)
class Instance:
    """One (interface, family, VRID) of the election.

    Attributes:
        virtual_router_id: VRID, 1-255.
        source: our own address in adverts: primary IPv4 or link-local IPv6. Decides ties. None
            as long as the instance has no place on this node.
        addresses: the virtual addresses, at least one, in the order they are advertised.
    """

    virtual_router_id: int
    source: Address | None
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class ElectionConfig:
    """Everything an election depends on besides time and adverts.

    Attributes:
        instances: all that are wanted, at least one.
        priority: base priority, 1-255; 255 is the address owner.
        advertisement_interval_ns: Advertisement_Interval.
        preemption: whether a higher Backup takes over from a lower healthy Active.
        preemption_delay_ns: only for `PreemptionMode.DELAYED`.
        health_bands: priorities are in bands (docs/protocol.md, "Health"). False with routers that
            are not ours.
        failing_subtrahend: what failing takes off the priority without health bands.
        gate_costs: for each gate what it can cost (`vip_model.vocabulary.costs_of_gate`).
        candidates: how many nodes have a place of their own within each step of the failing band.
        tie_delay_ns: added to Skew_Time where two nodes may have the same priority.
        bootstrap: nobody has ever run this router; see `Election.start`.
        slot: rank among the candidates, 0 is first.
        start_delay_ns: for so long after a node came up a claim from silence is provisional, or
            without health bands held off.
    """

    instances: tuple[Instance, ...]
    priority: int
    advertisement_interval_ns: int = SECOND_NS
    preemption: PreemptionMode = PreemptionMode.NEVER
    preemption_delay_ns: int = 0
    health_bands: bool = True
    failing_subtrahend: int = 100
    gate_costs: tuple[tuple[int, ...], ...] = ((100,),)
    candidates: int = 1
    tie_delay_ns: int = 0
    bootstrap: bool = False
    slot: int = 0
    start_delay_ns: int = 0
    scale: PriorityScale = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scale = PriorityScale(
            base=self.priority,
            slot=self.slot,
            candidates=self.candidates,
            degradations=possible_degradations(len(self.instances), self.gate_costs),
            health_bands=self.health_bands,
            subtrahend=self.failing_subtrahend,
        )
        object.__setattr__(self, "scale", scale)

    @property
    def wire(self) -> tuple[tuple[int, int], ...]:
        """(IP version, VRID) of each instance: by what others know this virtual router."""
        return tuple((one.addresses[0].version, one.virtual_router_id) for one in self.instances)

    @property
    def sources(self) -> tuple[Address | None, ...]:
        """Our own address on each instance."""
        return tuple(one.source for one in self.instances)

    @property
    def placed(self) -> frozenset[int]:
        """The instances that have a place on this node."""
        return frozenset(
            index for index, one in enumerate(self.instances) if one.source is not None
        )

    def effective_priority(
        self,
        health: Health,
        *,
        missing: int = 0,
        provisional: bool = False,
        seniority: int | None = None,
    ) -> int:
        """Return the priority on the wire, 1-255; `missing` instances do not work."""
        lacks = Degradation(missing, health.cost)
        return effective_priority(self.scale, lacks, provisional=provisional, seniority=seniority)

    @property
    def step_of_seniority_ns(self) -> int:
        """How long a provisional Active has to be one to count as more senior."""
        return max(1, self.start_delay_ns // PROVISIONAL_PRIORITIES)

    def level(self, priority: int) -> int:
        """Return how degraded the sender of that priority is; less is better.

        Only among routers of ours. A healthy node is as good as a provisional one.
        """
        if priority > HIGHEST_FAILING_PRIORITY:
            return _SOUND_LEVEL
        return (HIGHEST_FAILING_PRIORITY - priority) // self.candidates

    def is_provisional(self, priority: int) -> bool:
        """Whether a priority on the wire says that its sender is provisional."""
        return self.health_bands and is_provisional(priority)


@dataclass(frozen=True, slots=True)
class Heard:
    """An advert that passed the receive ladder (RFC 9568 §7.1) and is not our own.

    Attributes:
        instance: index into `ElectionConfig.instances`.
        source: the sender's address.
        priority: 0-255; 0 is a resignation.
        interval_ns: the sender's Advertisement_Interval.
    """

    instance: int
    source: Address
    priority: int
    interval_ns: int
