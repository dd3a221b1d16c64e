"""One router on this node: the election, its sockets, its addresses, its gates.

The election decides (vip_speaker.vrrp); this class feeds it what happens and does what it says.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Iterator

from vip_model.vocabulary import Reason, State
from vip_speaker.engine import clock
from vip_speaker.engine.announcer import Announcer
from vip_speaker.engine.counters import InstanceCounters
from vip_speaker.engine.health import GateBook
from vip_speaker.engine.holdings import Holdings, Outcome, Removal
from vip_speaker.engine.instances import RunningInstances
from vip_speaker.engine.node import Node
from vip_speaker.engine.obstacles import Obstacles
from vip_speaker.engine.prober import Prober
from vip_speaker.engine.state_file import RouterRecord, record_of
from vip_speaker.engine.whereabouts import Whereabouts
from vip_speaker.linux.addresses import AddressResult
from vip_speaker.messages import DesiredRouter, GateStatus
from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    BindAddresses,
    ProbeAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
    StopAnnouncing,
)
from vip_speaker.vrrp.config import Address, Health, Heard
from vip_speaker.vrrp.election import Election
from vip_speaker.vrrp.packet import Advertisement
from vip_speaker.vrrp.timers import address_lifetime_seconds

_log = logging.getLogger("engine")


class Router:
    """Runs one election and keeps its promises in the kernel and on the wire.

    Attributes:
        leaving: it was told to leave for good.
        prober: asks who else has the addresses.
    """

    def __init__(
        self,
        desired: DesiredRouter,
        node: Node,
        earlier: RouterRecord | None,
        health: Health | None,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            desired: what to run.
            node: the node.
            earlier: what an earlier life of this boot left of it.
            health: the level that counts until every gate has a verdict; None: failing.
        """
        self.desired = desired
        self.orphaned = False
        self._node = node
        self._earlier = earlier
        self.instances = RunningInstances(node, desired.name)
        self._book = GateBook(health)
        self._holdings = Holdings(desired.name, node.worker)
        self._announcer = Announcer()
        self.prober = Prober(node, self.instances, desired.display_name)
        self.leaving = False
        self._whereabouts = Whereabouts(self, self.instances, desired.display_name)
        self._since_ns = clock.boottime_ns()
        self.transitions = 0
        self._peer = ""  # who was heard last since the last transition

    # --- what is seen from outside ---------------------------------------------------------

    @property
    def name(self) -> str:
        """VirtualRouter.metadata.name."""
        return self.desired.name

    @property
    def election(self) -> Election | None:
        """The election, or None as long as it could never be placed on this node."""
        return self._whereabouts.election

    @property
    def obstacles(self) -> Obstacles:
        """What keeps it from running."""
        return self._whereabouts.obstacles

    @property
    def gates(self) -> list[GateStatus]:
        """Each gate as it is counted."""
        return self._book.statuses

    @property
    def since_ns(self) -> int:
        """When the state was entered; an engine that resumed counts from its earlier life."""
        return self._since_ns

    @property
    def is_active(self) -> bool:
        """Whether it is the Active Router."""
        return self.election is not None and self.election.state is State.ACTIVE

    @property
    def ended(self) -> bool:
        """Whether it has left for good and holds nothing any more."""
        return self.leaving and (self.election is None or self.election.stopped)

    def counters(self, family: str, virtual_router_id: int) -> InstanceCounters:
        """Return the counters of one instance; they outlive its sockets."""
        return self.instances.counters(family, virtual_router_id)

    @property
    def held(self) -> Iterator[tuple[int, Address]]:
        """The addresses that are this router's business, each with its interface's index."""
        return self._holdings.held()

    def deadline(self) -> int | None:
        """Return when `tick` is due next."""
        due = [self._announcer.deadline(), self.prober.deadline(), self.instances.retry.due_ns]
        due += [self._holdings.renew_ns, self._holdings.confirm_ns]
        # The clock must not decide before the link had its say, however late it was asked.
        if self.election is not None and not self.prober.is_asking:
            due.append(self.election.deadline())
        return min((one for one in due if one is not None), default=None)

    # --- configuration and the end ---------------------------------------------------------

    def start(self, now: int) -> None:
        """Take part as soon as this node has what the router needs."""
        self.judge(now)
        self.network_changed(now)

    def configure(self, now: int, desired: DesiredRouter) -> None:
        """Take a new configuration and go on, on other instances if those changed."""
        if desired == self.desired:
            return
        self.desired = desired
        self.judge(now)
        self.network_changed(now)

    def stop(self, now: int) -> None:
        """Leave in an orderly way; `ended` tells when it is done."""
        self.leaving = True
        if self.election is not None:
            self.apply(now, self.election.stop(now))

    def retire(self, now: int) -> None:
        """Leave because the address is given up everywhere."""
        self.leaving = True
        if self.election is not None:
            self.apply(now, self.election.retire(now))

    def stay(self, now: int) -> bool:
        """Go on, wanted again after it was retired; False if it has to leave first."""
        if self.election is None or not self.election.may_stay:
            return False
        self.leaving = False
        self.apply(now, self.election.stay(now))
        return True

    def close(self) -> None:
        """Give sockets and addresses back."""
        self._holdings.release()
        self._announcer.stop()
        self.prober.stop()
        self.instances.forget()

    # --- events ----------------------------------------------------------------------------

    def network_changed(self, now: int) -> None:
        """Links or addresses changed: find the place of each instance again."""
        if self.leaving:
            return
        self._whereabouts.find(now, self.desired, self._book.health)
        self.judge(now)

    def links_vanished(self, now: int, indexes: Container[int]) -> None:
        """Interfaces went, and what was open on them with them, even if they are back already."""
        if self._whereabouts.links_vanished(now, indexes):
            self.prober.stop()

    def judge(self, now: int) -> bool:
        """Gates have new verdicts, or carrier changed; return whether the health is another."""
        health = self._book.judge(
            self.desired.gates,
            self._node.verdicts.get(self.name, {}),
            self._node.carriers(),
            stale=self._node.verdicts_stale,
        )
        because = Reason.GATE_FAILED
        if self.instances.not_in_force and health.is_healthy and self.desired.health_bands:
            # A node where the edit is in force serves more.
            health, because = Health.FAILING, Reason.NOT_IN_FORCE
        if self.election is None or health == self.election.health:
            return False
        _log.info("Health of %s became %s", self.desired.display_name, health)
        self.apply(now, self.election.set_health(now, health, because))
        self._record()
        return True

    def hear(
        self, arrived_ns: int, position: int, source: Address, advertisement: Advertisement
    ) -> None:
        """Take an advert that passed every check of the receive ladder."""
        instance = self.instances.at(position)
        if self.election is None or instance is None:
            return
        instance.counters.received(advertisement.priority)
        if advertisement.priority:
            self.prober.hear_advert()
        self._peer = str(source)
        heard = Heard(position, source, advertisement.priority, advertisement.interval_ns)
        now = clock.boottime_ns()
        self.apply(now, self.election.receive(now, heard, arrived_ns=arrived_ns))

    def advertise(self, now: int) -> None:
        """Send and renew what is due, if it is Active; find out whether it overslept."""
        if self.election is None or self.election.state is not State.ACTIVE:
            return
        self.apply(now, self.election.advertise(now))
        self._leave_if_mute(now, self.election)
        self._renew_if_due(now)

    def tick(self, now: int, heard_until_ns: int | None = None) -> None:
        """Act on what is due; adverts up to `heard_until_ns` have been heard (None: all)."""
        if self.instances.retry.is_due(now):
            self.network_changed(now)
        taken = self.prober.tick(now, active=self.is_active)
        if taken is not None and self.election is not None:
            _log.warning("Router %s: another host has %s", self.desired.display_name, taken)
            self.apply(now, self.election.address_in_use(now))
        if self.election is not None and not self.prober.is_asking:
            self.apply(now, self.election.tick(now, heard_until_ns))
            self._leave_if_mute(now, self.election)
        self._renew_if_due(now)
        for index, address in self._holdings.unconfirmed(now, self._node.monitor):
            self.address_removed(now, index, address)
        self._announcer.tick(now)

    def addresses_answered(self, now: int, result: AddressResult) -> None:
        """The kernel took the addresses, or not."""
        answer = self._holdings.answer(now, result)
        if self.election is None or answer.outcome is Outcome.NOTHING:
            return
        if answer.outcome is Outcome.BOUND:
            self.apply(now, self.election.bound(now))
            for index, address in self._holdings.removed_meanwhile(self._node.monitor):
                self.address_removed(now, index, address)
            return
        _log.error("Could not bind %s: %s", self.desired.display_name, answer.reason)
        self.obstacles.failure = answer.reason
        self.apply(now, self.election.bind_failed(now, Reason.BIND_FAILED))

    def address_removed(self, now: int, index: int, address: Address) -> None:
        """Somebody else removed an address that this router holds, or it expired."""
        if self.election is None or not self.election.renews or self.election.yielding:
            return
        removal = self._holdings.removed(now, index, address)
        if removal is Removal.BIND_AGAIN:
            _log.warning("Binding %s again, somebody removed it", address)
            self.apply(now, self.election.relocate(now))
        elif removal is Removal.GIVE_UP:
            failure = f"Another program removes {address} again and again"
            self.obstacles.failure = failure
            _log.error("Gave up %s: %s", self.desired.display_name, failure)
            self.apply(now, self.election.bind_failed(now, Reason.ADDRESS_REMOVED))

    # --- what its whereabouts ask for --------------------------------------------------------

    def begin(self, now: int) -> None:
        """Start the election: everything that is needed is there for the first time."""
        assert self.election is not None
        tagged = self._node.tagged_addresses()
        earlier, self._earlier = self._earlier, None
        actions = self.election.start(
            now,
            resume_last_sent_ns=earlier.resumable_ns if earlier is not None else None,
            resume_provisional_until_ns=earlier.provisional_until_ns if earlier else None,
            resume_seniority=earlier.seniority if earlier else 0,
            adopted=self._holdings.adopt(self.instances.placed.values(), tagged),
            up_since_ns=self._node.started_ns,
        )
        self.apply(now, actions)
        if earlier is None and not self.prober.is_asking:
            self.prober.ask_beside(now, self.election.config.advertisement_interval_ns)
        if earlier is not None and self.election.reason == Reason.RESUMED:
            self._since_ns = earlier.since_ns
            self._record()

    def announce_again(self, now: int) -> None:
        """Announce again: clients may send to another interface of this node."""
        if self._announcer.is_announcing and not self._holdings.is_waiting():
            self._announcer.start(now, self.instances.running)

    def forget_earlier(self) -> None:
        """Forget what an earlier life was doing."""
        self._earlier = None

    # --- actions ---------------------------------------------------------------------------

    def apply(self, now: int, actions: Iterable[Action]) -> None:
        """Do what the election says, in its order."""
        for action in actions:
            match action:
                case SendAdvertisement(priority):
                    self._send(now, priority)
                case BindAddresses():
                    self.bind(now)
                case ReleaseAddresses():
                    self._holdings.release()
                case Announce():
                    self._announcer.start(now, self.instances.running)
                case StopAnnouncing():
                    self._announcer.stop()
                case StateChanged():
                    self._state_changed(now, action)
                case ProbeAddresses():
                    self.prober.start(now)

    def _send(self, now: int, priority: int) -> None:
        self.instances.send(priority)
        if priority:
            self._record()
            if self._holdings.is_due_with_advert(now):
                self._renew(now)

    def bind(self, now: int) -> None:
        """Bring the kernel to the addresses of what runs."""
        assert self.election is not None
        lifetime = address_lifetime_seconds(self.election.config.advertisement_interval_ns)
        self._holdings.bind(now, self.instances.placed.values(), lifetime)
        if not self._holdings.is_waiting():  # an owner has its addresses
            self.apply(now, self.election.bound(now))

    def _renew_if_due(self, now: int) -> None:
        if self._holdings.renew_ns is not None and now >= self._holdings.renew_ns:
            self._renew(now)

    def _renew(self, now: int) -> None:
        election = self.election
        if election is None or not election.renews:
            self._holdings.stop_renewing()
        elif not self._holdings.is_overdue(now):
            self._holdings.renew(now)
        else:
            _log.error("The addresses of %s were not renewed in time", self.desired.display_name)
            self._holdings.stop_renewing()  # one that yields leaves them to their lifetime
            self.apply(now, election.bind_failed(now, Reason.ADDRESSES_NOT_RENEWED))

    def _leave_if_mute(self, now: int, election: Election) -> None:
        """An Active that cannot make itself heard is one of two before long."""
        if election.state is State.ACTIVE and self.instances.is_mute():
            _log.error("No advert of %s can be sent", self.desired.display_name)
            self.apply(now, election.bind_failed(now, Reason.ADVERTS_NOT_SENT))

    def _state_changed(self, now: int, change: StateChanged) -> None:
        self.transitions += 1
        self._since_ns = now
        self._record()
        self._node.report(self.desired, change, now, self._peer)
        self._peer = ""

    def _record(self) -> None:
        if self.election is not None:
            self._node.state_file.write(self.name, record_of(self.election, self._since_ns))
