"""Gates that look at pods, and the pods."""

from __future__ import annotations

from vip_model.planning.inputs import Pod

PODS_GATE = {"name": "nginx", "pods": {"selector": {"matchLabels": {"app": "nginx"}}}}


def pods_on(*names: str, ready: bool = True) -> list[Pod]:
    """Return pods that the gate selects."""
    return [Pod("shop", name, {"app": "nginx"}, ready=ready) for name in names]
