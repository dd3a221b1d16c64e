"""RFC 9568 §6.4 as a table: one row per line, on every link.

The id of a row names its line, state, event and section; `here` marks the lines in which this
project deviates from the letter on purpose (docs/protocol.md). Actions, state and the time until
the next timer are literals: at priority 200 and an interval of 1 s Skew_Time is 218.75 ms and
Active_Down_Interval 3218.75 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    BIND,
    HIGHER,
    INITIALIZE,
    LINKS,
    LOWER,
    OTHER,
    OWN,
    RELEASE,
    STOP_ANNOUNCING,
    Link,
    Scene,
    active,
    backup,
    backup_of,
    changed,
    send,
)
from vip_model.vocabulary import PreemptionMode, State
from vip_speaker.vrrp.actions import Action

ALWAYS = PreemptionMode.ALWAYS


@dataclass(frozen=True)
class Row:
    """What is so, what happens, and all that may come of it.

    Attributes:
        given: makes the scene.
        when: lets the event happen and returns the actions.
        actions: expected, in order.
        state: expected afterwards.
        remaining_ns: expected time until the next timer, None for no timer.
        only: the links on which the row holds; empty for all.
    """

    given: Callable[[Link], Scene]
    when: Callable[[Scene], list[Action]]
    actions: list[Action]
    state: State
    remaining_ns: int | None
    only: tuple[str, ...] = ()


FIRST_INSTANCE = ("IPv4", "IPv6", "dual-stack-first")
SECOND_INSTANCE = ("dual-stack-second",)


def owner_in_backup(link: Link) -> Scene:
    """Return an owner that lost to another owner (erratum 8298), one second ago."""
    scene = active(link, priority=255)
    scene.hear(255, HIGHER, instance=0)
    return scene.wait(1000)


def due(scene: Scene) -> list[Action]:
    """Let the earliest timer fire on time."""
    return scene.wait_for_deadline().tick()


def resigned_to(link: Link) -> Scene:
    """Return a Backup that has just heard the current Active resign."""
    scene = backup_of(link)
    scene.hear(0)
    return scene


def owner_started(link: Link) -> Scene:
    """Return an owner that was started 5 ms ago, its addresses not bound yet."""
    scene = Scene(link, priority=255)
    scene.start()
    return scene.wait(5)


def heard_again(scene: Scene) -> Scene:
    """Return a Backup that has heard its lower Active again a second later."""
    scene.wait(1000).hear(180)
    return scene


def taken_over(scene: Scene) -> Scene:
    """Return the Backup after its takeover and 5 ms, its addresses not bound yet."""
    due(scene)
    return scene.wait(5)


ROWS = {
    # --- Initialize ---------------------------------------------------------------------------
    "row01/initialize/startup-owner[6.4.1]": Row(
        lambda link: Scene(link, priority=255),
        lambda scene: scene.start(),
        [changed(INITIALIZE, ACTIVE, "AddressOwner"), send(255), BIND],
        ACTIVE,
        1_000_000_000,
    ),
    "row01/active/addresses-bound[8.1.2]": Row(
        owner_started,
        lambda scene: scene.bound(),
        [ANNOUNCE],
        ACTIVE,
        995_000_000,
    ),
    "row02/initialize/startup[6.4.1]": Row(
        Scene,
        lambda scene: scene.start(),
        [changed(INITIALIZE, BACKUP, "Started")],
        BACKUP,
        3_218_750_000,
    ),
    "row02/initialize/startup-priority-254[6.4.1]": Row(
        lambda link: Scene(link, priority=254),
        lambda scene: scene.start(),
        [changed(INITIALIZE, BACKUP, "Started")],
        BACKUP,
        3_007_812_500,
    ),
    "row02/initialize/startup-100-ms[6.1]": Row(
        lambda link: Scene(link, priority=254, advertisement_interval_ns=100_000_000),
        lambda scene: scene.start(),
        [changed(INITIALIZE, BACKUP, "Started")],
        BACKUP,
        300_781_250,
    ),
    "row02/initialize/startup-tie-delay[6.1]/here": Row(
        lambda link: Scene(link, tie_delay_ns=7_000_000),
        lambda scene: scene.start(),
        [changed(INITIALIZE, BACKUP, "Started")],
        BACKUP,
        3_225_750_000,
    ),
    "row00/initialize/any-advert[6.4.1]": Row(
        Scene, lambda scene: scene.hear(220), [], INITIALIZE, None
    ),
    "row00/initialize/priority-zero[6.4.1]": Row(
        Scene, lambda scene: scene.hear(0), [], INITIALIZE, None
    ),
    "row00/initialize/stale-timer[6.4.1]": Row(
        Scene, lambda scene: scene.wait(10_000).tick(), [], INITIALIZE, None
    ),
    # --- Backup -------------------------------------------------------------------------------
    "row03/backup/shutdown[6.4.2]": Row(
        backup_of,
        lambda scene: scene.election.stop(scene.now),
        [changed(BACKUP, INITIALIZE, "Stopped")],
        INITIALIZE,
        None,
    ),
    "row04/backup/active-down-timer[6.4.2]/here": Row(
        backup_of,
        due,
        [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND],
        ACTIVE,
        1_000_000_000,
    ),
    "row04/active/bound-after-silence[8.1.2]/here": Row(
        lambda link: taken_over(backup_of(link)),
        lambda scene: scene.bound(),
        [ANNOUNCE],
        ACTIVE,
        995_000_000,
    ),
    "row04/backup/active-down-timer-after-priority-zero[6.4.2]/here": Row(
        resigned_to,
        due,
        [BIND],
        BACKUP,
        2_000_000_000,
    ),
    "row04/backup/bound-after-priority-zero[8.1.2]/here": Row(
        lambda link: taken_over(resigned_to(link)),
        lambda scene: scene.bound(),
        [changed(BACKUP, ACTIVE, "ActiveResigned"), ANNOUNCE, send(200)],
        ACTIVE,
        1_000_000_000,
    ),
    "row04/backup/active-down-timer-while-preempting[6.4.2]/here": Row(
        lambda link: heard_again(backup_of(link, 180, preemption=ALWAYS)),
        due,
        [BIND],
        BACKUP,
        2_000_000_000,
    ),
    "row04/backup/timer-not-due[6.2]": Row(
        backup_of, lambda scene: scene.wait(3218.749).tick(), [], BACKUP, 1_000
    ),
    "row05/backup/priority-zero[6.4.2]/here": Row(
        lambda link: backup_of(link).wait(400),
        lambda scene: scene.hear(0),
        [],
        BACKUP,
        218_750_000,
    ),
    "row05/backup/priority-zero-of-a-lower-active[6.4.2]/here": Row(
        lambda link: backup_of(link, 180, preemption=ALWAYS).wait(400),
        lambda scene: scene.hear(0),
        [],
        BACKUP,
        218_750_000,
    ),
    "row05/backup/priority-zero-interval-not-learned[6.4.2]/here": Row(
        lambda link: backup_of(link).wait(400),
        lambda scene: scene.hear(0, interval_ms=5000),
        [],
        BACKUP,
        218_750_000,
    ),
    "row05/backup/priority-zero-nobody-known[6.4.2]/here": Row(
        lambda link: backup(link).wait(400),
        lambda scene: scene.hear(0),
        [],
        BACKUP,
        218_750_000,
    ),
    "row05/backup/priority-zero-of-a-stranger[6.4.2]/here": Row(
        lambda link: backup_of(link).wait(400),
        lambda scene: scene.hear(0, OTHER),
        [],
        BACKUP,
        2_818_750_000,
    ),
    "row06/backup/higher-priority[6.4.2]": Row(
        lambda link: backup_of(link, preemption=ALWAYS).wait(900),
        lambda scene: scene.hear(220),
        [],
        BACKUP,
        3_218_750_000,
    ),
    "row06/backup/equal-priority[6.4.2]": Row(
        lambda link: backup_of(link, preemption=ALWAYS).wait(900),
        lambda scene: scene.hear(200),
        [],
        BACKUP,
        3_218_750_000,
    ),
    "row06/backup/equal-priority-lower-address[6.4.2]": Row(
        lambda link: backup_of(link, 200, LOWER, preemption=ALWAYS).wait(900),
        lambda scene: scene.hear(200, LOWER),
        [],
        BACKUP,
        3_218_750_000,
    ),
    "row06/backup/lower-priority-no-preemption[6.4.2]": Row(
        lambda link: backup_of(link, 180, LOWER).wait(900),
        lambda scene: scene.hear(180, LOWER),
        [],
        BACKUP,
        3_218_750_000,
    ),
    "row06/backup/interval-learned[6.4.2]": Row(
        lambda link: backup_of(link).wait(900),
        lambda scene: scene.hear(220, interval_ms=2000),
        [],
        BACKUP,
        6_437_500_000,
    ),
    "row07/backup/lower-priority[6.4.2]/here": Row(
        lambda link: backup(link, preemption=ALWAYS).wait(1000),
        lambda scene: scene.hear(180, interval_ms=5000),
        [],
        BACKUP,
        2_218_750_000,
    ),
    "row07/backup/lower-priority-owner[6.1]/here": Row(
        owner_in_backup, lambda scene: scene.hear(180), [], BACKUP, 2_003_906_250
    ),
    "row07/backup/failing-active-no-preemption[6.4.2]/here": Row(
        lambda link: backup(link).wait(1000),
        lambda scene: scene.hear(100),
        [],
        BACKUP,
        218_750_000,
    ),
    # --- Active -------------------------------------------------------------------------------
    "row08/active/shutdown[6.4.3]/here": Row(
        active,
        lambda scene: scene.election.stop(scene.now),
        [STOP_ANNOUNCING, send(0), changed(ACTIVE, BACKUP, "Stopped")],
        BACKUP,
        2_000_000,
    ),
    "row09/active/adver-timer[6.4.3]": Row(active, due, [send(200)], ACTIVE, 1_000_000_000),
    "row09/active/timer-not-due[6.2]": Row(
        active, lambda scene: scene.wait(599.999).tick(), [], ACTIVE, 1_000
    ),
    "row10/active/priority-zero[6.4.3]/here": Row(
        active, lambda scene: scene.hear(0), [send(200), ANNOUNCE], ACTIVE, 1_000_000_000
    ),
    "row11/active/higher-priority[6.4.3]/here": Row(
        active,
        lambda scene: scene.hear(220, LOWER),
        [send(200), changed(ACTIVE, BACKUP, "HigherPriorityHeard"), STOP_ANNOUNCING, RELEASE],
        BACKUP,
        3_218_750_000,
    ),
    "row11/active/higher-priority-interval-learned[6.4.3]/here": Row(
        active,
        lambda scene: scene.hear(220, LOWER, interval_ms=2000),
        [send(200), changed(ACTIVE, BACKUP, "HigherPriorityHeard"), STOP_ANNOUNCING, RELEASE],
        BACKUP,
        6_437_500_000,
    ),
    "row11/active/equal-priority-higher-address[6.4.3]/here": Row(
        active,
        lambda scene: scene.hear(200, HIGHER),
        [send(200), changed(ACTIVE, BACKUP, "HigherPriorityHeard"), STOP_ANNOUNCING, RELEASE],
        BACKUP,
        3_218_750_000,
        only=FIRST_INSTANCE,
    ),
    "row11/active/two-owners[erratum-8298]/here": Row(
        lambda link: active(link, priority=255),
        lambda scene: scene.hear(255, HIGHER),
        [send(255), changed(ACTIVE, BACKUP, "HigherPriorityHeard"), STOP_ANNOUNCING, RELEASE],
        BACKUP,
        3_003_906_250,
        only=FIRST_INSTANCE,
    ),
    "row12/active/equal-priority-second-instance[6.4.3]/here": Row(
        active,
        lambda scene: scene.hear(200, HIGHER),
        [send(200), ANNOUNCE],
        ACTIVE,
        600_000_000,
        only=SECOND_INSTANCE,
    ),
    "row12/active/lower-priority[6.4.3]/here": Row(
        active, lambda scene: scene.hear(180), [send(200), ANNOUNCE], ACTIVE, 600_000_000
    ),
    "row12/active/lower-priority-no-learning[6.4.3]/here": Row(
        active,
        lambda scene: scene.hear(180, interval_ms=5000),
        [send(200), ANNOUNCE],
        ACTIVE,
        600_000_000,
    ),
    "row12/active/equal-priority-lower-address[6.4.3]/here": Row(
        active, lambda scene: scene.hear(200, LOWER), [send(200), ANNOUNCE], ACTIVE, 600_000_000
    ),
    "row12/active/equal-priority-equal-address[6.4.3]/here": Row(
        active, lambda scene: scene.hear(200, OWN), [send(200), ANNOUNCE], ACTIVE, 600_000_000
    ),
}

CASES = [
    pytest.param(row, link, id=f"{name}-{link.name}")
    for name, row in ROWS.items()
    for link in LINKS
    if not row.only or link.name in row.only
]


@pytest.mark.parametrize(("row", "link"), CASES)
def test_row(row: Row, link: Link) -> None:
    """The event yields exactly these actions, this state and this timer."""
    scene = row.given(link)
    assert row.actions == row.when(scene)
    assert row.state is scene.state
    assert row.remaining_ns == scene.remaining_ns


@pytest.mark.parametrize(("row", "link"), CASES)
def test_nothing_happens_before_the_timer(row: Row, link: Link) -> None:
    """After each row, waking up one nanosecond early changes nothing (S7)."""
    scene = row.given(link)
    row.when(scene)
    deadline = scene.election.deadline()
    if deadline is None:
        scene.wait(1_000_000)
    else:
        scene.now = deadline - 1
    assert scene.tick() == []
    assert row.state is scene.state
    assert deadline == scene.election.deadline()


def test_every_line_of_the_table_has_a_row() -> None:
    """Lines 1 to 12 of the table, and the packet in Initialize, are all here."""
    assert {f"row{line:02}" for line in range(13)} == {name[:5] for name in ROWS}
