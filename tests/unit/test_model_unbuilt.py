"""What is not built is refused by name, and every field is described."""

from __future__ import annotations

from typing import Any

import pytest

from support.resources import vip
from support.validated import gate
from vip_model.resources.base import Part
from vip_model.resources.gate import BUILT_GATE_KINDS
from vip_model.resources.pool import VirtualIPPoolSpec
from vip_model.resources.speaker import SpeakerStatus
from vip_model.resources.virtual_ip import VirtualIPSpec
from vip_model.resources.virtual_router import VirtualRouterSpec
from vip_model.schema.fields import walk
from vip_model.schema.limits import check_limits
from vip_model.schema.support import UNBUILT_FIELDS, unsupported

UNBUILT: dict[str, dict[str, Any]] = {
    "spec.addressClaim": {"addresses": [], "addressClaim": {"poolRef": {"name": "lan"}}},
    "spec.vrrp.protocol": {"vrrp": {"protocol": "VRRPv2"}},
    "spec.vrrp.transport.type": {"vrrp": {"transport": {"type": "Unicast"}}},
    "spec.vrrp.authentication": {
        "vrrp": {"authentication": {"type": "Password", "keyName": "lan-a"}}
    },
    "spec.vrrp.virtualMAC": {"vrrp": {"virtualMAC": {}}},
    "spec.vrrp.handover": {"vrrp": {"handover": "BreakBeforeMake"}},
}


def test_every_unbuilt_field_has_a_case() -> None:
    """The cases below are all fields that are not built."""
    assert UNBUILT.keys() == set(UNBUILT_FIELDS)


@pytest.mark.parametrize("field", UNBUILT)
def test_what_is_not_built_is_named(field: str) -> None:
    """A value other than the default of a field that is not built is refused by name."""
    (found,) = unsupported(vip(**UNBUILT[field]), BUILT_GATE_KINDS)
    assert found[0] == field
    assert found[1].startswith("this is not built yet: ")


def test_gates_that_the_speaker_lacks_are_named() -> None:
    """A kind that is not among those given is refused, unless it needs a cluster anyway."""
    virtual_ip = vip(
        gates=[
            gate(),
            {"name": "a", "ping": {"host": "192.0.2.1"}},
            {"name": "b", "pods": {"selector": {}}},
        ]
    )
    (found,) = unsupported(virtual_ip, frozenset({"httpGet", "interface", "tcpSocket"}))
    assert found[0] == "spec.gates[1].ping"
    assert found[1].endswith("use one of httpGet, interface, tcpSocket")
    assert list(unsupported(virtual_ip, None)) == []


@pytest.mark.parametrize(
    "part", [VirtualIPSpec, VirtualIPPoolSpec, VirtualRouterSpec, SpeakerStatus]
)
def test_every_field_is_described(part: type[Part]) -> None:
    """Each field says what it means: the CRDs and the reference are made from that."""
    assert [path for path, field in walk(part) if not field.description] == []


def test_defaults_satisfy_their_limits() -> None:
    """A spec with nothing but defaults breaks no limit, which is why they are not checked."""
    for path, field in walk(VirtualIPSpec):
        limits = field.limits
        if isinstance(field.default, int):
            assert limits.minimum is not None, path
            assert limits.maximum is not None, path
            assert limits.minimum <= field.default <= limits.maximum, path
            assert field.default % (limits.multiple_of or 1) == 0, path
    assert list(check_limits(VirtualIPSpec(), "spec")) == []
