"""An operator's rounds, and the events that they bring."""

from __future__ import annotations

from typing import Any

from support.operator_facts import Cluster, events
from vip_operator.core.reporting.virtual_ip_status import StatusKeeper


class Crier:
    """A cluster with one VirtualIP and the operator that tells of it."""

    def __init__(self, **spec: Any) -> None:
        self.cluster = Cluster()
        self.cluster.declare(**spec)
        self.keeper = StatusKeeper()

    def hear(self) -> list[tuple[str, str]]:
        """Let the operator look; return reason and message of its events."""
        return [(each.reason, each.message) for each in events(self.cluster.round(self.keeper))]

    def restart(self) -> None:
        """Let a new operator take over."""
        self.keeper = StatusKeeper()


def held_by_n1(**spec: Any) -> Crier:
    """Return a crier whose address is on n1, which everybody knows."""
    crier = Crier(**spec)
    crier.cluster.claim("n1", failing=())
    crier.hear()
    return crier
