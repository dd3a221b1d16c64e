"""Manifests for tests, as text."""

from __future__ import annotations

import json
from typing import Any


def virtual_ip(name: str = "web", address: str = "192.0.2.100", vrid: int = 51, **spec: Any) -> str:
    """Return one VirtualIP of namespace shop as a YAML document of its own."""
    document = {
        "apiVersion": "vip-operator.io/v1alpha1",
        "kind": "VirtualIP",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "addresses": [address],
            "vrrp": {"virtualRouterID": vrid},
            "placement": {"preferredNodes": ["n1", "n2"]},
            **spec,
        },
    }
    return f"---\n{json.dumps(document)}\n"


def http_gate(port: int, name: str = "http", **fields: Any) -> dict[str, Any]:
    """Return an httpGet gate that asks often, and has patience: what is judged is the answer."""
    return {
        "name": name,
        "httpGet": {"port": port},
        "periodMilliseconds": 20,
        "timeoutMilliseconds": 60_000,
        "failureThreshold": 1,
        **fields,
    }
