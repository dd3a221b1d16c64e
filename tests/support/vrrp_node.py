"""An election and a kernel that does what it is told, with the invariants of both."""

from __future__ import annotations

from typing import Any

from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    BindAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
)
from vip_speaker.vrrp.config import ElectionConfig, Health
from vip_speaker.vrrp.election import Election

SECOND_NS = 1_000_000_000
# Three learned intervals and Skew_Time at their longest (vrrp.md §4.3: less than 164 s), and the
# delay that parts equals.
LONGEST_TIMER_NS = 165 * SECOND_NS
LEAVE_LIMIT_NS = 8 * SECOND_NS


class Node:
    """One election and its kernel; every violated invariant is an AssertionError.

    The invariants S1 to S8 are described in tests/conformance/test_machine_properties.py.
    """

    def __init__(self, config: ElectionConfig, health: Health, *, now: int, adopted: bool) -> None:
        self.election = Election(config, health)
        self.state = State.INITIALIZE
        self.addresses_bound = adopted
        self.bind_is_pending = False
        self.resignations = 0
        self.leave_asked_ns: int | None = None
        self.apply(self.election.start(now, adopted=adopted))

    def snapshot(self) -> tuple[Any, ...]:
        """Return everything that is seen from outside."""
        election = self.election
        return (
            election.state,
            election.reason,
            election.since_ns,
            election.yielding,
            election.adopted,
            election.stopped,
            election.deadline(),
            election.active_source,
            election.effective_priority,
            election.last_sent_ns,
        )

    def apply(self, actions: list[Action]) -> None:
        """Do what the election asks for, one action after the other."""
        for action in actions:
            if isinstance(action, StateChanged):
                self._enter(action)
            elif isinstance(action, SendAdvertisement):
                self._send(action.priority)
            elif isinstance(action, BindAddresses):
                self.addresses_bound = self.bind_is_pending = True
            elif isinstance(action, ReleaseAddresses):
                assert self.addresses_bound, "released what was not bound (S1)"
                self.addresses_bound = self.bind_is_pending = False
            elif isinstance(action, Announce):
                assert self.state is State.ACTIVE, "announced without being Active (S4)"
                assert self.addresses_bound, "announced what was not bound (S4)"
                assert not self.bind_is_pending, "announced before the kernel had bound (S4)"
        assert self.state is self.election.state, "a transition was not told"

    def _enter(self, action: StateChanged) -> None:
        assert self.state is action.previous
        assert action.state is not action.previous
        self.state = action.state
        if action.state is State.ACTIVE:
            self.resignations = 0

    def _send(self, priority: int) -> None:
        if priority == 0:
            self.resignations += 1
            assert self.resignations <= 3, "resigned more than three times (S3)"
            return
        assert self.state is State.ACTIVE, "advertised without being Active (S3)"
        assert priority == self.election.effective_priority, "advertised another's priority (S8)"

    def check(self, now: int, *, ticked: bool) -> None:
        """Check what holds after every event, and after every tick."""
        election = self.election
        holds = election.holds_addresses
        assert self.addresses_bound is holds, "bound and state do not agree (S1)"
        assert not election.yielding or election.state is State.BACKUP
        deadline = election.deadline()
        if election.state is not State.INITIALIZE:
            assert deadline is not None, "no timer is armed (S2)"
        if deadline is not None:
            assert deadline <= now + LONGEST_TIMER_NS, "a timer is armed for too long (S2)"
            assert not ticked or deadline > now, "a timer is due after the tick (S2)"
        if ticked and self.leave_asked_ns is not None:
            assert now < self.leave_asked_ns + LEAVE_LIMIT_NS or election.stopped, "does not leave"
