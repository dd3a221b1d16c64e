"""The engine's one loop: sockets, kernel, clock and clients behind `vip_speaker.vrrp.turn`."""

from __future__ import annotations

import logging
import selectors
import socket
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path

from vip_speaker.engine import cache, state_file, status
from vip_speaker.engine.agenda import Agenda
from vip_speaker.engine.channels import Channels
from vip_speaker.engine.chores import Chores
from vip_speaker.engine.clock import boottime_ns
from vip_speaker.engine.ears import Ears
from vip_speaker.engine.events import Events
from vip_speaker.engine.fleet import Fleet
from vip_speaker.engine.garbage import overlook_what_lives
from vip_speaker.engine.judge import Judgement, Refusal, judge_desired, judging
from vip_speaker.engine.network import NetworkNews
from vip_speaker.engine.node import Node
from vip_speaker.engine.opener import Opener
from vip_speaker.engine.others import Others
from vip_speaker.engine.probing import ProbeSockets
from vip_speaker.engine.reception import Reception
from vip_speaker.engine.router import Router
from vip_speaker.engine.server import Connection, Server
from vip_speaker.engine.turns import TurnMeter
from vip_speaker.engine.verdicts import GateVerdicts
from vip_speaker.engine.watching import Watching
from vip_speaker.heartbeat import Pulse
from vip_speaker.linux.addresses import AddressWorker, DumpResult, holds_nothing
from vip_speaker.linux.monitor import Monitor
from vip_speaker.linux.sockets import Packet
from vip_speaker.messages import (
    Desired,
    Farewell,
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
from vip_speaker.vrrp.timers import SECOND_NS
from vip_speaker.vrrp.turn import share, turn

CACHE_FILE_NAME = "desired.json"

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
        self._verdicts = GateVerdicts(self._node, self._fleet)
        self._chores = Chores()  # of clients
        self._own_chores = Chores()
        self._postponed: dict[Router, int] = {}  # in the order of their turns
        self._network = NetworkNews(self._node, self._fleet, self)
        self._others = Others(self._node, self._fleet, self._own_chores)
        self._reception = Reception(self._node, self._fleet, self._others)
        self._watching = Watching(self._selector, self._node, self._reception, self._own_chores)
        self._agenda = Agenda()
        self._events = Events(self._selector)
        self._desired = Desired(node=settings.node)
        self._revision = 0
        self._refused: Mapping[str, Refusal] = {}
        self._cache_file = Path(settings.cache_directory) / CACHE_FILE_NAME
        self._cache = cache.CacheWriter(self._cache_file)
        self._reported: list[InterfaceReport] = []
        self._stopping_until: int | None = None
        self._selector.register(
            self._worker, selectors.EVENT_READ, lambda _mask: self._worker_answered()
        )
        self._selector.register(
            self._monitor,
            selectors.EVENT_READ,
            lambda _mask: self._network.read(self._events.until_ns),
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
            self._events.wait(self._timeout_seconds())
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
        if self._has_work():
            return 0
        due = [
            at
            for at in (
                self._agenda.next_ns(),
                self._verdicts.due_ns,
                self._stopping_until,
                self._ears.due_ns,
                *self._others.due_ns,
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
        if self._postponed:
            last = len(self._postponed)
            due.sort(key=lambda router: self._postponed.get(router, last))
        return due

    def postpone(self, routers: Iterable[Router]) -> None:
        """Note which routers had to wait for the next turn."""
        self._postponed = {router: at for at, router in enumerate(routers)}

    def receive(self, until_ns: int) -> None:
        """Hand over adverts that have arrived."""
        self._ears.drain(until_ns)

    def heard_until_ns(self, router: Router) -> int:
        """Return up to when every advert for a router that has arrived was handed over."""
        return self._ears.heard_until_ns(one.placed.key[:2] for one in router.instances.running)

    def take_events(self, until_ns: int) -> None:
        """Hand over what the kernel, the links, the agent and the supervisor have to say."""
        kinds = (
            self._events.handle,
            self._network.proceed,
            self._server.handle_lines,
            self._fleet.judge,
            self._own_chores.proceed,
            self._chores.proceed,
            self._proceed,
        )
        for left, go_on in enumerate(kinds):
            go_on(share(boottime_ns(), until_ns, len(kinds) - left))

    def settle(self, until_ns: int) -> None:
        """Look after what is no router's, take leave of what has ended, plan the next turn."""
        self._fire_own_timers()
        self._remove_ended(until_ns)
        self._ears.tick(boottime_ns())
        self._node.state_file.stamp(boottime_ns())

    def _fire_own_timers(self) -> None:
        now = boottime_ns()
        self._verdicts.tick(now)
        self._network.tick(now)
        self._others.tick(now)

    def _has_work(self) -> bool:
        return bool(
            self._fleet.has_work
            or self._own_chores
            or self._chores
            or self._server.has_lines
            or self._network.has_work
        )

    def _remove_ended(self, until_ns: int) -> None:
        self._reschedule()
        ended = self._fleet.remove_ended(until_ns)
        if not ended:
            return
        for router in ended:
            self._agenda.forget(router)
        self._others.know(self._desired)
        wanted = {one.name for one in self._desired.routers}
        if self._stopping_until is None and any(one.name in wanted for one in ended):
            # One that was wanted again while it was leaving starts afresh.
            self._fleet.apply(self._desired)

    def _reschedule(self) -> None:
        self._fleet.note_ended(self._touched)
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
        until_ns = self._events.until_ns
        if not self._network.read(until_ns):
            return  # they wait for the rest of it, and for the next turn
        while (result := self._worker.next_result()) is not None:
            if isinstance(result, DumpResult):
                self._network.listed(result)
            elif (router := self._fleet.find(result.request.token)) is not None:
                router.addresses_answered(boottime_ns(), result)
                self._touched.add(router)
            if boottime_ns() >= until_ns or self._network.has_work:
                return

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
        self._others.interfaces_changed()

    # --- what is said ----------------------------------------------------------------------

    def _message(self, connection: Connection, message: ToEngine) -> None:
        match message:
            case Desired():
                self._chores.add(self._take_desired(message))
            case Verdicts():
                self._verdicts.take(boottime_ns(), message)
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
        self._others.know(self._desired)

    def _proceed(self, until_ns: int | None) -> None:
        if not self._fleet.is_behind:
            return
        is_done = self._fleet.proceed(until_ns)
        overlook_what_lives()
        if is_done:
            self._revision = self._desired.revision
            self._others.know(self._desired)

    def _hello(self) -> Hello:
        return Hello(
            node=self._settings.node,
            revision=self._revision,
            routers=[router.name for router in self._fleet],
            interfaces=status.interfaces(self._monitor.view),
        )

    def status_to(self, take: Callable[[Status], None]) -> None:
        """Hand over what `vip-speaker status` shows, some turns later."""
        self._own_chores.add(self._tell(take))

    def _tell(self, take: Callable[[Status], None]) -> Iterator[None]:
        take((yield from self._status()))

    def _answer(self, connection: Connection) -> Iterator[None]:
        if self._server.is_there(connection):
            self._server.send(connection, (yield from self._status()))

    def _status(self) -> Generator[None, None, Status]:
        while self._fleet.is_judging:  # verdicts that were sent before it was asked for
            yield
        routers = yield from status.routers(self._fleet, self._refused, self._node.wall_clock)
        return Status(
            node=self._settings.node,
            revision=self._revision,
            virtual_routers=routers,
            drops={**self._reception.drops, **self._ears.drops()},
            orphaned=[router.name for router in self._fleet if router.orphaned],
            interfaces=status.interfaces(self._monitor.view),
            foreign=self._others.foreign,
            turns=self._meter.message(),
            neighbours=self._others.watch.complaints,
            watched=self._watching.found,
        )
