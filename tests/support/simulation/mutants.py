"""Elections that are broken on purpose, each in one way: the checkers must find every one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from support.simulation import broken_conduct as conduct
from vip_model.vocabulary import Substate
from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
    StopAnnouncing,
)
from vip_speaker.vrrp.config import Heard
from vip_speaker.vrrp.election import Election
from vip_speaker.vrrp.standing import Standing


class NeverReleases(Election):
    """Keeps the addresses when it hears a higher advert."""

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        actions = super().receive(now, heard, arrived_ns=arrived_ns)
        return [one for one in actions if one != ReleaseAddresses()]


class AnnouncesOnAndOn(Election):
    """Goes on announcing after it has stepped down."""

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        actions = super().receive(now, heard, arrived_ns=arrived_ns)
        return [one for one in actions if one != StopAnnouncing()]


class SwallowsTransitions(Election):
    """Does not say that it became Backup."""

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        actions = super().receive(now, heard, arrived_ns=arrived_ns)
        return [one for one in actions if not isinstance(one, StateChanged)]


class NeverLearns(Election):
    """Counts with its own interval, whatever the Active's is."""

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        own_ns = self.config.advertisement_interval_ns
        heard = replace(heard, interval_ns=own_ns)
        return super().receive(now, heard, arrived_ns=arrived_ns)


class ResumesTooLate(Election):
    """Resumes whatever the time."""

    def start(
        self, now: int, *, resume_last_sent_ns: int | None = None, **earlier: Any
    ) -> list[Action]:
        if resume_last_sent_ns is not None:
            resume_last_sent_ns = now
        return super().start(now, resume_last_sent_ns=resume_last_sent_ns, **earlier)


class AnswersAsIfAwake(Election):
    """Judges what it missed as of when it arrived, before it finds out that it overslept."""

    def advertise(self, now: int) -> list[Action]:
        return [] if self._standing.overslept(now) else super().advertise(now)

    def receive(self, now: int, heard: Heard, *, arrived_ns: int | None = None) -> list[Action]:
        return super().receive(now if arrived_ns is None else arrived_ns, heard)


class TimersFirst(Election):
    """Lets Active_Down_Timer fire whatever waits in the socket."""

    def tick(self, now: int, heard_until_ns: int | None = None) -> list[Action]:
        return super().tick(now)


class AnnouncesBeforeBind(Election):
    """Tells the network before the kernel has the addresses."""

    class STANDING(Standing):
        def become_active(self, now: int, reason: str, **provisional: Any) -> list[Action]:
            return [*super().become_active(now, reason, **provisional), Announce()]


class BreaksBeforeMake(Election):
    """Lets go when it yields, not when somebody has taken over."""

    class STANDING(Standing):
        def yield_active(self, now: int, reason: str) -> list[Action]:
            actions = super().yield_active(now, reason)
            if actions and self.leave_reason is None:
                self.position.move(now, Substate.WAITING)
                actions.append(ReleaseAddresses())
            return actions


class LeavesAtOnce(Election):
    """Does not wait for its successor when it is stopped."""

    def stop(self, now: int) -> list[Action]:
        actions = super().stop(now)
        leaving = self._standing.leave_reason is not None
        return actions + (self._standing.finish_leaving(now) if leaving else [])


class WrongPriority(Election):
    """Advertises its base priority while a gate fails."""

    class STANDING(Standing):
        def advertise(
            self, now: int, *, reset_timer: bool = True, scheduled_ns: int | None = None
        ) -> list[Action]:
            super().advertise(now, reset_timer=reset_timer, scheduled_ns=scheduled_ns)
            return [SendAdvertisement(self.config.priority)]


class NoBands(Election):
    """A healthy Backup leaves a failing Active alone."""

    class STANDING(Standing):
        def outranks(self, priority: int) -> bool:
            return False


class NoGrades(Election):
    """All that fail are alike to a Backup."""

    class STANDING(Standing):
        def outranks(self, priority: int) -> bool:
            return self.is_sound and super().outranks(priority)


class NeverProvisional(Election):
    """Claims from silence with the priority of its slot, however short it has been up."""

    class STANDING(Standing):
        def to_active(self, now: int, reason: str, **_provisional: Any) -> list[Action]:
            return super().to_active(now, reason, provisional=False)


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
    Mutant(conduct.BindsTwice, "S1"),
    Mutant(conduct.KeepsAdopted, "S1 S9", ("kill", "freeze")),
    Mutant(conduct.ForgetsTimer, "S2"),
    Mutant(conduct.NeverOversleeps, "S2", ("freeze",)),
    Mutant(ResumesTooLate, "S2", ("kill",)),
    Mutant(conduct.TalksAsBackup, "S3"),
    Mutant(conduct.SendsFirstInHandover, "S4"),
    Mutant(AnnouncesBeforeBind, "S4"),
    Mutant(AnnouncesOnAndOn, "S4"),
    Mutant(SwallowsTransitions, "S4"),
    Mutant(WrongPriority, "S8", ("service_down", "outage")),
    Mutant(AnswersAsIfAwake, "S2 S9 Handover", ("freeze", "stray_resignation")),
    Mutant(TimersFirst, "S12", ("stall",)),
    Mutant(conduct.GoesOnBinding, "S13"),
    Mutant(conduct.KeepsToDecisions, "S13 S14", ("service_down", "outage", "change_preemption")),
    Mutant(NeverProvisional, "S15", ("partition", "isolate", "link_down")),
    Mutant(conduct.StaysProvisional, "L1", ("kill",)),
    Mutant(NoGrades, "L1 L4", ("service_down", "degrade")),
    Mutant(conduct.IgnoresTies, "S9", ("partition",)),
    Mutant(conduct.NeverGivesWay, "S9 S11", ("partition",)),
    Mutant(conduct.AnswersWithoutLimit, "S11", ("asymmetric_partition", "deaf")),
    Mutant(BreaksBeforeMake, "Handover", ("yield_", "stop")),
    Mutant(LeavesAtOnce, "Handover", ("stop",)),
    Mutant(conduct.NeverReturns, "Handover L1", ("yield_",)),
    Mutant(conduct.Impatient, "L2 L5", ("kill", "power_off")),
    Mutant(conduct.DeafToResignations, "Handover L3", ("stop",)),
    Mutant(conduct.DeafToGates, "L3", ("service_down",)),
    Mutant(NoBands, "L1 L4", ("outage",)),
    Mutant(conduct.EqualIsLower, "L1 L2 L5 S14", ("kill",)),
    Mutant(NeverLearns, "L5", ("change_interval",)),
    Mutant(conduct.ObeysStrangers, "L5", ("stray_resignation",)),
    Mutant(conduct.SilentLoser, "L6", ("partition", "isolate")),
    Mutant(conduct.SilentWinner, "L6", ("partition", "isolate")),
)
