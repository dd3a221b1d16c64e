"""What an election is and knows, and the steps that its events share.

Each step changes the standing and returns what to do, in order.
"""

from __future__ import annotations

from vip_model.vocabulary import (
    OWNER_PRIORITY,
    PreemptionMode,
    Reason,
    State,
    Substate,
)
from vip_speaker.vrrp.actions import (
    Action,
    BindAddresses,
    ProbeAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
    StopAnnouncing,
)
from vip_speaker.vrrp.chart import RESIGNED, Position
from vip_speaker.vrrp.config import ElectionConfig, Health
from vip_speaker.vrrp.peer import ActivePeer, Tie
from vip_speaker.vrrp.timers import (
    MILLISECOND_NS,
    SECOND_NS,
    ElectionTimers,
    skew_time_ns,
)

# A resignation is sent three times within 5 ms, since one may be lost.
RESIGNATION_REPEATS_NS = (2 * MILLISECOND_NS, 4 * MILLISECOND_NS)
BOOTSTRAP_PROBE_NS = 150 * MILLISECOND_NS
BIND_LIMIT_NS = 2 * SECOND_NS
BIND_RETRY_FIRST_NS = SECOND_NS
BIND_RETRY_LIMIT_NS = 60 * SECOND_NS
# How long one that leaves for good waits for a successor beyond one interval, and at most.
LEAVE_MARGIN_NS = SECOND_NS // 2
LEAVE_LIMIT_NS = 8 * SECOND_NS


class Standing:
    """One election's place in the chart, its timers, and what it knows of others.

    Attributes:
        config: the configuration in force.
        health: what the gates say.
        working: the instances that have all they need; the others are missing.
        position: where it is in the chart.
        timers: what is due when.
        peer: the Active elsewhere.
        tie: on which instance equals decide.
        bound: the kernel has said that the addresses are there, and nobody has released them.
        claim: why a Backup that binds is to be Active.
        orderly: Active_Down_Timer was set by something that was heard, not by silence.
        say_when_bound: a changed list of addresses is advertised as soon as it is bound.
        leave_reason: why it is leaving, or None.
        last_sent_ns: when the last advert that was not a resignation went out.
        answered_ns: when an advert was answered last.
        announced_ns: when the addresses were announced last.
        return_until_ns: after a fault, until when nobody can have taken over.
        up_since_ns: since when this node can hear: its start, its boot, the return of its link.
        provisional_until_ns: until when its claim from silence is provisional, or None.
        seniority: how many steps it has been a provisional Active for.
        bind_retry_ns: how long the next retry waits.
    """

    def __init__(self, config: ElectionConfig, health: Health) -> None:
        self.config = config
        self.health = health
        self.working = config.placed
        self.position = Position()
        self.timers = ElectionTimers(config.advertisement_interval_ns, config.tie_delay_ns)
        self.peer = ActivePeer()
        self.tie = Tie()
        self.bound = False
        self.claim: str = Reason.ACTIVE_DOWN
        self.say_when_bound = False
        self.leave_reason: Reason | None = None
        self.last_sent_ns: int | None = None
        self.answered_ns: int | None = None
        self.announced_ns: int | None = None
        self.return_until_ns: int | None = None
        self.up_since_ns = 0
        self.provisional_until_ns: int | None = None
        self.seniority = 0
        self.bind_retry_ns = BIND_RETRY_FIRST_NS
        self.priority = 0
        self.wire_priority = 0
        self.reckon()

    # --- what is derived -------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Initialize, Backup or Active."""
        return self.position.state

    @property
    def substate(self) -> Substate:
        """The place in the chart."""
        return self.position.substate

    @property
    def missing(self) -> int:
        """How many instances do not work."""
        return len(self.config.instances) - len(self.working)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is missing and every gate passes."""
        return self.health.is_healthy and not self.missing

    @property
    def bind_is_suspect(self) -> bool:
        """Whether the last bind failed: it claims nothing before it has bound."""
        return self.bind_retry_ns > BIND_RETRY_FIRST_NS

    @property
    def window_ns(self) -> int:
        """How long after our last advert no other can have taken over: three intervals."""
        return 3 * self.config.advertisement_interval_ns

    @property
    def skew_ns(self) -> int:
        """Skew_Time now, with the tie delay."""
        interval_ns = self.timers.active_adver_interval_ns
        return skew_time_ns(self.priority, interval_ns) + self.config.tie_delay_ns

    def reckon(self) -> None:
        """Work out the priorities anew; timers count with the one, adverts carry the other."""
        config, missing = self.config, self.missing
        is_provisional = self.provisional_until_ns is not None
        counts_seniority = config.preemption is PreemptionMode.NEVER
        self.priority = config.effective_priority(self.health, missing=missing)
        self.wire_priority = config.effective_priority(
            self.health,
            missing=missing,
            provisional=is_provisional,
            seniority=self.seniority if counts_seniority else None,
        )

    def overslept(self, now: int) -> bool:
        """Whether this Active was silent for as long as its peers wait."""
        last_ns = self.last_sent_ns
        return last_ns is not None and now - last_ns >= self.window_ns

    # --- whether to take over --------------------------------------------------------------

    def is_above(self, priority: int) -> bool:
        """Whether our own priority is higher; a provisional one is compared with like."""
        if self.config.is_provisional(priority) and self.is_sound:
            return self.config.effective_priority(self.health, provisional=True) > priority
        return self.priority > priority

    def outranks(self, priority: int) -> bool:
        """Whether this node is less degraded, which counts in every Preempt_Mode."""
        config = self.config
        return config.health_bands and config.level(self.priority) < config.level(priority)

    def preempts(self, now: int) -> bool:
        """Whether a lower Active is to be replaced now (Preempt_Mode, RFC 9568 §6.1)."""
        if self.priority == OWNER_PRIORITY:
            return True
        if self.config.preemption is PreemptionMode.DELAYED:
            since_ns = self.peer.lower_since_ns
            return since_ns is not None and now - since_ns >= self.config.preemption_delay_ns
        return self.config.preemption is PreemptionMode.ALWAYS

    def takeover(self, now: int) -> Reason | None:
        """Return why this Backup may take over as things are now, or None if it may not."""
        peer = self.peer
        if peer.resigned:
            return Reason.ACTIVE_RESIGNED
        if peer.priority is None or peer.is_silent(now, self.skew_ns):
            return Reason.ACTIVE_DOWN
        if self.outranks(peer.priority):
            return Reason.LOWER_PRIORITY_PREEMPTED
        if self.is_above(peer.priority) and self.preempts(now):
            return Reason.LOWER_PRIORITY_PREEMPTED
        return None

    # --- moves -----------------------------------------------------------------------------

    def change(self, now: int, target: Substate, reason: str) -> list[Action]:
        """Go to another state, or begin the same one anew: nothing of the old one is kept."""
        previous = self.state
        self.position.move(now, target, reason)
        self.timers.disarm()
        self.peer.forget()
        self.tie.forget()
        self.say_when_bound = False
        self.answered_ns = None
        if self.state is not State.ACTIVE and target not in RESIGNED:
            self.provisional_until_ns = None
        if not self.position.holds or target is Substate.ADOPTED:
            self.bound = False
        self.reckon()
        if previous is self.state:
            return []
        return [StateChanged(previous, self.state, reason)]

    def enter(self, now: int, reason: Reason, *, adopted: bool = False) -> list[Action]:
        """Rows 1 and 2, or nothing while the gates withdraw this node."""
        if self.health.withdrawn:
            let_go: list[Action] = [StopAnnouncing(), ReleaseAddresses()] if adopted else []
            return let_go + self.change(now, Substate.WITHDRAWN, Reason.WITHDRAWN)
        if self.priority == OWNER_PRIORITY and not self.bind_is_suspect:
            return self.become_active(now, Reason.ADDRESS_OWNER)
        actions = self.change(now, Substate.ADOPTED if adopted else Substate.WAITING, reason)
        self.timers.active_adver_interval_ns = self.config.advertisement_interval_ns
        if self.priority == OWNER_PRIORITY:
            return [*actions, *self.bind_first(now, Reason.ADDRESS_OWNER)]
        if self.config.bootstrap and self.config.slot == 0:
            self.timers.arm_down(now + BOOTSTRAP_PROBE_NS, intervals=0)
            return [*actions, ProbeAddresses()]
        self.timers.arm_down(now, intervals=3)
        return actions

    def resume(self, now: int, provisional_until_ns: int | None, seniority: int) -> list[Action]:
        """Go on as the Active that an earlier life was, provisional for as long as that one."""
        if provisional_until_ns is not None:
            self.up_since_ns = provisional_until_ns - self.config.start_delay_ns
        was_provisional = provisional_until_ns is not None
        return self.become_active(
            now, Reason.RESUMED, provisional=was_provisional, seniority=seniority
        )

    def become_active(
        self, now: int, reason: str, *, provisional: bool = False, seniority: int = 0
    ) -> list[Action]:
        """Row 4 after silence: the others must know first, or they follow."""
        actions = self.to_active(now, reason, provisional=provisional, seniority=seniority)
        self.timers.bind_ns = now + BIND_LIMIT_NS
        return [*actions, *self.advertise(now), BindAddresses()]

    def to_active(
        self, now: int, reason: str, *, provisional: bool, seniority: int = 0
    ) -> list[Action]:
        """Enter Active; the caller sends, binds and announces in the order of its case.

        A provisional claim, from silence, is one only within the start delay.
        """
        until_ns = self.up_since_ns + self.config.start_delay_ns
        if provisional and self.config.health_bands and now < until_ns:
            self.provisional_until_ns, self.seniority = until_ns, seniority
            actions = self.change(now, Substate.PROVISIONAL, reason)
            self.timers.provisional_ns = min(until_ns, now + self.config.step_of_seniority_ns)
        else:
            self.provisional_until_ns = None
            actions = self.change(now, Substate.ESTABLISHED, reason)
        self.timers.resignations_ns = ()
        self.last_sent_ns = None
        return actions

    def bind_first(self, now: int, claim: str) -> list[Action]:
        """Row 4 in a handover: the client must know first, and the others last."""
        self.position.move(now, Substate.BINDING)
        self.claim = claim
        self.timers.disarm()
        self.timers.bind_ns = now + BIND_LIMIT_NS
        return [BindAddresses()]

    def to_initialize(self, now: int, target: Substate, reason: str) -> list[Action]:
        """Let go of everything."""
        held = self.position.holds
        actions: list[Action] = [StopAnnouncing(), ReleaseAddresses()] if held else []
        return actions + self.change(now, target, reason)

    def yield_active(self, now: int, reason: str) -> list[Action]:
        """Give up being Active in an orderly way: resign, serve on until a successor speaks.

        It counts its own resignation as heard: if nobody better is there it comes back itself,
        with the addresses bound all the time.
        """
        if self.state is not State.ACTIVE or self.timers.leave_ns is not None:
            return []
        target = Substate.YIELDING if self.leave_reason is None else Substate.LEAVING
        actions: list[Action] = [StopAnnouncing(), *self.resign(now)]
        actions += self.change(now, target, reason)
        self.peer.resigned = True
        self.timers.active_adver_interval_ns = self.config.advertisement_interval_ns
        self.timers.arm_down(now, intervals=0)
        return actions

    def leave(self, now: int, reason: Reason) -> list[Action]:
        """Leave, for good or for as long as the gates withdraw this node."""
        if self.leave_reason is not None:
            # Being told again changes why, not how long.
            self.leave_reason = reason
            return []
        self.leave_reason = reason
        if self.state is State.ACTIVE:
            actions = self.yield_active(now, reason)
        elif self.substate is Substate.YIELDING:
            self.position.move(now, Substate.LEAVING)
            actions = []
        else:
            return self.finish_leaving(now)
        self.timers.disarm_down()
        wait_ns = self.config.advertisement_interval_ns + LEAVE_MARGIN_NS
        self.timers.leave_ns = now + min(wait_ns, LEAVE_LIMIT_NS)
        return actions

    def finish_leaving(self, now: int) -> list[Action]:
        """Let go, since a successor was heard or none came."""
        reason, self.leave_reason = self.leave_reason, None
        target = Substate.WITHDRAWN if reason is Reason.WITHDRAWN else Substate.IDLE
        return self.to_initialize(now, target, reason or self.position.reason)

    # --- adverts ---------------------------------------------------------------------------

    def resign(self, now: int) -> list[Action]:
        """Priority 0 now and twice again; the last word, sent from the same socket."""
        self.timers.resignations_ns = tuple(now + wait for wait in RESIGNATION_REPEATS_NS)
        return [SendAdvertisement(0)]

    def advertise(
        self, now: int, *, reset_timer: bool = True, scheduled_ns: int | None = None
    ) -> list[Action]:
        """Send, and re-arm Adver_Timer without letting small delays add up."""
        interval = self.config.advertisement_interval_ns
        self.last_sent_ns = now
        if reset_timer or self.timers.adver_ns is None:
            base = now if scheduled_ns is None or now - scheduled_ns >= interval else scheduled_ns
            self.timers.adver_ns = base + interval
        return [SendAdvertisement(self.wire_priority)]

    # --- addresses -------------------------------------------------------------------------

    def mark_bound(self, now: int) -> None:
        """The kernel has the addresses, and they are about to be announced."""
        self.bound = True
        self.timers.bind_ns = None
        self.bind_retry_ns = BIND_RETRY_FIRST_NS
        self.announced_ns = now

    def bind_failed(self, now: int, reason: str) -> list[Action]:
        """Never Active without an address: release and try again later.

        One that has advertised resigns, so that the others need not wait.
        """
        if self.state is not State.ACTIVE and self.substate is not Substate.BINDING:
            return []
        if self.leave_reason is not None:
            return self.finish_leaving(now)
        actions = self.resign(now) if self.state is State.ACTIVE else []
        actions += self.to_initialize(now, Substate.RETRYING, reason)
        self.timers.retry_ns = now + self.bind_retry_ns
        self.bind_retry_ns = min(2 * self.bind_retry_ns, BIND_RETRY_LIMIT_NS)
        return actions
