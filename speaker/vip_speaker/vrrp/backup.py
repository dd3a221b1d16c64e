"""What a Backup does with adverts and its timer: rows 4 to 7 of docs/protocol.md.

A decision to take over is judged when it is carried out, not only when it is made: between the
advert that gave rise to it, Active_Down_Timer and the kernel's answer a gate may fail, the
priority or the mode may change, and another may have taken over.
"""

from __future__ import annotations

from vip_model.vocabulary import Reason, Substate
from vip_speaker.vrrp.actions import Action, Announce, ReleaseAddresses
from vip_speaker.vrrp.chart import CLAIMING
from vip_speaker.vrrp.config import Heard
from vip_speaker.vrrp.standing import Standing
from vip_speaker.vrrp.timers import MILLISECOND_NS

LATE_FLOOR_NS = 20 * MILLISECOND_NS
_LEFT_OVER = (Substate.ADOPTED, Substate.YIELDING)


class Backup:
    """The conduct of one election as a Backup."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    # --- adverts ---------------------------------------------------------------------------

    def hear(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        """Take an advert that arrived then."""
        standing = self._standing
        if heard.priority == 0:
            self._hear_resignation(heard, arrived_ns)
            return []
        if standing.leave_reason is not None:
            standing.timers.resignations_ns = ()
            return standing.finish_leaving(now)
        standing.timers.resignations_ns = ()
        if standing.substate is Substate.BINDING:
            return self._hear_while_binding(now, heard, arrived_ns)
        return self._hear_active(now, heard, arrived_ns)

    def _hear_resignation(self, heard: Heard, arrived_ns: int) -> None:
        """Row 5, from the current Active only: a stranger's zero must not move an address."""
        standing = self._standing
        if standing.peer.is_stranger(heard) or standing.leave_reason is not None:
            return
        if not standing.peer.resigned:
            standing.peer.resigned = True
            self.hasten(arrived_ns)

    def _hear_active(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        """Rows 6 and 7."""
        standing, peer, timers = self._standing, self._standing.peer, self._standing.timers
        succeeded = standing.substate is Substate.YIELDING
        actions: list[Action] = []
        if standing.substate in _LEFT_OVER:
            actions.append(ReleaseAddresses())
            standing.bound = False
        if standing.substate is not Substate.WAITING:
            standing.provisional_until_ns = None
            standing.position.move(now, Substate.WAITING)
        if self._is_late_loser(heard):
            # If it were more, the successor would fall silent, and the timer runs.
            return actions
        peer.remember(arrived_ns, heard, is_lower=standing.is_above(heard.priority))
        if standing.outranks(heard.priority):
            self.hasten(arrived_ns)
        elif succeeded or not standing.is_above(heard.priority) or not standing.preempts(now):
            timers.active_adver_interval_ns = heard.interval_ns
            timers.arm_down(arrived_ns, intervals=3)
        return actions

    def _is_late_loser(self, heard: Heard) -> bool:
        """Whether this is a loser's last advert that was overtaken by its successor's."""
        standing, peer = self._standing, self._standing.peer
        if peer.priority is None or peer.resigned or not peer.is_stranger(heard):
            return False
        return standing.outranks(heard.priority) and not standing.outranks(peer.priority)

    def _hear_while_binding(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        """What was decided ends with another's claim, unless it would be decided again."""
        standing, peer = self._standing, self._standing.peer
        is_replaced = not peer.resigned and not peer.is_stranger(heard)
        is_lower = standing.is_above(heard.priority)
        goes_on = standing.outranks(heard.priority) or (
            is_replaced and is_lower and standing.preempts(now)
        )
        if not goes_on:
            return self.cancel(now, arrived_ns) + self._hear_active(now, heard, arrived_ns)
        if not self._is_late_loser(heard):
            peer.remember(arrived_ns, heard, is_lower=is_lower)
        return []

    def hasten(self, now: int) -> None:
        """Fire after Skew_Time, unless the timer is due sooner."""
        if self._standing.substate in CLAIMING:
            self._standing.timers.hasten_down(now, self._standing.priority)

    # --- taking over -----------------------------------------------------------------------

    def down_timer_fired(self, now: int) -> list[Action]:
        """Row 4, if it may; one that wakes late may have missed adverts, and listens once more."""
        standing, timers = self._standing, self._standing.timers
        due_ns = timers.down_ns(standing.priority)
        late_after_ns = max(timers.active_adver_interval_ns // 2, LATE_FLOOR_NS)
        is_late = due_ns is not None and now - due_ns > late_after_ns
        if is_late and not timers.rearmed_late:
            timers.arm_down(now, intervals=1)
            timers.rearmed_late = True
            self._listen(now)
            return []
        if standing.substate is Substate.YIELDING:
            return self._return(now)
        claim = standing.takeover(now)
        if claim is None:
            timers.active_adver_interval_ns = standing.peer.interval_ns
            timers.arm_down(standing.peer.heard_ns, intervals=3)
            return []
        if claim is not Reason.ACTIVE_DOWN or standing.bind_is_suspect:
            return standing.bind_first(now, claim)
        held_until_ns = standing.up_since_ns + standing.config.start_delay_ns
        if not standing.config.health_bands and now < held_until_ns:
            timers.arm_down(held_until_ns, intervals=0)
            self._listen(now)
            return []
        return standing.become_active(now, claim, provisional=True)

    def _listen(self, now: int) -> None:
        if self._standing.substate is Substate.WAITING:
            self._standing.position.move(now, Substate.LISTENING)

    def _return(self, now: int) -> list[Action]:
        """Nobody has taken over from one that resigned."""
        standing = self._standing
        if not standing.bound:
            # It is still served by the one that this node would have succeeded, if at all.
            return standing.bind_first(now, Reason.NOBODY_TOOK_OVER)
        provisional = standing.provisional_until_ns is not None
        return standing.become_active(now, Reason.NOBODY_TOOK_OVER, provisional=provisional)

    def bound(self, now: int) -> list[Action]:
        """The kernel has the addresses: claim as soon as all is heard that has arrived till now."""
        timers = self._standing.timers
        if timers.bind_ns is not None and now < timers.bind_ns:
            timers.bind_ns, timers.claim_ns = None, now
        return []

    def claim(self, now: int) -> list[Action]:
        """Row 4 in a handover, if it may: the client is told first, the others last."""
        standing = self._standing
        reason: str | None = standing.takeover(now)
        if reason is None:
            return self.cancel(now, standing.peer.heard_ns)
        if standing.claim in (Reason.NOBODY_TOOK_OVER, Reason.ADDRESS_OWNER):
            reason = standing.claim
        provisional = reason == Reason.ACTIVE_DOWN or standing.provisional_until_ns is not None
        actions = standing.to_active(now, reason, provisional=provisional)
        standing.mark_bound(now)
        return [*actions, Announce(), *standing.advertise(now)]

    def priority_changed(self, now: int, *, rebind: bool = False) -> list[Action]:
        """What a takeover depends on has changed, maybe also what is to be bound for it."""
        standing, peer = self._standing, self._standing.peer
        standing.reckon()
        if standing.substate is not Substate.BINDING:
            if peer.priority is not None and standing.outranks(peer.priority):
                self.hasten(now)
            return []
        if standing.takeover(now) is None:
            return self.cancel(now, peer.heard_ns)
        return standing.bind_first(now, standing.claim) if rebind else []

    def cancel(self, now: int, heard_ns: int) -> list[Action]:
        """Let go of what was bound for a claim; listen to who was heard last, then."""
        standing, timers = self._standing, self._standing.timers
        standing.position.move(now, Substate.WAITING)
        standing.bound = False
        standing.provisional_until_ns = None
        timers.disarm()
        if standing.peer.priority is not None:
            timers.active_adver_interval_ns = standing.peer.interval_ns
        timers.arm_down(heard_ns, intervals=3)
        return [ReleaseAddresses()]
