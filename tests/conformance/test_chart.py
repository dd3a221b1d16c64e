"""Every edge of the chart is taken, and a move that is not on it is none.

The simulation and the property tests stay on the chart, since a move outside it is an error.
"""

# ruff: noqa: D103  (ways into and out of a sub-state are named for it)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.vrrp_scene import (
    FAILING,
    HEALTHY,
    IPV4,
    LOWER,
    OTHER,
    WITHDRAWN,
    Scene,
    active,
    backup,
    backup_of,
    yielding,
)
from vip_model.vocabulary import State, Substate
from vip_speaker.vrrp.chart import EDGES, HOLDING, STATE_OF, Edge, Position

Builder = Callable[..., Scene]
Way = Callable[[Scene], object]

MINUTE_NS = 60_000_000_000


# --- how to get into a sub-state -------------------------------------------------------------


def idle(**changes: Any) -> Scene:
    return Scene(IPV4, **changes)


def waiting(**changes: Any) -> Scene:
    return backup_of(IPV4, **changes)


def listening(**changes: Any) -> Scene:
    scene = waiting(**changes).wait(10_000)
    scene.tick()
    return scene


def adopted(**changes: Any) -> Scene:
    scene = Scene(IPV4, **changes)
    scene.start(adopted=True)
    return scene


def binding(**changes: Any) -> Scene:
    scene = waiting(**changes)
    scene.hear(0)
    scene.wait_for_deadline().tick()
    return scene


def binding_from_silence(**changes: Any) -> Scene:
    """One whose last bind failed claims nothing before it has bound, also after silence."""
    scene = retrying(**changes)
    scene.run_until(1000)
    scene.wait_for_deadline().tick()
    return scene


def leaving(**changes: Any) -> Scene:
    scene = established(**changes)
    scene.health(WITHDRAWN)
    return scene


def established(**changes: Any) -> Scene:
    return active(IPV4, **changes)


def provisional(**changes: Any) -> Scene:
    return active(IPV4, start_delay_ns=MINUTE_NS, **changes)


def retiring(**changes: Any) -> Scene:
    scene = established(**changes)
    scene.election.retire(scene.now)
    return scene


def retiring_provisional() -> Scene:
    return retiring(start_delay_ns=MINUTE_NS)


def retrying(**changes: Any) -> Scene:
    scene = established(**changes)
    scene.election.bind_failed(scene.now, "BindFailed")
    return scene


def faulted(**changes: Any) -> Scene:
    scene = established(**changes)
    scene.election.fault(scene.now, "NotPlaceable")
    return scene


def withdrawn(**changes: Any) -> Scene:
    scene = backup(IPV4, **changes)
    scene.health(WITHDRAWN)
    return scene


def unbound_yielding() -> Scene:
    """One that claimed after silence and yields before the kernel has answered."""
    scene = backup(IPV4)
    scene.wait_for_deadline().tick()
    scene.election.yield_active(scene.now, "Moved")
    return scene


def provisional_yielding() -> Scene:
    return yielding(IPV4, start_delay_ns=MINUTE_NS)


BUILDERS: dict[str, Builder] = {
    "Idle": idle,
    "Waiting": waiting,
    "Listening": listening,
    "Adopted": adopted,
    "Binding": binding,
    "Yielding": lambda **changes: yielding(IPV4, **changes),
    "Leaving": leaving,
    "Established": established,
    "Provisional": provisional,
    "Retiring": retiring,
    "Retrying": retrying,
    "Faulted": faulted,
    "Withdrawn": withdrawn,
}


def stopping() -> Scene:
    scene = established()
    scene.election.stop(scene.now)
    return scene


def withdrawn_owner() -> Scene:
    scene = Scene(IPV4, priority=255, health=WITHDRAWN)
    scene.start()
    return scene


# --- how to leave it -------------------------------------------------------------------------


def stop(scene: Scene) -> None:
    scene.election.stop(scene.now)


def fault(scene: Scene) -> None:
    scene.election.fault(scene.now, "NotPlaceable")


def recover(scene: Scene) -> None:
    scene.election.recover(scene.now)


def recover_withdrawn(scene: Scene) -> None:
    scene.health(WITHDRAWN)
    scene.election.recover(scene.now)


def withdraw(scene: Scene) -> None:
    scene.health(WITHDRAWN)


def timer(scene: Scene) -> None:
    scene.run_until(20)
    scene.wait_for_deadline().tick()


def start(scene: Scene) -> None:
    scene.start()


def resume_provisional(scene: Scene) -> None:
    scene.start(
        resume_last_sent_ns=scene.now - 100_000_000,
        resume_provisional_until_ns=scene.now + 10_000_000_000,
        adopted=True,
    )


def move(scene: Scene) -> None:
    scene.election.yield_active(scene.now, "Moved")


def retire(scene: Scene) -> None:
    scene.election.retire(scene.now)


def stay(scene: Scene) -> None:
    scene.election.stay(scene.now)


def stay_withdrawn(scene: Scene) -> None:
    scene.health(WITHDRAWN)
    scene.election.stay(scene.now)


def resigned(scene: Scene) -> None:
    scene.hear(0)
    scene.wait_for_deadline().tick()


def healed(scene: Scene) -> None:
    scene.health(HEALTHY)


def oversleep(scene: Scene) -> None:
    scene.wait(10_000)
    scene.election.advertise(scene.now)


def bind_fails(scene: Scene) -> None:
    scene.election.bind_failed(scene.now, "BindFailed")


def up_for_a_short_time(builder: Builder) -> Callable[[], Scene]:
    return lambda: builder(start_delay_ns=MINUTE_NS)


def owner(builder: Builder) -> Callable[[], Scene]:
    return lambda: builder(priority=255)


# Each edge: how it is taken, and from where if the ordinary way into its source does not do.
WAYS: dict[tuple[str, str], Way | tuple[Callable[[], Scene], Way]] = {
    ("Idle", "Waiting"): start,
    ("Idle", "Adopted"): lambda scene: scene.start(adopted=True),
    ("Idle", "Established"): (owner(idle), start),
    ("Idle", "Provisional"): resume_provisional,
    ("Idle", "Withdrawn"): (lambda: idle(health=WITHDRAWN), start),
    ("Faulted", "Waiting"): lambda scene: recover(scene.wait(5000)),
    ("Faulted", "Established"): recover,
    ("Faulted", "Provisional"): (up_for_a_short_time(faulted), recover),
    ("Faulted", "Withdrawn"): recover_withdrawn,
    ("Retrying", "Waiting"): lambda scene: scene.wait(1000).tick(),
    ("Withdrawn", "Waiting"): healed,
    ("Withdrawn", "Established"): (withdrawn_owner, healed),
    ("Waiting", "Listening"): lambda scene: scene.wait(10_000).tick(),
    ("Listening", "Waiting"): lambda scene: scene.hear(220),
    ("Adopted", "Waiting"): lambda scene: scene.hear(220),
    ("Yielding", "Waiting"): lambda scene: scene.hear(220),
    ("Binding", "Waiting"): lambda scene: scene.hear(220, OTHER),
    ("Waiting", "Binding"): resigned,
    ("Listening", "Binding"): resigned,
    ("Adopted", "Binding"): resigned,
    ("Yielding", "Binding"): (unbound_yielding, timer),
    ("Waiting", "Established"): timer,
    ("Listening", "Established"): timer,
    ("Adopted", "Established"): timer,
    ("Waiting", "Provisional"): (up_for_a_short_time(waiting), timer),
    ("Listening", "Provisional"): (up_for_a_short_time(listening), timer),
    ("Adopted", "Provisional"): (up_for_a_short_time(adopted), timer),
    ("Yielding", "Established"): timer,
    ("Yielding", "Provisional"): (provisional_yielding, timer),
    ("Binding", "Established"): lambda scene: scene.bound(),
    ("Binding", "Provisional"): (
        up_for_a_short_time(binding_from_silence),
        lambda scene: scene.bound(),
    ),
    ("Binding", "Retrying"): bind_fails,
    ("Yielding", "Leaving"): stop,
    ("Leaving", "Yielding"): healed,
    ("Leaving", "Withdrawn"): lambda scene: scene.run_until(3000),
    ("Provisional", "Established"): lambda scene: scene.run_until(60_000),
    ("Established", "Waiting"): lambda scene: scene.hear(220),
    ("Provisional", "Waiting"): lambda scene: scene.hear(220),
    ("Established", "Adopted"): oversleep,
    ("Provisional", "Adopted"): oversleep,
    ("Established", "Yielding"): move,
    ("Provisional", "Yielding"): lambda scene: scene.health(FAILING),
    ("Established", "Leaving"): stop,
    ("Provisional", "Leaving"): withdraw,
    ("Established", "Retiring"): retire,
    ("Provisional", "Retiring"): retire,
    ("Established", "Retrying"): bind_fails,
    ("Provisional", "Retrying"): bind_fails,
    ("Retiring", "Established"): stay,
    ("Retiring", "Provisional"): (retiring_provisional, stay),
    ("Retiring", "Leaving"): stay_withdrawn,
    ("Retiring", "Idle"): lambda scene: scene.run_until(500),
    ("Leaving", "Idle"): (stopping, lambda scene: scene.hear(180, LOWER)),
}
for _source in ("Waiting", "Listening", "Adopted", "Binding", "Retrying"):
    WAYS[_source, "Withdrawn"] = withdraw
for _edge in EDGES:
    if _edge.target is Substate.FAULTED:
        WAYS[_edge.source.value, "Faulted"] = fault
    if _edge.target is Substate.IDLE:
        WAYS.setdefault((_edge.source.value, "Idle"), stop)


def _names(edge: Edge) -> str:
    return f"{edge.source.value}-{edge.target.value}"


@pytest.mark.parametrize("edge", EDGES, ids=_names)
def test_edge(edge: Edge) -> None:
    """From its source, what it says leads to its target, and nowhere else in between."""
    way = WAYS[edge.source.value, edge.target.value]
    build, take = way if isinstance(way, tuple) else (BUILDERS[edge.source.value], way)
    scene = build()
    assert scene.election.substate is edge.source
    taken: list[tuple[Substate, Substate]] = []
    scene.election.position.watch = lambda source, target: taken.append((source, target))
    take(scene)
    assert taken[0] == (edge.source, edge.target)
    assert scene.election.holds_addresses is (scene.election.substate in HOLDING)


def test_no_edge_is_there_twice() -> None:
    """Two sub-states are joined by one edge in each direction at most."""
    pairs = [(edge.source, edge.target) for edge in EDGES]
    assert len(set(pairs)) == len(pairs)


def test_every_substate_belongs_to_one_state() -> None:
    """The chart knows every sub-state there is."""
    assert set(STATE_OF) == set(Substate)
    assert set(STATE_OF.values()) == set(State)


def test_a_move_that_is_not_on_the_chart_is_an_error() -> None:
    """Such a move would be one that nobody has thought of."""
    with pytest.raises(AssertionError, match="no edge from Idle to Yielding"):
        Position().move(0, Substate.YIELDING, "Moved")
