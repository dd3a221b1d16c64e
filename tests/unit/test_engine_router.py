"""What a router does when the kernel, the link and its own clock tell in an awkward order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import cast

import pytest

from support.engine_node import NODE, address, router, view
from vip_speaker.engine import prober
from vip_speaker.engine.channels import Channel, Channels
from vip_speaker.engine.compile import Placed
from vip_speaker.engine.ears import Ears
from vip_speaker.engine.node import Node
from vip_speaker.engine.router import Router
from vip_speaker.engine.state_file import StateFile
from vip_speaker.linux.addresses import AddressResult, AddressWorker, BindRequest, Request
from vip_speaker.linux.monitor import Monitor
from vip_speaker.linux.ownership import PROTOCOL
from vip_speaker.linux.probe import Answer
from vip_speaker.linux.sockets import AdvertSender, AnnouncementSocket
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredRouter
from vip_speaker.vrrp.election import Health, State

VIP = "192.0.2.100"
MS = 1_000_000
SECOND = 1000 * MS
BOUND = (*NODE, address(2, f"{VIP}/32", protocol=PROTOCOL))


class Silent:
    """A socket that takes everything and hears what the test puts into it."""

    def __init__(self) -> None:
        self.sent: list[object] = []
        self.heard: list[Answer] = []

    def send(self, what: object) -> int:
        self.sent.append(what)
        return 1

    def answers(self) -> list[Answer]:
        heard, self.heard = self.heard, []
        return heard

    def close(self) -> None:
        """Nothing is open."""


class PaperChannels(Channels):
    """Channels without sockets."""

    def __init__(self) -> None:
        super().__init__(cast("Ears", None))

    def _open(self, placed: Placed) -> Channel:
        sender, announcements = cast("AdvertSender", Silent()), cast("AnnouncementSocket", Silent())
        return Channel(placed.index, placed.source, sender, announcements)


@dataclass
class PaperWorker:
    """Notes what it is asked for."""

    requests: list[Request] = field(default_factory=list)

    def submit(self, request: Request) -> None:
        self.requests.append(request)

    @property
    def binds(self) -> list[BindRequest]:
        return [one for one in self.requests if isinstance(one, BindRequest)]


@dataclass
class PaperMonitor:
    """Shows what the test says."""

    view: NetworkView
    needs_resync: bool = False


@dataclass
class Scene:
    """One router on one node of paper."""

    worker: PaperWorker
    monitor: PaperMonitor
    node: Node
    asked: Silent

    def start(self, desired: DesiredRouter, now: int = 0) -> Router:
        started = Router(desired, self.node, None, Health.HEALTHY)
        started.start(now)
        return started


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A node with eth0 that holds no virtual address."""
    worker, monitor, asked = PaperWorker(), PaperMonitor(view()), Silent()
    monkeypatch.setattr(prober, "ProbeSocket", lambda *_: asked)
    node = Node(
        worker=cast("AddressWorker", worker),
        channels=PaperChannels(),
        monitor=cast("Monitor", monitor),
        state_file=StateFile(tmp_path / "state", "a-boot"),
        publish=lambda _transition: None,
    )
    yield Scene(worker, monitor, node, asked)
    node.state_file.close()


def _tick_when_due(one: Router, from_ns: int, while_: Callable[[], bool]) -> int:
    """Tick at every deadline, the first time late at `from_ns`; return when that ended."""
    now = from_ns
    one.tick(now)
    while while_():
        due_ns = one.deadline()
        assert due_ns is not None
        now = max(now, due_ns)
        one.tick(now)
    return now


def _state(one: Router) -> State:
    assert one.election is not None
    return one.election.state


# --- bootstrap -----------------------------------------------------------------------------------


def _bootstrapping(scene: Scene) -> Router:
    return scene.start(router(VIP, bootstrap=True, advertisement_interval_milliseconds=1000))


def test_an_address_is_not_taken_before_the_link_had_its_say(scene: Scene) -> None:
    """Where the first question goes out late, the answers are awaited all the same."""
    one = _bootstrapping(scene)
    late_ns = 400 * MS
    taken_ns = _tick_when_due(one, late_ns, lambda: _state(one) is not State.ACTIVE)
    assert len(scene.asked.sent) == 3
    assert taken_ns >= late_ns + 150 * MS


def test_an_answer_to_a_late_question_counts(scene: Scene) -> None:
    """Somebody who has the address keeps it, however late the question was."""
    one = _bootstrapping(scene)
    one.tick(400 * MS)
    scene.asked.heard.append(Answer(ip_address(VIP), bytes.fromhex("020000000099")))
    one.tick(450 * MS)
    due_ns = one.deadline()
    assert _state(one) is State.BACKUP
    assert due_ns is not None
    assert due_ns > 3 * SECOND


# --- addresses -----------------------------------------------------------------------------------


def _active(scene: Scene) -> Router:
    one = scene.start(router(VIP, advertisement_interval_milliseconds=1000))
    _tick_when_due(one, 3 * SECOND, lambda: _state(one) is not State.ACTIVE)
    return one


def _answer(scene: Scene, one: Router, now: int) -> None:
    one.addresses_answered(now, AddressResult(request=scene.worker.binds[-1]))


def test_an_address_removed_before_its_bind_is_answered_is_bound_again(scene: Scene) -> None:
    """Somebody was quicker than the kernel's answer: the router asks once more, at once."""
    one = _active(scene)
    assert len(scene.worker.binds) == 1
    scene.monitor.view = view(addresses=BOUND)
    one.address_removed(4 * SECOND, IPv4Address(VIP))
    scene.monitor.view = view()
    _answer(scene, one, 4 * SECOND)
    assert len(scene.worker.binds) == 2


def test_an_address_that_is_there_is_not_bound_again(scene: Scene) -> None:
    """One that was removed and is back, or whose events were lost, needs nothing."""
    one = _active(scene)
    one.address_removed(4 * SECOND, IPv4Address(VIP))
    scene.monitor.view = view(addresses=BOUND)
    _answer(scene, one, 4 * SECOND)
    scene.monitor.view, scene.monitor.needs_resync = view(), True
    one.address_removed(4 * SECOND, IPv4Address(VIP))
    _answer(scene, one, 4 * SECOND)
    assert len(scene.worker.binds) == 2
