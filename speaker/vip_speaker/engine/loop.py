"""The engine's one loop: sockets, kernel, clock and clients behind `vip_speaker.vrrp.turn`."""

from __future__ import annotations

import logging
import selectors
import socket
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

from vip_speaker.engine import cache, state_file, status
from vip_speaker.engine.agenda import Agenda
from vip_speaker.engine.channels import Channels
from vip_speaker.engine.chores import Chores, run_to_end
from vip_speaker.engine.clock import boottime_ns
from vip_speaker.engine.ears import Ears
from vip_speaker.engine.fleet import Fleet
from vip_speaker.engine.judge import Judgement, Refusal, judge_desired, judging
from vip_speaker.engine.network import NetworkNews
from vip_speaker.engine.node import Node
from vip_speaker.engine.opener import Opener
from vip_speaker.engine.probing import ProbeSockets
from vip_speaker.engine.reception import Reception
from vip_speaker.engine.router import Router
from vip_speaker.engine.server import Connection, Server
from vip_speaker.engine.strangers import Strangers, ours
from vip_speaker.engine.turns import TurnMeter
from vip_speaker.engine.watching import Watching
from vip_speaker.heartbeat import Pulse
from vip_speaker.linux.addresses import AddressWorker, DumpResult, holds_nothing
from vip_speaker.linux.monitor import Monitor
from vip_speaker.linux.sockets import Packet
from vip_speaker.messages import (
    Desired,
    Farewell,
    ForeignRouter,
    ForeignRouters,
    Hello,
    InterfaceReport,
    Interfaces,
    Status,
    StatusRequest,
    Subscribe,
    ToEngine,
    Verdicts,
)
from vip_speaker.settings import Settings
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS
from vip_speaker.vrrp.turn import turn

CACHE_FILE_NAME = "desired.json"

_STALE_AFTER_NS = 30 * SECOND_NS
# How long each of these may take in one turn: chores, starting and changing routers, the adverts
# that are due, and all other timers.
_CHORES_NS = MILLISECOND_NS
_PROCEED_NS = 2 * MILLISECOND_NS
_TIMERS_NS = 4 * MILLISECOND_NS
_STOP_LIMIT_NS = 9 * SECOND_NS

_log = logging.getLogger("engine")


class Engine:
    """Everything that one engine process does."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self.pulse = Pulse(None)
        self._selector = selectors.DefaultSelector()
        self._opener = Opener()
        self._meter = TurnMeter()
        self._ears = Ears(self._selector, self._packet_arrived, self._opener)
        self._worker = AddressWorker()
        self._monitor = Monitor()
        self._server = Server(listener, self._selector, self._message)
        self._node = Node(
            worker=self._worker,
            channels=Channels(self._ears, self._opener),
            probes=ProbeSockets(self._selector),
            monitor=self._monitor,
            state_file=state_file.open_in(Path(settings.state_directory)),
            publish=self._server.publish,
        )
        self._touched: set[Router] = set()
        self._fleet = Fleet(self._node, self._touched)
        self._chores = Chores()
        # Whether routers were taken leave of in this turn: there may be more of them.
        self._has_ended = False
        self._network = NetworkNews(self._node, self._fleet, self)
        self._strangers = Strangers()
        self._foreign: list[ForeignRouter] = []
        self._reception = Reception(self._node, self._fleet, self._strangers)
        self._watching = Watching(self._selector, self._node, self._reception, self._chores)
        self._agenda = Agenda()
        self._events: list[tuple[selectors.SelectorKey, int]] = []
        self._desired = Desired(node=settings.node)
        self._revision = 0
        self._refused: Mapping[str, Refusal] = {}
        self._cache_file = Path(settings.cache_directory) / CACHE_FILE_NAME
        self._cache = cache.CacheWriter(self._cache_file)
        self._reported: list[InterfaceReport] = []
        self._stale_ns: int | None = None
        self._stopping_until: int | None = None
        self._selector.register(
            self._worker, selectors.EVENT_READ, lambda _mask: self._worker_answered()
        )
        self._selector.register(
            self._monitor, selectors.EVENT_READ, lambda _mask: self._network.read()
        )

    @property
    def selector(self) -> selectors.BaseSelector:
        """Where the process registers what else it must hear: signals, its supervisor."""
        return self._selector

    def start(self) -> None:
        """Serve what was sent to the last engine, before any agent speaks."""
        self._opener.wait_for_all(patient=True)
        stored = cache.load(self._cache_file)
        if stored is not None and stored.node == self._settings.node:
            try:
                self._carry_out(judge_desired(stored, {}, limited=False))
                self._proceed(None)
            except Exception as error:
                # It was let through and cannot be run: the next life starts without it.
                cache.set_aside(self._cache_file, repr(error))
                raise
        # Last: an engine that resumes has not a millisecond to lose.
        self._ears.listen(self._monitor.view.listening_places())
        self._ears.tick(boottime_ns())
        self._opener.wait_for_all(patient=False)

    def stop(self) -> None:
        """End in an orderly way: every address moves before this process is gone."""
        if self._stopping_until is not None:
            return
        now = boottime_ns()
        count = len(self._fleet)
        _log.info("Stopping: handing over %d router%s", count, "" if count == 1 else "s")
        self._stopping_until = now + _STOP_LIMIT_NS
        self._fleet.stop(now)

    def run(self) -> None:
        """Turn until stopped and every router has left."""
        while not self._finished(boottime_ns()):
            self._events = self._selector.select(self._timeout_seconds())
            self._meter.begin(self._agenda.next_ns())
            turn(self)
            self.pulse.beat(boottime_ns())
            self._meter.end()

    def close(self) -> None:
        """Give everything back, the addresses too; what the worker has to do is done first."""
        for router in self._fleet:
            router.close()
        self._ears.close()
        self._opener.close()
        self._watching.close()
        self._server.publish(Farewell(released=self._worker.close() and holds_nothing()))
        self._server.close()
        self._monitor.close()
        self._node.state_file.close()
        self._cache.close()
        self._selector.close()

    # --- turns of the loop -----------------------------------------------------------------

    def _finished(self, now: int) -> bool:
        if self._stopping_until is None:
            return False
        return len(self._fleet) == 0 or now >= self._stopping_until

    def _timeout_seconds(self) -> float | None:
        if self._fleet.is_behind or self._chores or self._has_ended:
            return 0
        due = [
            at
            for at in (
                self._agenda.next_ns(),
                self._stale_ns,
                self._stopping_until,
                self._strangers.due_ns,
                self._ears.due_ns,
                self._reception.watch.due_ns,
                self._network.due_ns,
                self.pulse.due_ns,
            )
            if at is not None
        ]
        return max(0, min(due) - boottime_ns()) / SECOND_NS if due else None

    def now_ns(self) -> int:
        """Return the time, now."""
        return boottime_ns()

    def due(self, now: int) -> list[Router]:
        """Return the routers with a timer that is due."""
        self._reschedule()
        self._touched.update(due := self._agenda.take_due(now))
        return due

    def receive(self) -> None:
        """Hand over adverts that have arrived."""
        self._ears.drain()

    def heard_until_ns(self, router: Router) -> int:
        """Return up to when every advert for a router that has arrived was handed over."""
        return self._ears.heard_until_ns(one.placed.key[:2] for one in router.instances.running)

    def take_events(self) -> None:
        """Hand over what the kernel, the links, the agent and the supervisor have to say."""
        began_ns = boottime_ns()
        self._chores.proceed(began_ns + _CHORES_NS)
        if self._fleet.is_behind:
            self._proceed(began_ns + _CHORES_NS + _PROCEED_NS)
        events, self._events = self._events, []
        for key, mask in events:
            if key.data is not None:
                key.data(mask)

    def has_time(self, since_ns: int) -> bool:
        """Whether more adverts or timers are to go in this turn; the rest is due in the next."""
        return boottime_ns() < since_ns + _TIMERS_NS

    def settle(self) -> None:
        """Look after what is no router's, take leave of what has ended, plan the next turn."""
        self._fire_own_timers()
        self._remove_ended()
        self._ears.tick(boottime_ns())
        self._node.state_file.stamp(boottime_ns())

    def _fire_own_timers(self) -> None:
        now = boottime_ns()
        if self._stale_ns is not None and now >= self._stale_ns:
            _log.warning("No message from the agent for 30 s; keeping its last verdicts")
            self._stale_ns = None
            self._node.verdicts_stale = True
            self._judge_all(now)
        self._network.tick(now)
        if self._strangers.due_ns is not None and now >= self._strangers.due_ns:
            self._strangers.review(now)
            self._tell_of_strangers()
        self._reception.watch.review(now)

    def _remove_ended(self) -> None:
        self._reschedule()
        ended = self._fleet.remove_ended()
        self._has_ended = bool(ended)
        if not ended:
            return
        for router in ended:
            self._agenda.forget(router)
        self._know_ours()
        wanted = {one.name for one in self._desired.routers}
        if self._stopping_until is None and any(one.name in wanted for one in ended):
            # One that was wanted again while it was leaving starts afresh.
            self._fleet.apply(self._desired)

    def _reschedule(self) -> None:
        for router in self._touched:
            self._agenda.schedule(router)
        self._touched.clear()

    # --- what happens ----------------------------------------------------------------------

    def _packet_arrived(self, index: int, packet: Packet) -> None:
        router = self._reception.take(index, packet)
        if router is not None:
            self._touched.add(router)

    def _worker_answered(self) -> None:
        # What the kernel told before it answered: an address that is there may be gone again.
        if not self._network.read():
            return  # they wait for the rest of it, and for the next turn
        now = boottime_ns()
        for result in self._worker.results():
            if isinstance(result, DumpResult):
                self._network.listed(result)
                continue
            router = self._fleet.find(result.request.token)
            if router is not None:
                router.addresses_answered(now, result)
                self._touched.add(router)

    def touch(self, router: Router) -> None:
        """Something happened to a router: its timers may be others."""
        self._touched.add(router)

    def links_vanished(self, indexes: frozenset[int]) -> None:
        """Close what was open there: an interface that comes back is deaf on it."""
        places = self._monitor.view.listening_places()
        self._ears.listen(place for place in places if place.ifindex not in indexes)

    def interfaces_changed(self) -> None:
        """Tell of the interfaces, and listen for strangers on those that are there."""
        reports = status.interfaces(self._monitor.view)
        if reports != self._reported:
            self._reported = reports
            self._server.publish(Interfaces(interfaces=reports))
        self._watching.look()
        self._ears.listen(self._monitor.view.listening_places())
        indexes = {link.index for link in self._monitor.view.links}
        self._strangers.keep_interfaces(boottime_ns(), indexes)
        self._tell_of_strangers()

    # --- what is said ----------------------------------------------------------------------

    def _message(self, connection: Connection, message: ToEngine) -> None:
        match message:
            case Desired():
                self._chores.add(self._take_desired(message))
            case Verdicts():
                self._take_verdicts(message)
            case StatusRequest():
                self._chores.add(self._answer(connection))
            case Subscribe():
                connection.subscribed = True
                self._server.send(connection, self._hello())

    def _take_desired(self, desired: Desired) -> Iterator[None]:
        judgement = yield from judging(desired, self._fleet.in_force)
        if self._stopping_until is not None:
            return
        before = self._desired
        self._carry_out(judgement)
        if self._desired != before:
            # Only what could be carried out: the next start must not fail on it.
            self._cache.store(self._desired)
            _log.info("Received revision %d, routers: %d", desired.revision, len(desired.routers))

    def _carry_out(self, judgement: Judgement) -> None:
        for name, refusal in judgement.refused.items():
            if refusal != self._refused.get(name):
                _log.error("Refused %s: %s", ascii(refusal.router.display_name), refusal.why)
        self._refused = judgement.refused
        self._desired = judgement.desired
        self._fleet.apply(self._desired)
        self._watching.watch(self._desired.watch)
        self._know_ours()

    def _proceed(self, until_ns: int | None) -> None:
        if self._fleet.proceed(until_ns):
            self._revision = self._desired.revision
            self._know_ours()

    def _take_verdicts(self, verdicts: Verdicts) -> None:
        now = boottime_ns()
        self._node.verdicts = verdicts.routers
        self._node.verdicts_stale = False
        self._stale_ns = now + _STALE_AFTER_NS
        self._judge_all(now)

    def _judge_all(self, now: int) -> None:
        self._touched.update(router for router in self._fleet if router.judge(now))

    def _know_ours(self) -> None:
        running = (router.instances.in_force or router.desired for router in self._fleet)
        self._strangers.know(boottime_ns(), ours(self._desired, running))
        self._tell_of_strangers()

    def _tell_of_strangers(self) -> None:
        self._reception.watch.know(boottime_ns())
        found = status.foreign(self._strangers.present, self._monitor.view)
        if found == self._foreign:
            return
        status.log_strangers(found, self._foreign)
        self._foreign = found
        self._server.publish(ForeignRouters(foreign=found))

    def _hello(self) -> Hello:
        return Hello(
            node=self._settings.node,
            revision=self._revision,
            routers=[router.name for router in self._fleet],
            interfaces=status.interfaces(self._monitor.view),
        )

    def status(self) -> Status:
        """Return what `vip-speaker status` shows."""
        return run_to_end(self._status())

    def _answer(self, connection: Connection) -> Iterator[None]:
        if self._server.is_there(connection):
            self._server.send(connection, (yield from self._status()))

    def _status(self) -> Generator[None, None, Status]:
        routers = yield from status.routers(self._fleet, self._refused, self._node.wall_clock)
        return Status(
            node=self._settings.node,
            revision=self._revision,
            virtual_routers=routers,
            drops={**self._reception.drops, **self._ears.drops()},
            orphaned=[router.name for router in self._fleet if router.orphaned],
            interfaces=status.interfaces(self._monitor.view),
            foreign=self._foreign,
            turns=self._meter.message(),
            neighbours=self._reception.watch.complaints,
            watched=self._watching.found,
        )
