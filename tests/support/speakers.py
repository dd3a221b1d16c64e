"""What several network tests do with a fleet of speakers."""

from __future__ import annotations

import time
from collections.abc import Callable

from support.network_manifests import NODES, ROUTER, VIP
from vip_lab.fleet import Fleet
from vip_lab.record import ProbeResult
from vip_lab.wait import until

# Generous: two cores may be busy with other things. Benchmarks measure, tests prove.
SLACK_SECONDS = 0.5
TAKEOVER_SECONDS = 10.0
LEAST_LIFETIME_SECONDS = 3.0
LIFETIME_MARGIN_SECONDS = 1.5
SETTLED_SECONDS = 15.0


def down_interval_seconds(interval_ms: int, lowest_priority: int = 248) -> float:
    """Return the longest Active_Down_Interval of three candidates (RFC 9568 §6.1)."""
    return (3 + (256 - lowest_priority) / 256) * interval_ms / 1000


def limit_seconds(promised_seconds: float, interval_ms: int, probed: ProbeResult) -> float:
    """Return how long what is promised to last so long may last here.

    A pause of the whole machine, which the prober saw too, comes on top of it. After one of more
    than half an interval a Backup listens for one more (docs/protocol.md, "Late timers").
    """
    paused_ms = probed.late_ms_max
    again_ms = interval_ms if paused_ms > interval_ms / 2 else 0
    return promised_seconds + SLACK_SECONDS + (paused_ms + again_ms) / 1000


def limit_ms(promised_seconds: float, interval_ms: int, probed: ProbeResult) -> float:
    """Return the same in milliseconds."""
    return limit_seconds(promised_seconds, interval_ms, probed) * 1000


def lifetime_limit_seconds(interval_ms: int, probed: ProbeResult) -> float:
    """Return how long an address may outlive its engine, with the machine's pause on top."""
    lifetime_seconds = max(LEAST_LIFETIME_SECONDS, down_interval_seconds(interval_ms))
    return lifetime_seconds + LIFETIME_MARGIN_SECONDS + probed.late_ms_max / 1000


def bring_back(fleet: Fleet) -> str:
    """Undo what tests do to a fleet; return the holder once all agree again."""
    fleet.lan.heal()
    for speaker in fleet:
        fleet.lan.restore(speaker.host.name)
        if speaker.running:
            speaker.thaw()
        else:
            speaker.start()
    holder = fleet.await_settled(ROUTER, SETTLED_SECONDS)
    return fleet.await_holder(VIP, [holder], 2.0)


def make_holder(fleet: Fleet, name: str) -> None:
    """Bring the address to one host by stopping all others in turn."""
    for other in fleet.others(name):
        if fleet.lan[other].holds(VIP):
            fleet[other].stop()
            fleet.await_holder(VIP, fleet.others(other), 5.0)
    if fleet.holder(VIP) != name:
        for other in fleet.others(name):
            if fleet[other].running:
                fleet[other].stop()
        fleet.await_holder(VIP, [name], 5.0)
    assert bring_back(fleet) == name


def seconds_until(look: Callable[[], object], what: str, limit_seconds: float) -> float:
    """Return how long it takes until `look` is true."""
    began = time.monotonic()
    until(what, look, limit_seconds, every=0.005)
    return time.monotonic() - began


def best(names: list[str]) -> str:
    """Return the host that comes first in the manifest's preference."""
    return min(names, key=NODES.index)
