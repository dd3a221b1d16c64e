"""A VirtualIP in a cluster whose statuses are looked at."""

from __future__ import annotations

from typing import Any

from support.operator_facts import Cluster


def web(**spec: Any) -> Cluster:
    """Return a cluster with one VirtualIP whose routers are written."""
    cluster = Cluster()
    cluster.declare(**spec)
    cluster.write_routers()
    return cluster
