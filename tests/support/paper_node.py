"""A node whose kernel, wire and sockets are of paper: they note what they are asked for."""

from __future__ import annotations

import selectors
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from support.engine_node import view
from vip_speaker.engine.channels import Channel, Channels
from vip_speaker.engine.compile import Placed
from vip_speaker.engine.ears import Ears
from vip_speaker.engine.node import Node
from vip_speaker.engine.opener import Opener
from vip_speaker.engine.probing import Heard, ProbeSockets
from vip_speaker.engine.router import Router
from vip_speaker.engine.state_file import StateFile
from vip_speaker.linux.addresses import (
    AddressWorker,
    BindRequest,
    RenewRequest,
    Request,
)
from vip_speaker.linux.monitor import Event, Monitor
from vip_speaker.linux.probe import Answer
from vip_speaker.linux.rtnetlink import Address, Link
from vip_speaker.linux.sockets import AdvertSender, AnnouncementSocket
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredRouter
from vip_speaker.vrrp.config import Health


class Silent:
    """A socket that takes everything."""

    def __init__(self) -> None:
        self.sent: list[object] = []

    def send(self, what: object) -> int:
        self.sent.append(what)
        return 1

    def close(self) -> None:
        """Nothing is open."""


class PaperProbes(ProbeSockets):
    """Notes what is asked; the test answers."""

    def __init__(self) -> None:
        super().__init__(cast("selectors.BaseSelector", None))
        self.asked: list[object] = []
        self._waiting: dict[tuple[int, Address], list[Heard]] = {}

    @property
    def is_listening(self) -> bool:
        """Whether anybody waits for an answer."""
        return any(self._waiting.values())

    def listen(self, index: int, address: Address, heard: Heard) -> None:
        self._waiting.setdefault((index, address), []).append(heard)

    def ignore(self, index: int, address: Address, heard: Heard) -> None:
        if heard in self._waiting.get((index, address), ()):
            self._waiting[index, address].remove(heard)

    def ask(self, index: int, version: int, questions: Iterable[bytes]) -> None:
        self.asked.append((index, version, tuple(questions)))

    def answer(self, index: int, address: Address, mac: bytes) -> None:
        """Let a machine say that it has an address."""
        for heard in list(self._waiting.get((index, address), ())):
            heard(Answer(address, mac))


class NoEars:
    """Hears nothing, and so gives nothing up."""

    def hold(self, *_: object) -> None:
        """Nothing is opened."""

    def release(self, *_: object) -> None:
        """Nothing is open."""


class PaperChannels(Channels):
    """Channels without sockets.

    Attributes:
        trouble: what the kernel answers instead of a socket.
    """

    def __init__(self) -> None:
        super().__init__(cast("Ears", NoEars()), cast("Opener", None))
        self.trouble: OSError | None = None

    @property
    def in_use(self) -> int:
        """How many channels are open."""
        return len(self._channels)

    def _open(self, placed: Placed) -> Channel:
        if self.trouble is not None:
            raise self.trouble
        sender, announcements = cast("AdvertSender", Silent()), cast("AnnouncementSocket", Silent())
        return Channel(placed.index, placed.source, sender, announcements)


@dataclass
class PaperWorker:
    """Notes what it is asked for."""

    requests: list[Request] = field(default_factory=list)

    def submit(self, request: Request) -> None:
        self.requests.append(request)

    @property
    def renewals(self) -> list[RenewRequest]:
        return [one for one in self.requests if isinstance(one, RenewRequest)]

    @property
    def binds(self) -> list[BindRequest]:
        return [one for one in self.requests if isinstance(one, BindRequest)]


class PaperMonitor:
    """Shows what the test says.

    Attributes:
        needs_resync: events were lost.
        emptied: `read` left nothing behind.
        overflows: how often.
        events: what `read` returns next.
        looks: how often anybody looked at the whole network.
    """

    def __init__(self, shown: NetworkView) -> None:
        self._view = shown
        self.needs_resync = False
        self.emptied = True
        self.overflows = 0
        self.events: list[Event] = []
        self.looks = 0

    @property
    def view(self) -> NetworkView:
        self.looks += 1
        return self._view

    @view.setter
    def view(self, shown: NetworkView) -> None:
        self._view = shown

    def link(self, index: int) -> Link | None:
        return self._view.link_by_index(index)

    def read(self) -> list[Event]:
        events, self.events = self.events, []
        return events


@dataclass
class Scene:
    """One router on one node of paper."""

    worker: PaperWorker
    monitor: PaperMonitor
    node: Node
    probes: PaperProbes
    channels: PaperChannels

    def start(self, desired: DesiredRouter, now: int = 0) -> Router:
        started = Router(desired, self.node, None, Health.HEALTHY)
        started.start(now)
        return started


@contextmanager
def paper_node(tmp_path: Path) -> Iterator[Scene]:
    """Make a node with eth0 that holds no virtual address."""
    worker, monitor, probes = PaperWorker(), PaperMonitor(view()), PaperProbes()
    channels = PaperChannels()
    node = Node(
        worker=cast("AddressWorker", worker),
        channels=channels,
        probes=probes,
        monitor=cast("Monitor", monitor),
        state_file=StateFile(tmp_path / "state", "a-boot"),
        publish=lambda _transition: None,
    )
    yield Scene(worker, monitor, node, probes, channels)
    node.state_file.close()
