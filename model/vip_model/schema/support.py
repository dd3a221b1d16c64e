"""What of the API is built. The rest is in the types, and refused by name where it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vip_model.resources.enums import Handover, TransportType
from vip_model.resources.gate import CLUSTER_GATE_KINDS
from vip_model.resources.virtual_ip import VirtualIP, VirtualIPSpec
from vip_model.schema.limits import Finding
from vip_model.vocabulary import Protocol


@dataclass(frozen=True, slots=True)
class _Unbuilt:
    """A field of which only the default is built.

    Attributes:
        path: the field.
        used: whether a spec uses more than the default.
        way_out: what to write instead.
    """

    path: str
    used: Callable[[VirtualIPSpec], bool]
    way_out: str


_UNBUILT = (
    _Unbuilt("spec.addressClaim", lambda spec: spec.address_claim is not None, "write addresses"),
    _Unbuilt(
        "spec.vrrp.protocol",
        lambda spec: spec.vrrp.protocol is not Protocol.VRRP_V3,
        "write VRRPv3 or remove the line",
    ),
    _Unbuilt(
        "spec.vrrp.transport.type",
        lambda spec: spec.vrrp.transport.type is not TransportType.MULTICAST,
        "write Multicast or remove the line",
    ),
    _Unbuilt(
        "spec.vrrp.authentication",
        lambda spec: spec.vrrp.authentication is not None,
        "remove it",
    ),
    _Unbuilt("spec.vrrp.virtualMAC", lambda spec: spec.vrrp.virtual_mac is not None, "remove it"),
    _Unbuilt(
        "spec.vrrp.handover",
        lambda spec: spec.vrrp.handover is not Handover.MAKE_BEFORE_BREAK,
        "write MakeBeforeBreak or remove the line",
    ),
)
UNBUILT_FIELDS = tuple(each.path for each in _UNBUILT)


def unsupported(virtual_ip: VirtualIP, gate_kinds: frozenset[str] | None) -> Iterator[Finding]:
    """Yield every field that asks for what is not built yet.

    Args:
        virtual_ip: what is asked for.
        gate_kinds: kinds of gates that are built; None: not judged. Those that need a cluster
            are never judged here: outside of one they do not count.
    """
    spec = virtual_ip.spec
    for each in _UNBUILT:
        if each.used(spec):
            yield each.path, f"this is not built yet: {each.way_out}"
    if gate_kinds is None:
        return
    for number, gate in enumerate(spec.gates):
        for kind in gate.kinds:
            if kind not in gate_kinds and kind not in CLUSTER_GATE_KINDS:
                built = ", ".join(sorted(gate_kinds - CLUSTER_GATE_KINDS))
                yield (
                    f"spec.gates[{number}].{kind}",
                    f"this kind of gate is not built yet: use one of {built}",
                )
