"""An agent in cluster mode as a real process, and the engine that a test plays beside it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from support.fake_engine import FakeEngine, serving
from vip_lab.kubernetes.place import Place
from vip_lab.process import Process
from vip_lab.wait import Deadline
from vip_model.vocabulary import Family, GateState
from vip_speaker.messages import (
    Counters,
    Desired,
    ForeignRouter,
    ForeignRouters,
    HeardNode,
    HeardNodes,
    InterfaceReport,
    RouterStatus,
    Status,
    StatusRequest,
    ToEngine,
    Transition,
    Verdicts,
    encode,
)

T = TypeVar("T")

NODE = "n1"
ETH0 = InterfaceReport(
    name="eth0", mac="02:00:00:00:00:01", subnets=["192.0.2.1/24", "fe80::1/64"], carrier=True
)


class PlayedEngine(FakeEngine):
    """Answers with the state of each router that it was told to run, as the test decides.

    Attributes:
        times: when each message was heard (monotonic seconds), in the order of `heard`.
    """

    def __init__(self) -> None:
        super().__init__(NODE)
        self.times: list[float] = []
        self._states: dict[str, tuple[str, str]] = {}
        self._foreign: list[ForeignRouter] = []
        self._watched: list[HeardNode] = []

    @property
    def desired(self) -> Desired | None:
        """What it was told to run last."""
        told = self.of_type(Desired)
        return told[-1] if told else None

    def runs(self, name: str) -> bool:
        """Return whether it was told to run a router, and nothing else since."""
        return self.desired is not None and any(each.name == name for each in self.desired.routers)

    def verdict(self, router: str, gate: str) -> GateState | None:
        """Return the verdict that it was told last."""
        told = self.of_type(Verdicts)
        found = told[-1].routers.get(router, {}).get(gate) if told else None
        return None if found is None else found.state

    def time_of(self, matches: Callable[[ToEngine], bool]) -> float:
        """Return when the last message of a sort was heard."""
        return next(
            at
            for message, at in zip(reversed(self.heard), reversed(self.times), strict=False)
            if matches(message)
        )

    def become(self, router: str, state: str, reason: str) -> None:
        """Change the state of a router and say so."""
        previous, _reason = self._states.get(router, ("Backup", ""))
        self._states[router] = (state, reason)
        self.send(
            Transition(
                router=router,
                previous=previous,
                state=state,
                reason=reason,
                since="2026-01-01T00:00:00.000Z",
            )
        )

    def hear_strangers(self, *foreign: ForeignRouter) -> None:
        """Change who else is on the link and say so."""
        self._foreign = list(foreign)
        self.send(ForeignRouters(foreign=self._foreign))

    def hear_nodes(self, *nodes: HeardNode) -> None:
        """Change what is known of watched nodes and say so."""
        self._watched = list(nodes)
        self.send(HeardNodes(nodes=self._watched))

    def _hear(self, message: ToEngine, writer: asyncio.StreamWriter) -> None:
        self.times.append(time.monotonic())
        if isinstance(message, StatusRequest):
            self.heard.append(message)
            writer.write(encode(self._status()))
        else:
            super()._hear(message, writer)

    def _status(self) -> Status:
        routers = self.desired.routers if self.desired is not None else []
        return Status(
            node=NODE,
            revision=self.revision,
            virtual_routers=[self._router(each.name) for each in routers],
            interfaces=[ETH0],
            foreign=self._foreign,
            watched=self._watched,
        )

    def _router(self, name: str) -> RouterStatus:
        state, reason = self._states.get(name, ("Backup", "Started"))
        return RouterStatus(
            name=name,
            router=name,
            interface="eth0",
            family=Family.IPV4,
            virtual_router_id=51,
            state=state,  # type: ignore[arg-type]
            reason=reason,
            priority=254,
            effective_priority=254,
            advertisement_interval_milliseconds=1000,
            since="2026-01-01T00:00:00.000Z",
            addresses=["192.0.2.100"],
            gates=[],
            counters=Counters(),
        )


class ClusterAgent:
    """An agent that follows a cluster, and its engine.

    Args:
        place: where its files and its process are.
        kubeconfig: how it reaches the API.
        namespace: the operator's.
    """

    def __init__(self, place: Place, kubeconfig: Path, namespace: str) -> None:
        self._place = place
        self._kubeconfig = kubeconfig
        self._namespace = namespace
        self._process: Process | None = None
        self._http = f"127.0.0.1:{place.free_port()}"
        self.socket = place.directory / "engine.sock"
        self.engine = PlayedEngine()

    def start(self) -> None:
        """Start it."""
        # By a name in the directory, so that the guard knows it by its command line.
        program = self._place.directory / "vip-speaker"
        if not program.exists():
            program.symlink_to(Path(sys.executable).with_name("vip-speaker"))
        self._process = self._place.start(
            "agent",
            [
                *(str(program), "agent", "--cluster", "--kubeconfig", str(self._kubeconfig)),
                *("--namespace", self._namespace, "--node", NODE, "--http", self._http),
                *("--socket", str(self.socket), "--log-level", "debug"),
            ],
        )

    @property
    def process(self) -> Process:
        """The process."""
        assert self._process is not None
        return self._process

    def log(self) -> str:
        """Return everything that it has printed."""
        return self.process.text()

    def page(self, path: str) -> tuple[int, str]:
        """Return status and text of a page, as soon as somebody serves it."""
        deadline = Deadline(20)
        while True:
            try:
                with urllib.request.urlopen(f"http://{self._http}{path}", timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
            except OSError:
                if deadline.is_over():
                    raise
                time.sleep(0.02)

    def status(self) -> dict[str, Any]:
        """Return what /status says."""
        found: dict[str, Any] = json.loads(self.page("/status")[1])
        return found


@asynccontextmanager
async def cluster_agent(kubeconfig: Path, namespace: str) -> AsyncIterator[ClusterAgent]:
    """Run an agent beside a played engine until the block ends."""
    place = Place()
    agent = ClusterAgent(place, kubeconfig, namespace)
    try:
        async with serving(agent.engine, agent.socket):
            agent.start()
            try:
                yield agent
            except BaseException as error:
                error.add_note(agent.log())
                raise
    finally:
        await asyncio.to_thread(place.close)


async def until(what: str, look: Callable[[], T], seconds: float = 30.0) -> T:
    """Return the first true result of `look`, which is not called in the loop's thread."""
    deadline = Deadline(seconds)
    while True:
        seen = await asyncio.to_thread(look)
        if seen:
            return seen
        assert not deadline.is_over(), f"waited {seconds:g} s for {what}, last: {seen!r}"
        await asyncio.sleep(0.005)
