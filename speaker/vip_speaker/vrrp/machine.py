"""The election: RFC 9568 §6.4 with the deviations of docs/protocol.md, without I/O.

Every event takes the time and returns what to do, in the order in which it is to be done.
Row numbers in comments are those of the transition table in docs/protocol.md.

Where the addresses are, seen from outside (invariant S1): bound if and only if the router is
Active, or Backup and `yielding` (it resigned and serves on until a successor speaks), or
`adopted` (an earlier life of this process left them, and nobody has claimed them yet).
"""

from __future__ import annotations

from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    BindAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StopAnnouncing,
)
from vip_speaker.vrrp.election import ElectionConfig, Health, Heard
from vip_speaker.vrrp.steps import BIND_LIMIT_NS, BIND_RETRY_FIRST_NS, ElectionSteps
from vip_speaker.vrrp.timers import (
    MILLISECOND_NS,
    SECOND_NS,
)

# One that retires an address serves on so long, until the Backups know of it too.
RETIRE_DELAY_NS = SECOND_NS // 2
# An earlier life resumes only if the others cannot have taken over yet, less this margin.
RESUME_MARGIN_NS = 50 * MILLISECOND_NS
# Answers to a lower advert: two routers that both believe to be higher must not start a storm.
ANSWER_GAP_NS = 100 * MILLISECOND_NS
ANNOUNCE_AGAIN_GAP_NS = 200 * MILLISECOND_NS
BIND_RETRY_LIMIT_NS = 60 * SECOND_NS
LATE_FLOOR_NS = 20 * MILLISECOND_NS
RESUMED = "Resumed"
_RETIRED = "Retired"


class Election(ElectionSteps):
    """One election over one or more instances, as one node sees it."""

    # --- start, stop, trouble --------------------------------------------------------------

    def start(
        self, now: int, *, resume_last_sent_ns: int | None = None, adopted: bool = False
    ) -> list[Action]:
        """Take part from now on (rows 1 and 2).

        Args:
            now: current time in ns.
            resume_last_sent_ns: when an earlier life of this node sent its last advert as
                Active, if it was Active to the end.
            adopted: addresses of that life are still bound, with our tag.
        """
        self._started = True
        self._faulted = False
        self._adopted = adopted
        in_window = (
            resume_last_sent_ns is not None
            and now - resume_last_sent_ns < self._window_ns() - RESUME_MARGIN_NS
        )
        if adopted and in_window and self._health is not Health.WITHDRAWN:
            return self._become_active(now, RESUMED, orderly=False)
        return self._enter_election(now, "Started")

    def stop(self, now: int) -> list[Action]:
        """Leave for good, in an orderly way (rows 3 and 8): resign, wait for a successor."""
        return self._leave(now, "Stopped")

    def retire(self, now: int) -> list[Action]:
        """Leave for good because the address is given up everywhere: no resignation."""
        if self._state is not State.ACTIVE:
            return self._leave(now, _RETIRED)
        if self._leave_reason is not None:
            return []
        self._leave_reason = _RETIRED
        self._timers.leave_ns = now + RETIRE_DELAY_NS
        return []

    @property
    def may_stay(self) -> bool:
        """Whether it was retired and has said nothing of it yet, so that `stay` can undo that."""
        return self._state is State.ACTIVE and self._leave_reason == _RETIRED

    def stay(self, now: int) -> list[Action]:
        """Go on as Active: the address is wanted again. Only while `may_stay`."""
        self._leave_reason = self._timers.leave_ns = None
        return self._leave(now, "Withdrawn") if self._health is Health.WITHDRAWN else []

    def fault(self, now: int, reason: str, *, resign: bool = False) -> list[Action]:
        """Link or address is broken: release at once, wait for `recover`.

        `resign` says that adverts may still get out, so that the others need not wait.
        """
        if self._faulted:
            return []
        self._faulted = True
        was_active = self._state is State.ACTIVE
        if self._leave_reason is not None:
            return self._finish_leaving(now)
        self._return_until_ns = None
        if was_active and not resign and self._last_sent_ns is not None:
            self._return_until_ns = self._last_sent_ns + self._window_ns()
        actions: list[Action] = self._resign(now) if was_active and resign else []
        return actions + self._to_initialize(now, reason)

    def recover(self, now: int) -> list[Action]:
        """The fault is gone: Active again if nobody can have taken over, else Backup."""
        if not self._faulted:
            return []
        self._faulted = False
        until, self._return_until_ns = self._return_until_ns, None
        if not self._started:
            return []
        if until is not None and now < until and self._health is not Health.WITHDRAWN:
            return self._become_active(now, "LinkReturned", orderly=False)
        return self._enter_election(now, "Recovered")

    # --- the driver's answers --------------------------------------------------------------

    def bound(self, now: int) -> list[Action]:
        """The addresses are in the kernel: now they can be announced (RFC 9568 §8.1.2)."""
        self._bound = self._state is State.ACTIVE or self._yielding
        if self._state is not State.ACTIVE or self._timers.bind_ns is None:
            return []
        self._timers.bind_ns = None
        self._bind_retry_ns = BIND_RETRY_FIRST_NS
        self._announced_ns = now
        if self._advert_waits_for_bind or self._advertise_when_bound:
            self._advert_waits_for_bind = self._advertise_when_bound = False
            return [Announce(), *self._advertise(now)]
        return [Announce()]

    def bind_failed(self, now: int, reason: str) -> list[Action]:
        """Never Active without an address: resign, release, try again later."""
        if self._state is not State.ACTIVE:
            return []
        if self._leave_reason is not None:
            return self._finish_leaving(now)
        actions = [*self._resign(now), *self._to_initialize(now, reason)]
        self._timers.retry_ns = now + self._bind_retry_ns
        self._bind_retry_ns = min(2 * self._bind_retry_ns, BIND_RETRY_LIMIT_NS)
        return actions

    def address_in_use(self, now: int) -> list[Action]:
        """Somebody answered the bootstrap probe: wait like any other Backup."""
        if self._state is State.BACKUP:
            self._timers.arm_down(now, intervals=3)
        return []

    # --- adverts ---------------------------------------------------------------------------

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        """Handle an advert that passed the receive ladder and arrived then, by default now."""
        at = now if arrived_ns is None else arrived_ns
        if self._state is State.BACKUP:
            if heard.priority == 0:
                return self._hear_resignation(at, heard)
            return self._hear_in_backup(now, heard, at)
        if self._state is State.ACTIVE and self._overslept(now):
            # It would answer as if it were still Active, and win with addresses that have expired.
            return [*self._wake_too_late(now), *self.receive(now, heard, arrived_ns=at)]
        if self._state is State.ACTIVE:
            return self._hear_in_active(now, heard, at)
        if heard.priority > 0:
            self._return_until_ns = None
        return []

    def _hear_resignation(self, now: int, heard: Heard) -> list[Action]:
        """Row 5, from the current Active only: a stranger's zero must not move an address."""
        if self._peer.is_stranger(heard) or self._leave_reason is not None:
            return []
        if not self._peer.resigned:
            self._peer.resigned = True
            self._hasten(now)
        return []

    def _hear_in_backup(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        """Rows 6 and 7."""
        if self._leave_reason is not None:
            self._timers.resignations_ns = ()
            return self._finish_leaving(now)
        succeeded = self._yielding
        actions: list[Action] = [ReleaseAddresses()] if succeeded or self._adopted else []
        self._yielding = self._adopted = self._bound = False
        self._timers.resignations_ns = ()
        outranked = self._outranks_by_health(heard.priority)
        if outranked and self._peer.is_stranger(heard) and not self._is_failing(self._peer):
            # A loser's last advert that was overtaken by its successor's; if it were more, the
            # successor would fall silent, and the timer runs.
            return actions
        self._peer.remember(arrived_ns, heard, own_priority=self.effective_priority)
        self._peer.resigned = False
        if outranked:
            self._hasten(arrived_ns)
        elif heard.priority >= self.effective_priority or succeeded or not self._preempts(now):
            self._orderly = False
            self._timers.active_adver_interval_ns = heard.interval_ns
            self._timers.arm_down(arrived_ns, intervals=3)
        else:
            self._orderly = True
        return actions

    def _hear_in_active(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        """Rows 10, 11 and 12."""
        if heard.priority == 0:
            return self._answer(now, reset_timer=True)
        if self._loses_to(heard):
            return self._step_down(now, heard, arrived_ns)
        return self._answer(now, reset_timer=False)

    def _loses_to(self, heard: Heard) -> bool:
        """Equal priorities are decided by the sender's address, on the first instance only."""
        own = self._config.instances[heard.instance].source
        if heard.priority != self.effective_priority:
            return heard.priority > self.effective_priority
        return heard.instance == 0 and int(heard.source) > int(own)

    def _step_down(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        """Row 11 here: a last advert first, so that the winner announces again."""
        actions: list[Action] = []
        if not self._advert_waits_for_bind:
            actions.append(SendAdvertisement(self.effective_priority))
        if self._leave_reason is not None:
            return actions + self._finish_leaving(now)
        self._bound = False
        actions += self._change_state(now, State.BACKUP, "HigherPriorityHeard")
        self._peer.remember(arrived_ns, heard, own_priority=self.effective_priority)
        self._timers.active_adver_interval_ns = heard.interval_ns
        self._timers.arm_down(arrived_ns, intervals=3)
        return [*actions, StopAnnouncing(), ReleaseAddresses()]

    def _answer(self, now: int, *, reset_timer: bool) -> list[Action]:
        """Rows 10 and 12 here: at a limited rate, and not before the addresses are bound.

        Whoever spoke was Active too: its clients must be told where the addresses are.
        """
        gap = min(self._config.advertisement_interval_ns, ANSWER_GAP_NS)
        too_soon = self._answered_ns is not None and now - self._answered_ns < gap
        if self._advert_waits_for_bind or too_soon:
            return []
        self._answered_ns = now
        actions = self._advertise(now, reset_timer=reset_timer)
        if self._may_announce_again(now):
            self._announced_ns = now
            actions.append(Announce())
        return actions

    def _may_announce_again(self, now: int) -> bool:
        if self._timers.bind_ns is not None:
            return False
        return self._announced_ns is None or now - self._announced_ns >= ANNOUNCE_AGAIN_GAP_NS

    # --- time ------------------------------------------------------------------------------

    def advertise(self, now: int) -> list[Action]:
        """Do what is due for an Active before anything is heard (row 9); calling early is harmless.

        One that overslept becomes Backup here, before it can answer what waited for it.
        """
        adver_ns = self._timers.adver_ns
        if self._state is not State.ACTIVE or adver_ns is None or adver_ns > now:
            return []
        return self._adver_timer_fired(now)

    def tick(self, now: int, heard_until_ns: int | None = None) -> list[Action]:
        """Act on every timer that is due; calling early does nothing.

        Active_Down_Timer does not fire while adverts are unread that may have arrived before its
        deadline: all up to `heard_until_ns` have been heard (None: all).
        """
        heard_until_ns = now if heard_until_ns is None else heard_until_ns
        actions: list[Action] = []
        while self._is_due(now, heard_until_ns):
            actions += self._fire(now)
        return actions

    def _is_due(self, now: int, heard_until_ns: int) -> bool:
        other_ns = self._timers.next_besides_down_ns()
        if other_ns is not None and other_ns <= now:
            return True
        down_ns = self._timers.down_ns(self.effective_priority)
        return down_ns is not None and down_ns <= min(now, heard_until_ns)

    def _fire(self, now: int) -> list[Action]:
        """Act on one due timer; each either disarms it or arms it later than now."""
        timers = self._timers
        repeats = timers.take_resignations(now)
        if repeats:
            return [SendAdvertisement(0)] * repeats
        if timers.leave_ns is not None and timers.leave_ns <= now:
            return self._finish_leaving(now)
        if timers.bind_ns is not None and timers.bind_ns <= now:
            return self.bind_failed(now, "BindTimedOut")
        if timers.retry_ns is not None and timers.retry_ns <= now:
            timers.retry_ns = None
            return self._enter_election(now, "Retried")
        if timers.adver_ns is not None and timers.adver_ns <= now:
            return self._adver_timer_fired(now)
        return self._active_down_timer_fired(now)

    def _adver_timer_fired(self, now: int) -> list[Action]:
        """Row 9; one that slept longer than its peers wait must listen before it goes on."""
        if self._overslept(now):
            return self._wake_too_late(now)
        return self._advertise(now, scheduled_ns=self._timers.adver_ns)

    def _wake_too_late(self, now: int) -> list[Action]:
        if self._leave_reason is not None:
            return self._finish_leaving(now)
        actions = self._change_state(now, State.BACKUP, "Overslept")
        self._adopted = True
        self._timers.active_adver_interval_ns = self._config.advertisement_interval_ns
        self._timers.arm_down(now, intervals=1)
        return [*actions, StopAnnouncing()]

    def _active_down_timer_fired(self, now: int) -> list[Action]:
        """Row 4; whoever wakes late may have missed adverts, and listens once more."""
        due_ns = self._timers.down_ns(self.effective_priority)
        late_after_ns = max(self._timers.active_adver_interval_ns // 2, LATE_FLOOR_NS)
        is_late = due_ns is not None and now - due_ns > late_after_ns
        if is_late and not self._timers.rearmed_late:
            self._timers.arm_down(now, intervals=1)
            self._timers.rearmed_late = True
            return []
        if self._yielding:
            # What is not bound yet is still served by the one that this node would have succeeded.
            return self._become_active(now, "NobodyTookOver", orderly=not self._bound)
        if self._orderly:
            return self._become_active(now, self._handover_reason(), orderly=True)
        return self._become_active(now, "ActiveDown", orderly=False)

    # --- health, configuration, moves ------------------------------------------------------

    def set_health(self, now: int, health: Health) -> list[Action]:
        """Take a new verdict of the gates (docs/protocol.md, "Health")."""
        before, self._health = self._health, health
        leaves_for_good = self._leave_reason is not None and self._leave_reason != "Withdrawn"
        if health is before or not self._started or self._faulted or leaves_for_good:
            return []
        if health is Health.WITHDRAWN:
            return self._leave(now, "Withdrawn")
        if before is Health.WITHDRAWN:
            return self._come_back(now)
        if self._state is State.ACTIVE:
            return self._change_health_in_active(now, before)
        if self._peer.priority is not None and self._outranks_by_health(self._peer.priority):
            self._hasten(now)
        return []

    def _change_health_in_active(self, now: int, before: Health) -> list[Action]:
        if self.effective_priority < self._config.effective_priority(before):
            return self.yield_active(now, "GateFailed")
        return [] if self._advert_waits_for_bind else self._advertise(now)

    def _come_back(self, now: int) -> list[Action]:
        """The gates withdrew this node and do so no longer."""
        if self._leave_reason == "Withdrawn":
            self._leave_reason = self._timers.leave_ns = None
            self._timers.arm_down(now, intervals=0)
            return []
        if self._timers.retry_ns is None:
            return self._enter_election(now, "Restored")
        return []

    def reconfigure(self, now: int, config: ElectionConfig) -> list[Action]:
        """Take another configuration and stay what this node is.

        An Active says so at once, on the new instances if those changed: the others count with
        what they heard last.
        """
        old, self._config = self._config, config
        self._timers.tie_delay_ns = config.tie_delay_ns
        wire_changed = config.wire != old.wire
        if wire_changed:
            self._peer.sources.clear()
        if not self._peer.sources:
            self._timers.active_adver_interval_ns = config.advertisement_interval_ns
        if config.sources != old.sources:
            # The others may not know it yet by its new source, and would not hear it return.
            self._return_until_ns = None
        if self._state is not State.ACTIVE:
            return []
        priority = old.effective_priority(self._health)
        actions: list[Action] = []
        is_news = wire_changed or priority != self.effective_priority
        if is_news or config.advertisement_interval_ns != old.advertisement_interval_ns:
            actions += [] if self._advert_waits_for_bind else self._advertise(now)
        if config.instances != old.instances:
            self._advertise_when_bound = True
            self._timers.bind_ns = now + BIND_LIMIT_NS
            actions.append(BindAddresses())
        return actions

    def relocate(self, now: int) -> list[Action]:
        """The interface below the addresses, or its hardware address, is another one.

        An Active binds again, on the interface that it is now, and then announces.
        """
        if self._state is not State.ACTIVE:
            return []
        self._timers.bind_ns = now + BIND_LIMIT_NS
        return [BindAddresses()]
