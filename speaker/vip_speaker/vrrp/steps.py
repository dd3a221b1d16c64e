"""The state of an election, how it looks from outside, and the steps that its events share.

The events themselves are in `vip_speaker.vrrp.machine`.
"""

from __future__ import annotations

from vip_model.vocabulary import OWNER_PRIORITY, PreemptionMode, State
from vip_speaker.vrrp.actions import (
    Action,
    BindAddresses,
    ProbeAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
    StopAnnouncing,
)
from vip_speaker.vrrp.election import HIGHEST_FAILING_PRIORITY, Address, ElectionConfig, Health
from vip_speaker.vrrp.peer import ActivePeer
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS, ElectionTimers

# A resignation is sent three times within 5 ms, since one may be lost.
RESIGNATION_REPEATS_NS = (2 * MILLISECOND_NS, 4 * MILLISECOND_NS)
BOOTSTRAP_PROBE_NS = 150 * MILLISECOND_NS
BIND_LIMIT_NS = 2 * SECOND_NS
BIND_RETRY_FIRST_NS = SECOND_NS
# How long one that leaves for good waits for a successor beyond one interval, and at most.
LEAVE_MARGIN_NS = SECOND_NS // 2
LEAVE_LIMIT_NS = 8 * SECOND_NS


class ElectionSteps:
    """State and shared steps; use `vip_speaker.vrrp.machine.Election`."""

    def __init__(self, config: ElectionConfig, health: Health = Health.HEALTHY) -> None:
        self._config = config
        self._health = health
        self._state = State.INITIALIZE
        self._reason = "NotStarted"
        self._since_ns = 0
        self._started = False
        self._faulted = False
        self._leave_reason: str | None = None
        self._yielding = False
        self._adopted = False
        # The kernel has said that the addresses are there, and nobody has asked to remove them.
        self._bound = False
        self._timers = ElectionTimers(config.advertisement_interval_ns, config.tie_delay_ns)
        self._peer = ActivePeer()
        self._orderly = False
        # An orderly takeover is not claimed yet; a changed address list is not advertised yet.
        self._advert_waits_for_bind = False
        self._advertise_when_bound = False
        self._last_sent_ns: int | None = None
        self._answered_ns: int | None = None
        self._announced_ns: int | None = None
        self._return_until_ns: int | None = None
        self._bind_retry_ns = BIND_RETRY_FIRST_NS

    # --- what is seen from outside ---------------------------------------------------------

    @property
    def config(self) -> ElectionConfig:
        """The configuration in force."""
        return self._config

    @property
    def state(self) -> State:
        """Initialize, Backup or Active."""
        return self._state

    @property
    def reason(self) -> str:
        """Why the state is what it is, in CamelCase."""
        return self._reason

    @property
    def since_ns(self) -> int:
        """When the state was entered."""
        return self._since_ns

    @property
    def health(self) -> Health:
        """What the gates say."""
        return self._health

    @property
    def effective_priority(self) -> int:
        """The priority that adverts carry and timers use."""
        return self._config.effective_priority(self._health)

    @property
    def yielding(self) -> bool:
        """Backup that resigned and still holds the addresses for its successor."""
        return self._yielding

    @property
    def adopted(self) -> bool:
        """Not Active, and addresses of an earlier life are still in the kernel."""
        return self._adopted

    @property
    def started(self) -> bool:
        """Whether it takes part, or waits until it can; false before `start` and for good after."""
        return self._started

    @property
    def stopped(self) -> bool:
        """Whether it left for good, after `stop` or `retire`."""
        return self._state is State.INITIALIZE and not self._started

    @property
    def active_source(self) -> Address | None:
        """Source of the advert that was accepted last; None when Active or unknown."""
        return next(iter(self._peer.sources.values()), None)

    def active_source_on(self, instance: int) -> Address | None:
        """Return whose advert was accepted last on one instance."""
        return self._peer.sources.get(instance)

    @property
    def last_sent_ns(self) -> int | None:
        """When the last advert that was not a resignation went out."""
        return self._last_sent_ns

    def deadline(self) -> int | None:
        """Return when `tick` is due next, or None when nothing is armed."""
        return self._timers.next_deadline(self.effective_priority)

    # --- steps that several events share -----------------------------------------------

    def _enter_election(self, now: int, reason: str) -> list[Action]:
        """Rows 1 and 2, or nothing while the gates withdraw this node."""
        if self._health is Health.WITHDRAWN:
            return self._to_initialize(now, "Withdrawn")
        if self.effective_priority == OWNER_PRIORITY:
            return self._become_active(now, "AddressOwner", orderly=False)
        actions = self._change_state(now, State.BACKUP, reason)
        self._timers.active_adver_interval_ns = self._config.advertisement_interval_ns
        if self._config.bootstrap and self._config.slot == 0:
            self._timers.arm_down(now + BOOTSTRAP_PROBE_NS, intervals=0)
            return [*actions, ProbeAddresses()]
        self._timers.arm_down(now, intervals=3)
        return actions

    def _become_active(self, now: int, reason: str, *, orderly: bool) -> list[Action]:
        """Row 4: after silence the others must know first, in a handover the client."""
        actions: list[Action] = self._change_state(now, State.ACTIVE, reason)
        self._yielding = self._adopted = False
        self._timers.resignations_ns = ()
        self._timers.bind_ns = now + BIND_LIMIT_NS
        self._advert_waits_for_bind = orderly
        self._last_sent_ns = None
        if not orderly:
            actions += self._advertise(now)
        return [*actions, BindAddresses()]

    def _change_state(self, now: int, state: State, reason: str) -> list[Action]:
        previous, self._state = self._state, state
        changed = previous is not state
        self._reason = reason
        self._timers.disarm()
        self._peer.forget()
        self._orderly = self._advert_waits_for_bind = self._advertise_when_bound = False
        self._answered_ns = None
        if changed:
            self._since_ns = now
        return [StateChanged(previous, state, reason)] if changed else []

    def _to_initialize(self, now: int, reason: str) -> list[Action]:
        held = self._state is State.ACTIVE or self._yielding or self._adopted
        actions: list[Action] = [StopAnnouncing(), ReleaseAddresses()] if held else []
        self._yielding = self._adopted = self._bound = False
        return actions + self._change_state(now, State.INITIALIZE, reason)

    def yield_active(self, now: int, reason: str) -> list[Action]:
        """Give up being Active in an orderly way: resign, serve on until a successor speaks.

        It counts its own resignation as heard: if nobody better is there it comes back itself,
        with the addresses bound all the time.
        """
        if self._state is not State.ACTIVE or self._timers.leave_ns is not None:
            return []
        actions: list[Action] = [StopAnnouncing(), *self._resign(now)]
        actions += self._change_state(now, State.BACKUP, reason)
        self._yielding = True
        self._peer.resigned = True
        self._timers.active_adver_interval_ns = self._config.advertisement_interval_ns
        self._timers.arm_down(now, intervals=0)
        return actions

    def _leave(self, now: int, reason: str) -> list[Action]:
        if self._leave_reason is not None:
            # Being told again changes why, not how long.
            self._leave_reason = reason
            return []
        self._leave_reason = reason
        if self._state is State.ACTIVE:
            actions = self.yield_active(now, reason)
        elif self._yielding:
            actions = []
        else:
            return self._finish_leaving(now)
        self._timers.disarm_down()
        wait_ns = self._config.advertisement_interval_ns + LEAVE_MARGIN_NS
        self._timers.leave_ns = now + min(wait_ns, LEAVE_LIMIT_NS)
        return actions

    def _finish_leaving(self, now: int) -> list[Action]:
        reason, self._leave_reason = self._leave_reason or self._reason, None
        if reason != "Withdrawn":
            self._started = False
        return self._to_initialize(now, reason)

    def _resign(self, now: int) -> list[Action]:
        """Priority 0 now and twice again; the last word, sent from the same socket."""
        self._timers.resignations_ns = tuple(now + wait for wait in RESIGNATION_REPEATS_NS)
        return [SendAdvertisement(0)]

    def _advertise(
        self, now: int, *, reset_timer: bool = True, scheduled_ns: int | None = None
    ) -> list[Action]:
        """Send, and re-arm Adver_Timer without letting small delays add up."""
        interval = self._config.advertisement_interval_ns
        self._last_sent_ns = now
        if reset_timer or self._timers.adver_ns is None:
            base = now if scheduled_ns is None or now - scheduled_ns >= interval else scheduled_ns
            self._timers.adver_ns = base + interval
        return [SendAdvertisement(self.effective_priority)]

    def _hasten(self, now: int) -> None:
        """Fire after Skew_Time, unless the timer is due sooner; the takeover is orderly."""
        self._orderly = True
        self._timers.hasten_down(now, self.effective_priority)

    def _outranks_by_health(self, priority: int) -> bool:
        """Healthy beats failing whatever Preempt_Mode says; only among routers of ours."""
        healthy = self._health is Health.HEALTHY
        return self._config.health_bands and healthy and priority <= HIGHEST_FAILING_PRIORITY

    def _is_failing(self, peer: ActivePeer) -> bool:
        """Whether the current Active elsewhere says that its gates fail, or has resigned."""
        priority = peer.priority
        return peer.resigned or priority is None or priority <= HIGHEST_FAILING_PRIORITY

    def _overslept(self, now: int) -> bool:
        """Whether this Active was silent for as long as its peers wait."""
        last_ns = self._last_sent_ns
        return last_ns is not None and now - last_ns >= self._window_ns()

    def _handover_reason(self) -> str:
        return "ActiveResigned" if self._peer.resigned else "LowerPriorityPreempted"

    def _preempts(self, now: int) -> bool:
        """Whether a lower Active is to be replaced now (Preempt_Mode, RFC 9568 §6.1)."""
        if self.effective_priority == OWNER_PRIORITY:
            return True
        if self._config.preemption is PreemptionMode.DELAYED:
            since = self._peer.lower_since_ns
            return since is not None and now - since >= self._config.preemption_delay_ns
        return self._config.preemption is PreemptionMode.ALWAYS

    def _window_ns(self) -> int:
        """How long after our last advert no other can have taken over: three intervals."""
        return 3 * self._config.advertisement_interval_ns
