"""What an Active does with adverts and its timer: rows 9 to 12 of docs/protocol.md."""

from __future__ import annotations

from vip_model.vocabulary import Reason, Substate
from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    BindAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StopAnnouncing,
)
from vip_speaker.vrrp.config import Heard
from vip_speaker.vrrp.standing import BIND_LIMIT_NS, Standing
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

# Answers to a lower advert: two routers that both believe to be higher must not start a storm.
ANSWER_GAP_NS = 100 * MILLISECOND_NS
ANNOUNCE_AGAIN_GAP_NS = 200 * MILLISECOND_NS
# One that retires an address serves on so long, until the Backups know of it too.
RETIRE_DELAY_NS = SECOND_NS // 2


class Active:
    """The conduct of one election as Active."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    # --- adverts ---------------------------------------------------------------------------

    def adver_timer_fired(self, now: int) -> list[Action]:
        """Row 9; one that slept longer than its peers wait must listen before it goes on."""
        if self._standing.overslept(now):
            return self.wake_too_late(now)
        return self._standing.advertise(now, scheduled_ns=self._standing.timers.adver_ns)

    def wake_too_late(self, now: int) -> list[Action]:
        """It overslept: others may have taken over, so it leaves the addresses and listens."""
        standing = self._standing
        if standing.leave_reason is not None:
            return standing.finish_leaving(now)
        actions = standing.change(now, Substate.ADOPTED, Reason.OVERSLEPT)
        standing.timers.active_adver_interval_ns = standing.config.advertisement_interval_ns
        standing.timers.arm_down(now, intervals=1)
        return [*actions, StopAnnouncing()]

    def hear(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        """Rows 10, 11 and 12."""
        if heard.priority == 0:
            return self._answer(now, reset_timer=True)
        if self.loses_to(heard, arrived_ns):
            return self.step_down(now, heard, arrived_ns)
        return self._answer(now, reset_timer=False)

    def loses_to(self, heard: Heard, arrived_ns: int) -> bool:
        """Equal priorities are decided by the address, on the first instance that both hear."""
        standing = self._standing
        if heard.priority != standing.wire_priority:
            return heard.priority > standing.wire_priority
        earlier = {index for index in standing.working if index < heard.instance}
        if not standing.tie.is_decided_on(arrived_ns, heard, earlier):
            return False
        own = standing.config.instances[heard.instance].source
        return own is not None and int(heard.source) > int(own)

    def step_down(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        """Row 11 here: a last advert first, so that the winner announces again."""
        standing = self._standing
        actions: list[Action] = [SendAdvertisement(standing.wire_priority)]
        if standing.leave_reason is not None:
            return actions + standing.finish_leaving(now)
        actions += standing.change(now, Substate.WAITING, Reason.HIGHER_PRIORITY_HEARD)
        standing.peer.remember(arrived_ns, heard, is_lower=standing.is_above(heard.priority))
        standing.timers.active_adver_interval_ns = heard.interval_ns
        standing.timers.arm_down(arrived_ns, intervals=3)
        return [*actions, StopAnnouncing(), ReleaseAddresses()]

    def _answer(self, now: int, *, reset_timer: bool) -> list[Action]:
        """Rows 10 and 12 here: at a limited rate.

        The sender was Active too: its clients must be told where the addresses are.
        """
        standing = self._standing
        gap = min(standing.config.advertisement_interval_ns, ANSWER_GAP_NS)
        if standing.answered_ns is not None and now - standing.answered_ns < gap:
            return []
        standing.answered_ns = now
        actions = standing.advertise(now, reset_timer=reset_timer)
        if self._may_announce_again(now):
            standing.announced_ns = now
            actions.append(Announce())
        return actions

    def _may_announce_again(self, now: int) -> bool:
        standing = self._standing
        if standing.timers.bind_ns is not None:
            return False
        last_ns = standing.announced_ns
        return last_ns is None or now - last_ns >= ANNOUNCE_AGAIN_GAP_NS

    # --- addresses -------------------------------------------------------------------------

    def bound(self, now: int) -> list[Action]:
        """The addresses are in the kernel: now they can be announced (RFC 9568 §8.1.2)."""
        standing = self._standing
        if standing.timers.bind_ns is None:
            return []
        says, standing.say_when_bound = standing.say_when_bound, False
        standing.mark_bound(now)
        return [Announce(), *(standing.advertise(now) if says else [])]

    def bind_again(self, now: int) -> list[Action]:
        """The addresses, or what is below them, are others now."""
        self._standing.timers.bind_ns = now + BIND_LIMIT_NS
        return [BindAddresses()]

    # --- what it is ------------------------------------------------------------------------

    def retire(self, now: int) -> list[Action]:
        """Serve on without a word until the Backups know that nobody is to succeed."""
        standing = self._standing
        if standing.leave_reason is None:
            standing.leave_reason = Reason.RETIRED
            standing.position.move(now, Substate.RETIRING)
            standing.timers.leave_ns = now + RETIRE_DELAY_NS
        return []

    def stay(self, now: int) -> list[Action]:
        """Go on after all: the addresses are wanted again."""
        standing = self._standing
        standing.leave_reason = standing.timers.leave_ns = None
        if standing.health.withdrawn:
            return standing.leave(now, Reason.WITHDRAWN)
        is_provisional = standing.provisional_until_ns is not None
        place = Substate.PROVISIONAL if is_provisional else Substate.ESTABLISHED
        standing.position.move(now, place)
        return []

    def provisional_timer_fired(self, now: int) -> list[Action]:
        """It is more senior now, or established; what is only more senior says so in time."""
        standing = self._standing
        until_ns = standing.provisional_until_ns
        if until_ns is None or until_ns <= now:
            return self.establish(now)
        standing.seniority += 1
        standing.timers.provisional_ns = min(until_ns, now + standing.config.step_of_seniority_ns)
        standing.reckon()
        return []

    def establish(self, now: int) -> list[Action]:
        """Up for long enough: from now on the priority is that of the slot."""
        standing = self._standing
        standing.provisional_until_ns = standing.timers.provisional_ns = None
        if standing.substate is Substate.PROVISIONAL:
            standing.position.move(now, Substate.ESTABLISHED)
        return self.priority_changed(now, Reason.GATE_FAILED)

    def priority_changed(self, now: int, reason: str) -> list[Action]:
        """Say that it rose, or yield because it fell."""
        standing = self._standing
        before = standing.wire_priority
        standing.reckon()
        if standing.wire_priority < before:
            return standing.yield_active(now, reason)
        return standing.advertise(now) if standing.wire_priority > before else []
