"""What a plan says of each VirtualIP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vip_model.resources.metadata import Condition
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.schema.errors import Problem
from vip_model.vocabulary import Reason

# What two VirtualIPs do to each other; either of them alone would be accepted.
COLLISIONS = frozenset({Reason.ADDRESS_IN_USE, Reason.VIRTUAL_ROUTER_ID_IN_USE})


@dataclass(frozen=True, slots=True)
class PlannedStatus:
    """What a plan says of one VirtualIP.

    Attributes:
        virtual_ip: NAMESPACE/NAME.
        generation: of the VirtualIP that was judged.
        router: name of the VirtualRouter that it belongs to, or would belong to.
        address_summary: 192.0.2.100 (+1).
        reason: of the condition Accepted.
        problems: why it is refused; nothing if it is accepted.
        has_candidates: some node can hold it; None where that is not known.
    """

    virtual_ip: str
    generation: int
    router: str
    address_summary: str
    reason: Reason = Reason.ACCEPTED
    problems: tuple[Problem, ...] = ()
    has_candidates: bool | None = None

    @property
    def accepted(self) -> bool:
        """The VirtualIP as it is written is part of the plan."""
        return self.reason is Reason.ACCEPTED

    def condition(self) -> Condition:
        """Return the condition Accepted; the caller knows when it last changed."""
        message = "; ".join(
            f"{problem.field}: {problem.message}" if problem.field else problem.message
            for problem in self.problems
        )
        return Condition(
            type="Accepted",
            status="True" if self.accepted else "False",
            reason=self.reason,
            message=message,
            observed_generation=self.generation,
        )


def address_summary(virtual_ip: VirtualIP) -> str:
    """Return the first address and how many more there are: 192.0.2.100 (+1)."""
    return in_short(virtual_ip.spec.addresses)


def in_short(addresses: Sequence[str]) -> str:
    """Return the first of some addresses and how many more there are: 192.0.2.100 (+1)."""
    if not addresses:
        return ""
    more = len(addresses) - 1
    return f"{addresses[0]} (+{more})" if more else addresses[0]
