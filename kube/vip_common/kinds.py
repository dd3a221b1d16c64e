"""The kinds of our own resources, as the API server names them."""

from __future__ import annotations

from vip_kube.kinds import Kind

_OURS = ("vip-operator.io", "v1alpha1")

VIRTUAL_IPS = Kind(*_OURS, "virtualips", "VirtualIP", namespaced=True)
VIRTUAL_IP_POOLS = Kind(*_OURS, "virtualippools", "VirtualIPPool", namespaced=False)
VIRTUAL_ROUTERS = Kind(*_OURS, "virtualrouters", "VirtualRouter", namespaced=False)
SPEAKERS = Kind(*_OURS, "speakers", "Speaker", namespaced=False)
