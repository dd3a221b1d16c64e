"""How long the turns of the engine's loop are while the worst happens around it.

    python benchmarks/bench_turns.py [CASE...]

Two hosts, one virtual router at 100 ms adverts, Active on the first. One line per case: longest
turn in processor time and elapsed, latest timer, longest gap between two of its adverts on the
wire, changes of state on both hosts. An engine that does not measure its turns shows "-".
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from vip_lab.host import Host
from vip_lab.lan import Lan, ending_on_sigterm
from vip_lab.wait import until
from vip_speaker.messages import DesiredRouter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import crowd, flood
from support.bare_engine import SHOWN, BareEngine, router

VIP = "192.0.2.100"
VRID = 51
FIRST = 60  # VRID of the first of the other routers
RATE, FLOOD_SECONDS = 50_000, 6.0
CHURN_SECONDS = 60.0
SETTLED_SECONDS = 60.0
_ETH_P_ALL = 0x0003


def main() -> int:
    """Print one line per case."""
    if os.geteuid() != 0:
        print("bench_turns: needs root for network namespaces")
        return 0
    chosen = sys.argv[1:] or list(CASES)
    with ending_on_sigterm():
        for name in chosen:
            with Lan(["n1", "n2", "n3"]) as lan:
                Scene(lan).run(name, CASES[name])
    return 0


class Scene:
    """Two engines, and what is done to them."""

    def __init__(self, lan: Lan) -> None:
        self.lan = lan
        self.hosts = lan["n1"], lan["n2"]
        self.engines = BareEngine(self.hosts[0]), BareEngine(self.hosts[1])
        self.others: list[DesiredRouter] = []

    def run(self, name: str, case: Callable[[Scene], Callable[[], object]]) -> None:
        """Prepare, disturb, print."""
        for host in self.hosts:
            crowd.widen(host)
        for engine in self.engines:
            engine.start_and_wait()
        self.desire()
        until("the first to be Active", lambda: self.engines[0].state(SHOWN) == "Active", 10)
        until("the second to be Backup", lambda: self.engines[1].state(SHOWN) == "Backup", 10)
        disturb = case(self)
        until("all to settle", self._is_settled, SETTLED_SECONDS)
        before = self._transitions()
        with adverts(self.lan["n3"]) as gap:
            disturb()
            time.sleep(1.0)  # whatever comes late
        print(f"{name}: {self._figures()}, gap {gap():.0f} ms, ", end="")
        print(f"changes of state {self._transitions() - before}", flush=True)
        for engine in self.engines:
            engine.end()

    def desire(self) -> None:
        """Tell both engines of the router and of the others."""
        for engine, priority in zip(self.engines, (254, 200), strict=True):
            watched = router(VIP, priority=priority, advertisement_interval_milliseconds=100)
            engine.desire(watched, *self.others)

    def _is_settled(self) -> bool:
        first = self.engines[0].routers()
        return bool(first) and all(one["state"] != "Initialize" for one in first)

    def _transitions(self) -> int:
        found = [engine.router(SHOWN) for engine in self.engines]
        return sum(one["counters"]["transitions"] for one in found if one is not None)

    def _figures(self) -> str:
        turns = [engine.status().get("turns") for engine in self.engines]
        words = []
        for what in ("processor", "elapsed", "lateness"):
            longest = [one[what]["longestMilliseconds"] for one in turns if one is not None]
            words.append(f"{what} {max(longest):.1f} ms" if longest else f"{what} -")
        return ", ".join(words)


@contextmanager
def adverts(host: Host) -> Iterator[Callable[[], float]]:
    """Yield a function that returns the longest gap between adverts of the router so far, in ms."""
    capture = host.open_socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    capture.bind(("eth0", _ETH_P_ALL))
    capture.settimeout(0.1)
    ended, seen = threading.Event(), []

    def listen() -> None:
        while not ended.is_set():
            try:
                frame = capture.recv(2048)
            except TimeoutError:
                continue
            is_advert = frame[12:14] == b"\x08\x00" and frame[23] == 112
            if is_advert and frame[35] == VRID and frame[36] > 1:
                seen.append(time.monotonic())

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield lambda: 1000 * max((b - a for a, b in pairwise(seen)), default=0.0)
    ended.set()
    thread.join()
    capture.close()


def creating(count: int, *, dual: bool) -> Callable[[Scene], Callable[[], object]]:
    """Return the case of routers that are created at once."""

    def case(scene: Scene) -> Callable[[], object]:
        def disturb() -> None:
            scene.others = crowd.others(count, first=FIRST, dual=dual)
            scene.desire()
            time.sleep(5.0)  # they settle

        return disturb

    return case


def pods(scene: Scene) -> Callable[[], object]:
    """Twenty veths come within 0.4 s beside 190 routers and 250 veths."""
    scene.others = crowd.others(190, first=FIRST)
    scene.desire()
    for host in scene.hosts:
        crowd.add_veths(host, "p", 125)
    return lambda: crowd.start_pods(scene.hosts, "r", 10)


def flooding(virtual_router_id: int, *rest: str) -> Callable[[Scene], Callable[[], object]]:
    """Return the case of a flood from a third host."""

    def case(scene: Scene) -> Callable[[], object]:
        def disturb() -> None:
            host = scene.lan["n3"]
            words = [
                *("eth0", host.ipv4, str(virtual_router_id), "1"),
                *(str(RATE), str(FLOOD_SECONDS), *rest),
            ]
            host.start("flood", [sys.executable, flood.__file__, *words]).wait(FLOOD_SECONDS + 10)

        return disturb

    return case


def teardown(scene: Scene) -> Callable[[], object]:
    """A network namespace with 300 veths goes; their peers are in the hosts."""
    name = f"{scene.hosts[0].namespace}-pods"
    crowd.make_namespace(name, scene.hosts, 300)
    return lambda: crowd.delete_namespace(name, scene.hosts)


def churn(scene: Scene) -> Callable[[], object]:
    """Twenty veth pairs a second come and go beside 40 routers at 100 ms."""
    scene.others = crowd.others(40, first=FIRST, interval=100)
    scene.desire()

    return lambda: crowd.churn(scene.hosts, CHURN_SECONDS)


CASES: dict[str, Callable[[Scene], Callable[[], object]]] = {
    "a-40": creating(40, dual=False),
    "a-130-dual-stack": creating(130, dual=True),
    "b-pods": pods,
    "c-foreign": flooding(99),
    "c-bad-checksum": flooding(VRID, "bad-checksum"),
    "c-valid-lower": flooding(VRID),
    "d-teardown": teardown,
    "e-churn": churn,
}


if __name__ == "__main__":
    sys.exit(main())
