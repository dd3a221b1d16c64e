"""What the log says of a transition, and how loudly."""

from __future__ import annotations

import logging

import pytest

from support.engine_node import router
from vip_model.vocabulary import Reason, State
from vip_speaker.engine import transition_log
from vip_speaker.vrrp.actions import StateChanged

PEER = "192.0.2.12"


def test_a_transition_names_router_vrid_and_peer() -> None:
    """One line tells what happened and who made it happen."""
    change = StateChanged(State.BACKUP, State.ACTIVE, Reason.ACTIVE_RESIGNED)
    line = transition_log.sentence(router("192.0.2.100"), change, PEER)
    assert line == ("default/web (VRID 51): Backup to Active, 192.0.2.12 resigned (ActiveResigned)")


@pytest.mark.parametrize("reason", list(Reason))
def test_without_a_peer_the_word_stands_alone(reason: Reason) -> None:
    """Nobody was heard, or the reason lies with this node."""
    change = StateChanged(State.INITIALIZE, State.BACKUP, reason)
    line = transition_log.sentence(router("192.0.2.100"), change, "")
    assert line == f"default/web (VRID 51): Initialize to Backup, {reason.value}"


@pytest.mark.parametrize(
    ("previous", "state", "reason", "expected"),
    [
        (State.ACTIVE, State.INITIALIZE, Reason.NOT_PLACEABLE, logging.WARNING),
        (State.ACTIVE, State.INITIALIZE, Reason.ADVERTS_NOT_SENT, logging.WARNING),
        (State.ACTIVE, State.BACKUP, Reason.GATE_FAILED, logging.WARNING),
        (State.ACTIVE, State.BACKUP, Reason.OVERSLEPT, logging.WARNING),
        (State.BACKUP, State.ACTIVE, Reason.ACTIVE_DOWN, logging.WARNING),
        (State.ACTIVE, State.BACKUP, Reason.HIGHER_PRIORITY_HEARD, logging.INFO),
        (State.ACTIVE, State.INITIALIZE, Reason.STOPPED, logging.INFO),
        (State.ACTIVE, State.INITIALIZE, Reason.RETIRED, logging.INFO),
        (State.BACKUP, State.ACTIVE, Reason.ACTIVE_RESIGNED, logging.INFO),
        (State.INITIALIZE, State.BACKUP, Reason.STARTED, logging.INFO),
    ],
)
def test_a_lost_address_is_a_warning(
    previous: State, state: State, reason: Reason, expected: int
) -> None:
    """What was wanted is not; what somebody should look at is."""
    assert transition_log.level(StateChanged(previous, state, reason), PEER) == expected


def test_a_first_start_is_no_warning() -> None:
    """Where nobody was heard, nobody was lost."""
    change = StateChanged(State.BACKUP, State.ACTIVE, Reason.ACTIVE_DOWN)
    assert transition_log.level(change, "") == logging.INFO
