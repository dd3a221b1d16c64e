"""What kind-config.yaml makes: the names of its nodes, as kind gives them."""

from __future__ import annotations

from pathlib import Path

import yaml

from vip_lab.kubernetes.binaries import ROOT
from vip_lab.namespaces import LabError

PATH = ROOT / "kind-config.yaml"
CONTROL_PLANE = "control-plane"

_WORKER = "worker"


def workers(cluster: str, path: Path = PATH) -> list[str]:
    """Return the names that the workers of a configuration have in a cluster, in order.

    Raises LabError if it has no worker, or not exactly one control plane.
    """
    document = yaml.safe_load(path.read_text())
    roles = [each["role"] for each in document["nodes"]]
    count = roles.count(_WORKER)
    if roles.count(CONTROL_PLANE) != 1 or count == 0:
        raise LabError(f"{path.name}: nodes: the lab needs one control-plane and workers: {roles}")
    return [f"{cluster}-{_WORKER}{number if number > 1 else ''}" for number in range(1, count + 1)]


def control_plane(cluster: str) -> str:
    """Return the name of the control plane's node."""
    return f"{cluster}-{CONTROL_PLANE}"
