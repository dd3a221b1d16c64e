"""Bounds that several checkers share: docs/protocol.md, "Invariants"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vip_speaker.vrrp.timers import SECOND_NS, active_down_interval_ns

if TYPE_CHECKING:
    from support.simulation.node import Node
    from support.simulation.world import World

_LONGEST_RETRY_NS = 60 * SECOND_NS
# Clocks run up to 1 % fast or slow.
_CLOCK_PERCENT = 1


def clock_tolerance_ns(duration_ns: int) -> int:
    """Return by how much a node's clock may misjudge that duration."""
    return duration_ns * _CLOCK_PERCENT // 100


def with_clock(duration_ns: int) -> int:
    """Return a duration as a slow clock lets it last."""
    return duration_ns + 2 * clock_tolerance_ns(duration_ns)


def longest_deadline_ns(world: World) -> int:
    """Return how far ahead a timer may ever be."""
    return max(4 * world.longest_interval_ns + SECOND_NS, _LONGEST_RETRY_NS)


def down_ns(node: Node) -> int:
    """Return a node's Active_Down_Interval."""
    return active_down_interval_ns(node.priority, node.world.longest_interval_ns)
