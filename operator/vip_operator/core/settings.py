"""What whoever installs the operator may set, as far as it decides anything."""

from __future__ import annotations

from dataclasses import dataclass

from vip_model.planning.inputs import AddressPolicy

LOAD_BALANCER_CLASS = "vip-operator.io/vip"


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """Settings of the operator.

    Attributes:
        address_policy: which addresses VirtualIPs may claim.
        reserved_virtual_router_ids: VRIDs that are never allocated.
        load_balancer_class: Services of this class get the addresses of their VirtualIPs.
    """

    address_policy: AddressPolicy = AddressPolicy.ANY
    reserved_virtual_router_ids: frozenset[int] = frozenset()
    load_balancer_class: str = LOAD_BALANCER_CLASS
