"""VirtualRouters as the API has them, and what a node makes of them."""

from __future__ import annotations

from typing import Any

from vip_speaker.agent.kubernetes.routers import View
from vip_speaker.messages import DesiredRouter

NODE = "n1"
DAY = 24 * 3600.0
PODS = {"name": "nginx", "pods": {"selector": {"matchLabels": {"app": "nginx"}}}}


def candidates(*nodes: str) -> list[dict[str, Any]]:
    """Return candidates by slot, n1 at 192.0.2.1 and so on."""
    return [
        {
            "node": node,
            "slot": slot,
            "priority": 254 - 3 * slot,
            "sources": [{"family": "IPv4", "address": f"192.0.2.{node[1:]}"}],
        }
        for slot, node in enumerate(nodes)
    ]


def router(*nodes: str, name: str = "web", revision: int = 1, **spec: Any) -> dict[str, Any]:
    """Return a VirtualRouter as the API has it."""
    return {
        "apiVersion": "vip-operator.io/v1alpha1",
        "kind": "VirtualRouter",
        "metadata": {"name": f"vip.shop.{name}", "uid": f"uid-{name}"},
        "spec": {
            "owners": [{"namespace": "shop", "name": name}],
            "revision": revision,
            "instances": [
                {"family": "IPv4", "virtualRouterID": 51, "addresses": ["192.0.2.100"]},
            ],
            "candidates": candidates(*nodes),
            **spec,
        },
    }


def routers(view: View) -> dict[str, DesiredRouter]:
    """Return what the engine is to run, by name."""
    return {each.name: each for each in view.orders.desired.routers}
