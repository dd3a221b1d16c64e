"""What follows from links, instances and configuration: where an election runs, and with what."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from vip_model.vocabulary import Reason, State, Substate
from vip_speaker.vrrp.actions import Action
from vip_speaker.vrrp.active import Active
from vip_speaker.vrrp.backup import Backup
from vip_speaker.vrrp.chart import RESIGNED
from vip_speaker.vrrp.config import ElectionConfig
from vip_speaker.vrrp.standing import Standing


class Placing:
    """Loses and regains links and instances, and takes new configurations."""

    def __init__(self, standing: Standing, backup: Backup, active: Active) -> None:
        self._standing = standing
        self._backup = backup
        self._active = active

    def fault(self, now: int, reason: str, *, resign: bool = False) -> list[Action]:
        """Link or address is broken: release at once, wait for `recover`.

        `resign` says that adverts may still get out, so that the others need not wait.
        """
        standing = self._standing
        if standing.substate in (Substate.IDLE, Substate.FAULTED):
            return []
        if standing.leave_reason not in (None, Reason.WITHDRAWN):
            return standing.finish_leaving(now)
        standing.leave_reason = standing.return_until_ns = None
        was_active = standing.state is State.ACTIVE
        if was_active and not resign and standing.last_sent_ns is not None:
            standing.return_until_ns = standing.last_sent_ns + standing.window_ns
        actions = standing.resign(now) if was_active and resign else []
        return actions + standing.to_initialize(now, Substate.FAULTED, reason)

    def recover(self, now: int) -> list[Action]:
        """The fault is gone: Active again if nobody can have taken over, else Backup."""
        standing = self._standing
        if standing.substate is not Substate.FAULTED:
            return []
        standing.up_since_ns = now
        standing.reckon()
        until_ns, standing.return_until_ns = standing.return_until_ns, None
        if until_ns is not None and now < until_ns and not standing.health.withdrawn:
            return standing.become_active(now, Reason.LINK_RETURNED, provisional=True)
        return standing.enter(now, Reason.RECOVERED)

    def instances_changed(self, now: int, working: AbstractSet[int], reason: str) -> list[Action]:
        """Go on with these instances; the others lack something on this node.

        Among routers of ours a node that lacks some takes part with a priority of the failing
        band; with others it takes no part until all work.
        """
        standing = self._standing
        before, standing.working = standing.working, frozenset(working)
        is_whole = len(working) == len(standing.config.instances)
        if not working or not (is_whole or standing.config.health_bands):
            return self.fault(now, reason, resign=bool(working))
        if standing.substate is Substate.FAULTED:
            return self.recover(now)
        return self._working_changed(now, before, reason)

    def _working_changed(self, now: int, before: AbstractSet[int], reason: str) -> list[Action]:
        standing = self._standing
        if standing.working == before:
            return []
        if standing.state is not State.ACTIVE:
            return self._backup.priority_changed(now, rebind=True)
        actions = self._active.priority_changed(now, reason)
        if standing.substate not in RESIGNED and standing.working - before:
            standing.say_when_bound = True
            actions += self._active.bind_again(now)
        return actions

    def reconfigure(
        self, now: int, config: ElectionConfig, working: AbstractSet[int]
    ) -> list[Action]:
        """Take another configuration and stay what this node is.

        An Active says so at once, on the new instances if those changed: the others count with
        what they heard last.
        """
        standing = self._standing
        old, lacked, wire_priority = standing.config, standing.missing, standing.wire_priority
        standing.config = config
        standing.working = frozenset(working)
        standing.timers.tie_delay_ns = config.tie_delay_ns
        standing.reckon()
        wire_changed = config.wire != old.wire
        if wire_changed:
            standing.peer.sources.clear()
        if not standing.peer.sources:
            standing.timers.active_adver_interval_ns = config.advertisement_interval_ns
        if config.sources != old.sources:
            # The others may not know it yet by its new source, and would not hear it return.
            standing.return_until_ns = None
        instances_changed = config.instances != old.instances
        if standing.state is not State.ACTIVE:
            return self._backup.priority_changed(now, rebind=instances_changed)
        if standing.missing > lacked:
            return standing.yield_active(now, Reason.INSTANCE_LOST)
        actions: list[Action] = []
        is_news = wire_changed or standing.wire_priority != wire_priority
        if is_news or config.advertisement_interval_ns != old.advertisement_interval_ns:
            actions += standing.advertise(now)
        if instances_changed:
            standing.say_when_bound = True
            actions += self._active.bind_again(now)
        return actions

    def relocate(self, now: int) -> list[Action]:
        """The interface below the addresses, or its hardware address, is another one.

        They are bound again, on the interface that it is now, and then announced.
        """
        if self._standing.state is State.ACTIVE:
            return self._active.bind_again(now)
        return self._backup.priority_changed(now, rebind=True)
