"""Elections that are broken on purpose, each in one way: the checkers must find every one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    BindAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
    StopAnnouncing,
)
from vip_speaker.vrrp.election import Health, Heard
from vip_speaker.vrrp.machine import Election


class NeverReleases(Election):
    """Keeps the addresses when it hears a higher advert."""

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        return [
            one
            for one in super().receive(now, heard, arrived_ns=arrived_ns)
            if one != ReleaseAddresses()
        ]


class SilentLoser(Election):
    """Steps down without a last advert, as RFC 9568 has it."""

    def _step_down(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        actions = super()._step_down(now, heard, arrived_ns)
        return [one for one in actions if not isinstance(one, SendAdvertisement)]


class SilentWinner(Election):
    """Does not announce again when it hears a lower advert."""

    def _may_announce_again(self, now: int) -> bool:
        return False


class NeverLearns(Election):
    """Counts with its own interval, whatever the Active's is."""

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        own_ns = self.config.advertisement_interval_ns
        heard = replace(heard, interval_ns=own_ns)
        return super().receive(now, heard, arrived_ns=arrived_ns)


class EqualIsLower(Election):
    """Takes an equal priority for a lower one, in Backup too."""

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        if self.state is State.BACKUP and heard.priority == self.effective_priority > 1:
            heard = replace(heard, priority=heard.priority - 1)
        return super().receive(now, heard, arrived_ns=arrived_ns)


class IgnoresTies(Election):
    """Never gives way to an equal priority."""

    def _loses_to(self, heard: Heard) -> bool:
        return heard.priority > self.effective_priority


class SendsFirstInHandover(Election):
    """Claims before it has bound, also in a handover."""

    def _become_active(self, now: int, reason: str, *, orderly: bool) -> list[Action]:
        return super()._become_active(now, reason, orderly=False)


class AnnouncesBeforeBind(Election):
    """Tells the network before the kernel has the addresses."""

    def _become_active(self, now: int, reason: str, *, orderly: bool) -> list[Action]:
        return [*super()._become_active(now, reason, orderly=orderly), Announce()]


class BreaksBeforeMake(Election):
    """Lets go when it yields, not when somebody has taken over."""

    def yield_active(self, now: int, reason: str) -> list[Action]:
        actions = super().yield_active(now, reason)
        if actions:
            self._yielding = False
            actions.append(ReleaseAddresses())
        return actions


class DeafToGates(Election):
    """Goes on as Active whatever its gates say."""

    def set_health(self, now: int, health: Health) -> list[Action]:
        return [] if self.state is State.ACTIVE else super().set_health(now, health)


class LeavesAtOnce(Election):
    """Does not wait for its successor when it is stopped."""

    def _leave(self, now: int, reason: str) -> list[Action]:
        actions = super()._leave(now, reason)
        return actions + (self._finish_leaving(now) if self._leave_reason else [])


class TalksAsBackup(Election):
    """Sends an advert when it steps down, and not before."""

    def _step_down(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        actions = super()._step_down(now, heard, arrived_ns)
        return [*actions[1:], *actions[:1]]


class NeverOversleeps(Election):
    """Goes on as if nothing had happened, however long it slept."""

    def _window_ns(self) -> int:
        return 10**18


class ResumesTooLate(Election):
    """Resumes whatever the time."""

    def start(
        self, now: int, *, resume_last_sent_ns: int | None = None, adopted: bool = False
    ) -> list[Action]:
        if resume_last_sent_ns is not None:
            resume_last_sent_ns = now
        return super().start(now, resume_last_sent_ns=resume_last_sent_ns, adopted=adopted)


class AnswersWithoutLimit(Election):
    """Answers every lower advert at once, and its own loser's too."""

    def _answer(self, now: int, *, reset_timer: bool) -> list[Action]:
        self._answered_ns = None
        return super()._answer(now, reset_timer=reset_timer)


class NeverGivesWay(AnswersWithoutLimit):
    """Two of these answer each other for ever."""

    def _loses_to(self, heard: Heard) -> bool:
        return False


class ObeysStrangers(Election):
    """Honours a priority 0 of anybody."""

    def _hear_resignation(self, now: int, heard: Heard) -> list[Action]:
        self._peer.forget()
        return super()._hear_resignation(now, heard)


class DeafToResignations(Election):
    """Ignores every priority 0."""

    def _hear_resignation(self, now: int, heard: Heard) -> list[Action]:
        return []


class WrongPriority(Election):
    """Advertises its base priority while a gate fails."""

    def _advertise(
        self, now: int, *, reset_timer: bool = True, scheduled_ns: int | None = None
    ) -> list[Action]:
        super()._advertise(now, reset_timer=reset_timer, scheduled_ns=scheduled_ns)
        return [SendAdvertisement(self.config.priority)]


class NoBands(Election):
    """A healthy Backup leaves a failing Active alone."""

    def _outranks_by_health(self, priority: int) -> bool:
        return False


class Impatient(Election):
    """Waits for two intervals instead of three."""

    def _hear_in_backup(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        actions = super()._hear_in_backup(now, heard, arrived_ns)
        if self.state is State.BACKUP and self._timers._down_intervals == 3:
            self._timers._down_intervals = 1
        return actions


class ForgetsTimer(Election):
    """Does not arm Active_Down_Timer when it steps down."""

    def _step_down(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        actions = super()._step_down(now, heard, arrived_ns)
        self._timers.disarm_down()
        return actions


class KeepsAdopted(Election):
    """Does not let go of what an earlier life left."""

    def _hear_in_backup(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
        adopted = self._adopted
        actions = super()._hear_in_backup(now, heard, arrived_ns)
        if adopted:
            self._adopted = True
            return [one for one in actions if one != ReleaseAddresses()]
        return actions


class NeverReturns(Election):
    """One that yielded and finds nobody better lets go."""

    def _active_down_timer_fired(self, now: int) -> list[Action]:
        if self._yielding:
            return self._to_initialize(now, "Gone")
        return super()._active_down_timer_fired(now)


class AnnouncesOnAndOn(Election):
    """Goes on announcing after it has stepped down."""

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        return [
            one
            for one in super().receive(now, heard, arrived_ns=arrived_ns)
            if one != StopAnnouncing()
        ]


class BindsTwice(Election):
    """Binds as a Backup, to be quick."""

    def _hear_resignation(self, now: int, heard: Heard) -> list[Action]:
        return [*super()._hear_resignation(now, heard), BindAddresses()]


class SwallowsTransitions(Election):
    """Does not say that it became Backup."""

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        return [
            one
            for one in super().receive(now, heard, arrived_ns=arrived_ns)
            if not isinstance(one, StateChanged)
        ]


class AnswersAsIfAwake(Election):
    """Judges what it missed as of when it arrived, before it finds out that it overslept."""

    def advertise(self, now: int) -> list[Action]:
        return [] if self._overslept(now) else super().advertise(now)

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        return super().receive(now if arrived_ns is None else arrived_ns, heard)


class TimersFirst(Election):
    """Lets Active_Down_Timer fire whatever waits in the socket."""

    def tick(self, now: int, heard_until_ns: int | None = None) -> list[Action]:
        return super().tick(now)


@dataclass(frozen=True, slots=True)
class Mutant:
    """What finds a broken election.

    Attributes:
        election: the broken class.
        rules: the invariants that it may break first.
        focus: faults in which it shows, empty for all.
    """

    election: type[Election]
    rules: str
    focus: tuple[str, ...] = ()


MUTANTS = (
    Mutant(NeverReleases, "S1"),
    Mutant(BindsTwice, "S1"),
    Mutant(KeepsAdopted, "S9", ("kill", "freeze")),
    Mutant(ForgetsTimer, "S2"),
    Mutant(NeverOversleeps, "S2", ("freeze",)),
    Mutant(ResumesTooLate, "S2", ("kill",)),
    Mutant(TalksAsBackup, "S3"),
    Mutant(SendsFirstInHandover, "S4"),
    Mutant(AnnouncesBeforeBind, "S4"),
    Mutant(AnnouncesOnAndOn, "S4"),
    Mutant(SwallowsTransitions, "S4"),
    Mutant(WrongPriority, "S8", ("service_down", "outage")),
    Mutant(AnswersAsIfAwake, "S2 S9 Handover", ("freeze", "stray_resignation")),
    Mutant(TimersFirst, "S12", ("stall",)),
    Mutant(IgnoresTies, "S9", ("partition",)),
    Mutant(NeverGivesWay, "S9 S11", ("partition",)),
    Mutant(AnswersWithoutLimit, "S11", ("asymmetric_partition", "deaf")),
    Mutant(BreaksBeforeMake, "Handover", ("yield_", "stop")),
    Mutant(LeavesAtOnce, "Handover", ("stop",)),
    Mutant(NeverReturns, "Handover L1", ("yield_",)),
    Mutant(Impatient, "L2 L5", ("kill", "power_off")),
    Mutant(DeafToResignations, "Handover L3", ("stop",)),
    Mutant(DeafToGates, "L3", ("service_down",)),
    Mutant(NoBands, "L1 L4", ("outage",)),
    Mutant(EqualIsLower, "L1 L2 L5", ("kill",)),
    Mutant(NeverLearns, "L5", ("change_interval",)),
    Mutant(ObeysStrangers, "L5", ("stray_resignation",)),
    Mutant(SilentLoser, "L6", ("partition", "isolate")),
    Mutant(SilentWinner, "L6", ("partition", "isolate")),
)
