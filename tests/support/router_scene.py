"""A router on a host of paper, and the steps that bring it to a state."""

from __future__ import annotations

from collections.abc import Callable

from support.engine_node import NODE, address, router, view
from support.paper_node import Scene
from vip_model.vocabulary import State
from vip_speaker.engine.router import Router
from vip_speaker.linux.addresses import (
    AddressResult,
)
from vip_speaker.linux.ownership import PROTOCOL

VIP = "192.0.2.100"
MS = 1_000_000
SECOND = 1000 * MS
BOUND = (*NODE, address(2, f"{VIP}/32", protocol=PROTOCOL))


def tick_when_due(one: Router, from_ns: int, while_: Callable[[], bool]) -> int:
    """Tick at every deadline, the first time late at `from_ns`; return when that ended."""
    now = from_ns
    one.tick(now)
    while while_():
        due_ns = one.deadline()
        assert due_ns is not None
        now = max(now, due_ns)
        one.tick(now)
    return now


def state_of(one: Router) -> State:
    """Return the state of a router that takes part."""
    assert one.election is not None
    return one.election.state


def active_router(scene: Scene) -> Router:
    """Return an Active whose first bind has not been answered."""
    one = scene.start(router(VIP, advertisement_interval_milliseconds=1000))
    tick_when_due(one, 3 * SECOND, lambda: state_of(one) is not State.ACTIVE)
    return one


def answer_bind(scene: Scene, one: Router, now: int) -> None:
    """Answer the last bind: the kernel did it."""
    one.addresses_answered(now, AddressResult(request=scene.worker.binds[-1]))


def serving_router(scene: Scene) -> Router:
    """Return an Active whose addresses are bound at 3.1 s."""
    one = active_router(scene)
    scene.monitor.view = view(addresses=BOUND)
    answer_bind(scene, one, 3100 * MS)
    return one
