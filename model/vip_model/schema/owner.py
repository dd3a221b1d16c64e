"""Priority 255: the node that has the addresses as its own (RFC 9568 §6.1). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vip_model.resources.enums import PreemptionChoice
from vip_model.resources.virtual_ip import Placement, VirtualIP, VirtualIPSpec
from vip_model.schema.addresses import Address, normalised
from vip_model.schema.limits import Finding
from vip_model.vocabulary import OWNER_PRIORITY

_OTHERWISE = "or give it a priority of 155 to 254"


def owner_of(placement: Placement) -> str | None:
    """Return the node that owns the addresses by its priority."""
    return next(
        (each.node for each in placement.priorities if each.priority == OWNER_PRIORITY), None
    )


def contradictions(spec: VirtualIPSpec) -> Iterator[Finding]:
    """Yield what an owner cannot do: its addresses never leave it."""
    owner = owner_of(spec.placement)
    if owner is None:
        return
    mode = spec.vrrp.preemption.mode
    if mode in (PreemptionChoice.NEVER, PreemptionChoice.DELAYED):
        yield (
            "spec.vrrp.preemption.mode",
            (
                f"{owner} has priority 255, so that it owns the address and takes it back at "
                f"once: write mode Always, {_OTHERWISE}"
            ),
        )
    field = "gates" if spec.gates else "serviceRef" if spec.service_ref is not None else None
    if field is not None:
        yield (
            f"spec.{field}",
            (
                f"{owner} has priority 255, so that it owns the address, and no gate can take it "
                f"away: remove {field}, {_OTHERWISE}"
            ),
        )


def false_claims(
    virtual_ip: VirtualIP, nodes_own: Mapping[Address, str], reporting: frozenset[str]
) -> Iterator[Finding]:
    """Yield that a node is made the owner of addresses that it does not have.

    Args:
        virtual_ip: whose placement and addresses are judged.
        nodes_own: which node has an address itself.
        reporting: the nodes whose own addresses are all known.
    """
    owner = owner_of(virtual_ip.spec.placement)
    if owner not in reporting:
        return
    for number, each in enumerate(virtual_ip.spec.placement.priorities):
        missing = [
            one for one in normalised(virtual_ip.spec.addresses) if nodes_own.get(one) != owner
        ]
        if each.node == owner and missing:
            yield (
                f"spec.placement.priorities[{number}].priority",
                (
                    "255 is for the node that has the address as its own, and "
                    f"{owner} does not have {missing[0]}: choose 155 to 254"
                ),
            )
