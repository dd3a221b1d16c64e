"""What an election is configured with, and what it hears: frozen data.

One election is one VirtualRouter object. It has one or more instances (interface, family, VRID);
adverts go out on all of them, an advert on any keeps the holder, the first decides ties, and all
move together (docs/protocol.md).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from vip_model.vocabulary import LOWEST_HEALTHY_PRIORITY, PreemptionMode
from vip_speaker.vrrp.timers import SECOND_NS

Address = IPv4Address | IPv6Address

HIGHEST_FAILING_PRIORITY = LOWEST_HEALTHY_PRIORITY - 1


class Health(enum.StrEnum):
    """What the gates say of this node, folded into one level."""

    HEALTHY = "Healthy"
    FAILING = "Failing"  # takes part with a lowered priority
    WITHDRAWN = "Withdrawn"  # takes no part


@dataclass(frozen=True, slots=True)
class Instance:
    """One (interface, family, VRID) of the election.

    Attributes:
        virtual_router_id: VRID, 1-255.
        source: our own address in adverts: primary IPv4 or link-local IPv6. Decides ties.
        addresses: the virtual addresses, in the order they are advertised.
    """

    virtual_router_id: int
    source: Address
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class ElectionConfig:
    """Everything an election depends on besides time and adverts.

    Attributes:
        instances: at least one; the first decides ties.
        priority: base priority, 1-255; 255 is the address owner.
        advertisement_interval_ns: Advertisement_Interval.
        preemption: whether a higher Backup takes over from a lower healthy Active.
        preemption_delay_ns: only for `PreemptionMode.DELAYED`.
        health_bands: healthy is 155-254, failing 1-154, and healthy always beats failing.
            False with routers that are not ours.
        failing_subtrahend: what failing takes off the priority.
        tie_delay_ns: added to Skew_Time where two nodes may have the same priority.
        bootstrap: nobody has ever run this router; see `Election.start`.
        slot: rank among the candidates, 0 is first.
    """

    instances: tuple[Instance, ...]
    priority: int
    advertisement_interval_ns: int = SECOND_NS
    preemption: PreemptionMode = PreemptionMode.NEVER
    preemption_delay_ns: int = 0
    health_bands: bool = True
    failing_subtrahend: int = 100
    tie_delay_ns: int = 0
    bootstrap: bool = False
    slot: int = 0

    @property
    def wire(self) -> tuple[tuple[int, int], ...]:
        """(IP version, VRID) of each instance: by what others know this virtual router."""
        return tuple((one.source.version, one.virtual_router_id) for one in self.instances)

    @property
    def sources(self) -> tuple[Address, ...]:
        """Our own address on each instance."""
        return tuple(one.source for one in self.instances)

    def effective_priority(self, health: Health) -> int:
        """Return the priority on the wire at that health, 1-255.

        A failing owner leaves 255 like anybody else: an address without a service behind it is of
        no use to its owner either.
        """
        if health is Health.HEALTHY:
            return self.priority
        lowered = max(1, self.priority - self.failing_subtrahend)
        return min(lowered, HIGHEST_FAILING_PRIORITY) if self.health_bands else lowered


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
