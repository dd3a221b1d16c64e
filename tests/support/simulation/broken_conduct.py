"""Backups and Actives that are broken on purpose, each in one way."""

from __future__ import annotations

from dataclasses import replace

from vip_model.vocabulary import Reason, Substate
from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    BindAddresses,
    ReleaseAddresses,
    SendAdvertisement,
)
from vip_speaker.vrrp.active import Active
from vip_speaker.vrrp.backup import Backup
from vip_speaker.vrrp.config import Heard
from vip_speaker.vrrp.election import Election


class SilentLoser(Election):
    """Steps down without a last advert, as RFC 9568 has it."""

    class ACTIVE(Active):
        def step_down(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
            actions = super().step_down(now, heard, arrived_ns)
            return [one for one in actions if not isinstance(one, SendAdvertisement)]


class TalksAsBackup(Election):
    """Sends an advert when it steps down, and not before."""

    class ACTIVE(Active):
        def step_down(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
            actions = super().step_down(now, heard, arrived_ns)
            return [*actions[1:], *actions[:1]]


class ForgetsTimer(Election):
    """Does not arm Active_Down_Timer when it steps down."""

    class ACTIVE(Active):
        def step_down(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
            actions = super().step_down(now, heard, arrived_ns)
            self._standing.timers.disarm_down()
            return actions


class SilentWinner(Election):
    """Does not announce again when it hears a lower advert."""

    class ACTIVE(Active):
        def _may_announce_again(self, now: int) -> bool:
            return False


class IgnoresTies(Election):
    """Never gives way to an equal priority."""

    class ACTIVE(Active):
        def loses_to(self, heard: Heard, arrived_ns: int) -> bool:
            return heard.priority > self._standing.wire_priority


class AnswersWithoutLimit(Election):
    """Answers every lower advert at once, and its own loser's too."""

    class ACTIVE(Active):
        def _answer(self, now: int, *, reset_timer: bool) -> list[Action]:
            self._standing.answered_ns = None
            return super()._answer(now, reset_timer=reset_timer)


class NeverGivesWay(AnswersWithoutLimit):
    """Two of these answer each other for ever."""

    class ACTIVE(AnswersWithoutLimit.ACTIVE):
        def loses_to(self, heard: Heard, arrived_ns: int) -> bool:
            return False


class StaysProvisional(Election):
    """Keeps the provisional priority for ever."""

    class ACTIVE(Active):
        def establish(self, now: int) -> list[Action]:
            self._standing.timers.provisional_ns = now + 10**15
            return []


class DeafToGates(Election):
    """Goes on as Active whatever its gates say."""

    class ACTIVE(Active):
        def priority_changed(self, now: int, reason: str) -> list[Action]:
            self._standing.reckon()
            return []


class EqualIsLower(Election):
    """Takes an equal priority for a lower one, in Backup too."""

    class BACKUP(Backup):
        def hear(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
            if heard.priority == self._standing.priority > 1:
                heard = replace(heard, priority=heard.priority - 1)
            return super().hear(now, heard, arrived_ns)


class Impatient(Election):
    """Waits for two intervals instead of three."""

    class BACKUP(Backup):
        def _hear_active(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
            actions = super()._hear_active(now, heard, arrived_ns)
            if self._standing.timers._down_intervals == 3:
                self._standing.timers._down_intervals = 1
                self._standing.peer.heard_ns -= 2 * heard.interval_ns
            return actions


class KeepsAdopted(Election):
    """Does not let go of what an earlier life left."""

    class BACKUP(Backup):
        def hear(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
            position = self._standing.position
            adopted = position.substate is Substate.ADOPTED and heard.priority > 0
            actions = super().hear(now, heard, arrived_ns)
            if adopted:
                position.substate = Substate.ADOPTED
                return [one for one in actions if one != ReleaseAddresses()]
            return actions


class NeverReturns(Election):
    """One that yielded and finds nobody better lets go."""

    class BACKUP(Backup):
        def _return(self, now: int) -> list[Action]:
            self._standing.position.substate = Substate.LEAVING
            return self._standing.to_initialize(now, Substate.WITHDRAWN, "Gone")


class ObeysStrangers(Election):
    """Honours a priority 0 of anybody."""

    class BACKUP(Backup):
        def _hear_resignation(self, heard: Heard, arrived_ns: int) -> None:
            self._standing.peer.forget()
            super()._hear_resignation(heard, arrived_ns)


class DeafToResignations(Election):
    """Ignores every priority 0."""

    class BACKUP(Backup):
        def _hear_resignation(self, heard: Heard, arrived_ns: int) -> None:
            pass


class BindsTwice(Election):
    """Binds as a Backup, to be quick."""

    class BACKUP(Backup):
        def hear(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
            actions = super().hear(now, heard, arrived_ns)
            waits = self._standing.substate is Substate.WAITING
            return [*actions, BindAddresses()] if heard.priority == 0 and waits else actions


class GoesOnBinding(Election):
    """A successor that hears another's claim goes on all the same."""

    class BACKUP(Backup):
        def _hear_while_binding(self, now: int, heard: Heard, arrived_ns: int) -> list[Action]:
            return []


class KeepsToDecisions(Election):
    """Takes over as it decided when it heard the Active, whatever has become of that since."""

    class BACKUP(Backup):
        def down_timer_fired(self, now: int) -> list[Action]:
            standing = self._standing
            peer = standing.peer
            decided = peer.priority is not None and standing.substate is Substate.WAITING
            if decided and not peer.resigned and not peer.is_silent(now, standing.skew_ns):
                return standing.bind_first(now, Reason.LOWER_PRIORITY_PREEMPTED)
            return super().down_timer_fired(now)

        def claim(self, now: int) -> list[Action]:
            standing = self._standing
            actions = standing.to_active(now, standing.claim, provisional=False)
            standing.mark_bound(now)
            return [*actions, Announce(), *standing.advertise(now)]

        def priority_changed(self, now: int, *, rebind: bool = False) -> list[Action]:
            if self._standing.substate is not Substate.BINDING:
                return super().priority_changed(now, rebind=rebind)
            self._standing.reckon()
            return [BindAddresses()] if rebind else []


class SendsFirstInHandover(Election):
    """Claims before it has bound, also in a handover."""

    class BACKUP(Backup):
        def down_timer_fired(self, now: int) -> list[Action]:
            actions = super().down_timer_fired(now)
            if self._standing.substate is Substate.BINDING:
                return self._standing.become_active(now, self._standing.claim)
            return actions


class NeverOversleeps(Election):
    """Goes on as if nothing had happened, however long it slept."""

    class ACTIVE(Active):
        def wake_too_late(self, now: int) -> list[Action]:
            self._standing.last_sent_ns = now
            return self._standing.advertise(now)
