"""The election: RFC 9568 §6.4 with the deviations of docs/protocol.md, without I/O.

Every event takes the time and returns what to do, in the order in which it is to be done.
Row numbers in comments are those of the transition table in docs/protocol.md.

An `Election` composes its `Standing` (where it is in the chart, what it knows), its conduct as
`Backup` and as `Active`, and its `Placing`. Where the addresses are follows from the sub-state
alone (invariant S1, `vip_speaker.vrrp.chart`).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from vip_model.vocabulary import Reason, State, Substate
from vip_speaker.vrrp.actions import Action, SendAdvertisement
from vip_speaker.vrrp.active import Active
from vip_speaker.vrrp.backup import Backup
from vip_speaker.vrrp.chart import RENEWING, RESIGNED, Position
from vip_speaker.vrrp.config import Address, ElectionConfig, Health, Heard
from vip_speaker.vrrp.placing import Placing
from vip_speaker.vrrp.standing import Standing
from vip_speaker.vrrp.timers import MILLISECOND_NS

# An earlier life resumes only if the others cannot have taken over yet, less this margin.
RESUME_MARGIN_NS = 50 * MILLISECOND_NS


class Election:
    """One election over one or more instances, as one node sees it.

    Attributes:
        STANDING, BACKUP, ACTIVE: what it is composed of; tests put broken ones in their place.
    """

    STANDING = Standing
    BACKUP = Backup
    ACTIVE = Active

    def __init__(self, config: ElectionConfig, health: Health = Health.HEALTHY) -> None:
        self._standing = self.STANDING(config, health)
        self._backup = self.BACKUP(self._standing)
        self._active = self.ACTIVE(self._standing)
        self._placing = Placing(self._standing, self._backup, self._active)

    # --- what is seen from outside ---------------------------------------------------------

    @property
    def config(self) -> ElectionConfig:
        """The configuration in force."""
        return self._standing.config

    @property
    def position(self) -> Position:
        """Where it is in the chart."""
        return self._standing.position

    @property
    def state(self) -> State:
        """Initialize, Backup or Active."""
        return self._standing.state

    @property
    def substate(self) -> Substate:
        """The place in the chart."""
        return self._standing.substate

    @property
    def reason(self) -> str:
        """Why the state is what it is, in CamelCase."""
        return self._standing.position.reason

    @property
    def since_ns(self) -> int:
        """When the state was entered."""
        return self._standing.position.since_ns

    @property
    def health(self) -> Health:
        """What the gates say."""
        return self._standing.health

    @property
    def missing(self) -> tuple[int, ...]:
        """The instances that lack something on this node."""
        every = range(len(self._standing.config.instances))
        return tuple(index for index in every if index not in self._standing.working)

    @property
    def effective_priority(self) -> int:
        """The priority that adverts carry; a Backup's timers use it too."""
        if self._standing.state is State.ACTIVE:
            return self._standing.wire_priority
        return self._standing.priority

    @property
    def holds_addresses(self) -> bool:
        """Whether the addresses are bound, or on their way into the kernel."""
        return self._standing.position.holds

    @property
    def renews(self) -> bool:
        """Whether the addresses are to be kept, whatever their lifetime."""
        return self._standing.substate in RENEWING

    @property
    def yielding(self) -> bool:
        """Backup that resigned and still holds the addresses for its successor."""
        return self._standing.substate in RESIGNED

    @property
    def adopted(self) -> bool:
        """Not Active, and addresses of an earlier life are still in the kernel."""
        return self._standing.substate is Substate.ADOPTED

    @property
    def started(self) -> bool:
        """Whether it takes part, or waits until it can; false before `start` and for good after."""
        return self._standing.substate is not Substate.IDLE

    @property
    def stopped(self) -> bool:
        """Whether it left for good, after `stop` or `retire`."""
        return self._standing.substate is Substate.IDLE

    @property
    def active_source(self) -> Address | None:
        """Source of the advert that was accepted last; None when Active or unknown."""
        return next(iter(self._standing.peer.sources.values()), None)

    def active_source_on(self, instance: int) -> Address | None:
        """Return whose advert was accepted last on one instance."""
        return self._standing.peer.sources.get(instance)

    @property
    def last_sent_ns(self) -> int | None:
        """When the last advert that was not a resignation went out."""
        return self._standing.last_sent_ns

    @property
    def provisional_until_ns(self) -> int | None:
        """Until when a claim from silence is provisional, or None if it is not."""
        return self._standing.provisional_until_ns

    @property
    def seniority(self) -> int:
        """For how many steps it has been a provisional Active."""
        return self._standing.seniority

    def deadline(self) -> int | None:
        """Return when `tick` is due next, or None when nothing is armed."""
        return self._standing.timers.next_deadline(self._standing.priority)

    # --- start and end ---------------------------------------------------------------------

    def start(
        self,
        now: int,
        *,
        resume_last_sent_ns: int | None = None,
        resume_provisional_until_ns: int | None = None,
        resume_seniority: int = 0,
        adopted: bool = False,
        up_since_ns: int | None = None,
    ) -> list[Action]:
        """Take part from now on (rows 1 and 2).

        Args:
            now: current time in ns.
            resume_last_sent_ns: when an earlier life of this node sent its last advert as
                Active, if it was Active to the end.
            resume_provisional_until_ns: until when that life was provisional, if it was.
            resume_seniority: for how many steps it had been.
            adopted: addresses of that life are still bound, with our tag.
            up_since_ns: since when this node can hear adverts, if not only from now on.
        """
        standing = self._standing
        standing.up_since_ns = now if up_since_ns is None else up_since_ns
        if resume_last_sent_ns is not None and adopted and not standing.health.withdrawn:
            silent_ns = now - resume_last_sent_ns
            if silent_ns < standing.window_ns - RESUME_MARGIN_NS:
                return standing.resume(now, resume_provisional_until_ns, resume_seniority)
        return standing.enter(now, Reason.STARTED, adopted=adopted)

    def stop(self, now: int) -> list[Action]:
        """Leave for good, in an orderly way (rows 3 and 8): resign, wait for a successor."""
        return self._standing.leave(now, Reason.STOPPED)

    def retire(self, now: int) -> list[Action]:
        """Leave for good because the address is given up everywhere: no resignation."""
        if self.state is State.ACTIVE:
            return self._active.retire(now)
        return self._standing.leave(now, Reason.RETIRED)

    @property
    def may_stay(self) -> bool:
        """Whether it was retired and has said nothing of it yet, so that `stay` can undo that."""
        standing = self._standing
        return standing.substate is Substate.RETIRING and standing.leave_reason == Reason.RETIRED

    def stay(self, now: int) -> list[Action]:
        """Go on as Active: the address is wanted again. Only while `may_stay`."""
        return self._active.stay(now)

    def yield_active(self, now: int, reason: str) -> list[Action]:
        """Resign and serve on until a successor speaks; without one, come back."""
        return self._standing.yield_active(now, reason)

    # --- links, instances, configuration ---------------------------------------------------

    def fault(self, now: int, reason: str, *, resign: bool = False) -> list[Action]:
        """Link or address is broken: release at once, wait for `recover`.

        `resign` says that adverts may still get out, so that the others need not wait.
        """
        return self._placing.fault(now, reason, resign=resign)

    def recover(self, now: int) -> list[Action]:
        """The fault is gone: Active again if nobody can have taken over, else Backup."""
        return self._placing.recover(now)

    def instances_changed(
        self, now: int, working: AbstractSet[int], reason: str = Reason.INSTANCE_LOST
    ) -> list[Action]:
        """Go on with these instances; the others lack something on this node."""
        return self._placing.instances_changed(now, working, reason)

    def reconfigure(
        self, now: int, config: ElectionConfig, *, working: AbstractSet[int] | None = None
    ) -> list[Action]:
        """Take another configuration and stay what this node is.

        Args:
            now: current time in ns.
            config: the configuration.
            working: the instances that work, by default those that have a place.
        """
        return self._placing.reconfigure(now, config, config.placed if working is None else working)

    def relocate(self, now: int) -> list[Action]:
        """The interface below the addresses, or its hardware address, is another one."""
        return self._placing.relocate(now)

    # --- the driver's answers --------------------------------------------------------------

    def bound(self, now: int) -> list[Action]:
        """The addresses are in the kernel."""
        if self.state is State.ACTIVE:
            return self._active.bound(now)
        if self.substate is Substate.BINDING:
            return self._backup.bound(now)
        self._standing.bound = self.yielding
        return []

    def bind_failed(self, now: int, reason: str) -> list[Action]:
        """Never Active without an address: release, try again later."""
        return self._standing.bind_failed(now, reason)

    def address_in_use(self, now: int) -> list[Action]:
        """Somebody answered the bootstrap probe: wait like any other Backup."""
        if self.substate in (Substate.WAITING, Substate.ADOPTED):
            self._standing.timers.arm_down(now, intervals=3)
        return []

    # --- adverts ---------------------------------------------------------------------------

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        """Handle an advert that passed the receive ladder and arrived then, by default now.

        It counts from its arrival, and what it leads to is judged and done now.
        """
        standing = self._standing
        arrived_ns = now if arrived_ns is None else arrived_ns
        if standing.state is State.ACTIVE and standing.overslept(now):
            # It would answer as if it were still Active, and win with addresses that have expired.
            woken = self._active.wake_too_late(now)
            return woken + self.receive(now, heard, arrived_ns=arrived_ns)
        if standing.state is State.BACKUP:
            return self._backup.hear(now, heard, arrived_ns)
        if standing.state is State.ACTIVE:
            return self._active.hear(now, heard, arrived_ns)
        if heard.priority > 0:
            standing.return_until_ns = None
        return []

    # --- time ------------------------------------------------------------------------------

    def advertise(self, now: int) -> list[Action]:
        """Do what is due for an Active before anything is heard (row 9); early is harmless.

        One that overslept becomes Backup here, before it can answer what waited for it.
        """
        adver_ns = self._standing.timers.adver_ns
        if self.state is not State.ACTIVE or adver_ns is None or adver_ns > now:
            return []
        return self._active.adver_timer_fired(now)

    def tick(self, now: int, heard_until_ns: int | None = None) -> list[Action]:
        """Act on every timer that is due; calling early does nothing.

        What claims the addresses does not fire while adverts are unread that may have arrived
        before it was due: all up to `heard_until_ns` have been heard (None: all).
        """
        heard_until_ns = now if heard_until_ns is None else heard_until_ns
        actions: list[Action] = []
        while self._is_due(now, heard_until_ns):
            actions += self._fire(now)
        return actions

    def _is_due(self, now: int, heard_until_ns: int) -> bool:
        timers = self._standing.timers
        certain_ns = timers.next_certain_ns()
        if certain_ns is not None and certain_ns <= now:
            return True
        claim_ns = timers.next_claim_ns(self._standing.priority)
        return claim_ns is not None and claim_ns <= min(now, heard_until_ns)

    def _fire(self, now: int) -> list[Action]:
        """Act on one due timer; each either disarms it or arms it later than now."""
        timers, standing = self._standing.timers, self._standing
        if repeats := timers.take_resignations(now):
            return [SendAdvertisement(0)] * repeats
        if timers.leave_ns is not None and timers.leave_ns <= now:
            return standing.finish_leaving(now)
        if timers.bind_ns is not None and timers.bind_ns <= now:
            return standing.bind_failed(now, Reason.BIND_TIMED_OUT)
        if timers.retry_ns is not None and timers.retry_ns <= now:
            timers.retry_ns = None
            return standing.enter(now, Reason.RETRIED)
        if timers.provisional_ns is not None and timers.provisional_ns <= now:
            return self._active.provisional_timer_fired(now)
        if timers.adver_ns is not None and timers.adver_ns <= now:
            return self._active.adver_timer_fired(now)
        if timers.claim_ns is not None:
            return self._backup.claim(now)
        return self._backup.down_timer_fired(now)

    # --- health ---------------------------------------------------------------------------

    def set_health(
        self, now: int, health: Health, because: Reason = Reason.GATE_FAILED
    ) -> list[Action]:
        """Take a new verdict (docs/protocol.md, "Health"); `because` is why an Active resigns."""
        standing = self._standing
        before, standing.health = standing.health, health
        is_out = standing.substate in (Substate.IDLE, Substate.FAULTED)
        leaves_for_good = standing.leave_reason not in (None, Reason.WITHDRAWN)
        if health == before or is_out or leaves_for_good:
            standing.reckon()
            return []
        if health.withdrawn:
            return [] if before.withdrawn else standing.leave(now, Reason.WITHDRAWN)
        if before.withdrawn:
            return self._come_back(now)
        if standing.state is State.ACTIVE:
            return self._active.priority_changed(now, because)
        return self._backup.priority_changed(now)

    def _come_back(self, now: int) -> list[Action]:
        """The gates withdrew this node and do so no longer."""
        standing = self._standing
        standing.reckon()
        if standing.substate is not Substate.LEAVING:
            return standing.enter(now, Reason.RESTORED)
        standing.leave_reason = standing.timers.leave_ns = None
        standing.position.move(now, Substate.YIELDING)
        standing.timers.arm_down(now, intervals=0)
        return []
