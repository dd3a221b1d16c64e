"""What all nodes share may not change once a VRID is allocated: the API server refuses it."""

from __future__ import annotations

from typing import Any

import pytest

from support.invalid_objects import virtual_ip
from vip_common.kinds import VIRTUAL_IPS
from vip_kube.errors import ApiError
from vip_lab.kubernetes.control_plane import ControlPlane

CHANGES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("virtual-router-id", {"virtualRouterID": 51}, {"virtualRouterID": 52}, "virtualRouterID"),
    ("virtual-router-id-added", {}, {"virtualRouterID": 52}, "virtualRouterID"),
    ("interfaces", {"interfaces": ["eth0"]}, {"interfaces": ["eth1"]}, "interfaces"),
    ("interfaces-removed", {"interfaces": ["eth0"]}, {"interfaces": None}, "interfaces"),
    ("transport", {}, {"transport": {"type": "Unicast"}}, "transport"),
]


def allocated(plane: ControlPlane, namespace: str, vrrp: dict[str, Any]) -> None:
    """Create a VirtualIP that the operator has given VRID 51."""
    plane.api.create(VIRTUAL_IPS, virtual_ip(namespace, {"vrrp": vrrp}))
    status = {"routers": [{"name": "vip.shop.web", "family": "IPv4", "virtualRouterID": 51}]}
    plane.api.patch(VIRTUAL_IPS, "web", {"status": status}, namespace, "status")


@pytest.mark.parametrize(
    ("before", "after", "field"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES]
)
def test_what_all_nodes_share_may_not_change(
    api: ControlPlane,
    namespace: str,
    before: dict[str, Any],
    after: dict[str, Any],
    field: str,
) -> None:
    """Once a VRID is allocated, what would have to change on all nodes at once is refused."""
    allocated(api, namespace, before)
    with pytest.raises(ApiError) as refused:
        api.api.patch(VIRTUAL_IPS, "web", {"spec": {"vrrp": after}}, namespace)
    assert refused.value.status == 422
    assert f"spec.vrrp.{field}" in refused.value.message
    assert "delete the VirtualIP and create it anew" in refused.value.message


def test_what_is_not_allocated_may_change(api: ControlPlane, namespace: str) -> None:
    """Before anything is allocated, and for what was allocated, the same edits are fine."""
    api.api.create(VIRTUAL_IPS, virtual_ip(namespace, {"vrrp": {"virtualRouterID": 50}}))
    fixed = {"spec": {"vrrp": {"virtualRouterID": 51, "interfaces": ["eth0"]}}}
    api.api.patch(VIRTUAL_IPS, "web", fixed, namespace)
    status = {"routers": [{"name": "vip.shop.web", "family": "IPv4", "virtualRouterID": 51}]}
    api.api.patch(VIRTUAL_IPS, "web", {"status": status}, namespace, "status")
    api.api.patch(VIRTUAL_IPS, "web", {"spec": {"addresses": ["192.0.2.7"]}}, namespace)
    allowed = {"spec": {"vrrp": {"virtualRouterID": None}}}
    found = api.api.patch(VIRTUAL_IPS, "web", allowed, namespace)
    assert "virtualRouterID" not in found["spec"]["vrrp"]
