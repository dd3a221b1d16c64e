"""How long the turns of the engine's loop are while the worst happens around it.

    python benchmarks/bench_turns.py [CASE...]

Two hosts, one virtual router at 100 ms adverts, Active on the first. One line per case: longest
turn in processor time and elapsed, latest timer, longest gap between two of its adverts on the
wire, changes of state on both hosts. An engine that does not measure its turns shows "-".
"""

from __future__ import annotations

import os
import socket
import subprocess
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
from vip_model.vocabulary import Family
from vip_speaker.messages import DesiredInstance, DesiredRouter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import flood
from support.bare_engine import SHOWN, BareEngine, router

VIP = "192.0.2.100"
VRID = 51
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
        self.engines = BareEngine(lan["n1"]), BareEngine(lan["n2"])
        self.others: list[DesiredRouter] = []

    def run(self, name: str, case: Callable[[Scene], Callable[[], None]]) -> None:
        """Prepare, disturb, print."""
        for host in (self.lan["n1"], self.lan["n2"]):
            host.ip("address", "add", f"10.99.0.{host.mac[-2:]}/16", "dev", "eth0")
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


def others(count: int, *, dual: bool = False, interval: int = 1000) -> list[DesiredRouter]:
    """Return so many more routers."""
    made = []
    for number in range(1, count + 1):
        virtual_router_id = number if number < VRID else number + 1
        instances = [
            DesiredInstance(
                family=Family.IPV4,
                virtual_router_id=virtual_router_id,
                addresses=[f"10.99.{1 + number // 250}.{1 + number % 250}"],
            )
        ]
        if dual:
            instances.append(
                DesiredInstance(
                    family=Family.IPV6,
                    virtual_router_id=virtual_router_id,
                    addresses=[f"2001:db8::1:{number:x}"],
                )
            )
        made.append(
            router(
                name=f"vip.bench.v{number}",
                display_name=f"bench/v{number}",
                advertisement_interval_milliseconds=interval,
                instances=instances,
            )
        )
    return made


def creating(count: int, *, dual: bool) -> Callable[[Scene], Callable[[], None]]:
    """Return the case of routers that are created at once."""

    def case(scene: Scene) -> Callable[[], None]:
        def disturb() -> None:
            scene.others = others(count, dual=dual)
            scene.desire()
            time.sleep(5.0)  # they settle

        return disturb

    return case


def pods(scene: Scene) -> Callable[[], None]:
    """Twenty veths come within 0.4 s beside 190 routers and 250 veths."""
    scene.others = others(190)
    scene.desire()
    for host in (scene.lan["n1"], scene.lan["n2"]):
        _batch(host, [f"link add p{n} type veth peer name q{n}" for n in range(125)])

    def disturb() -> None:
        for number in range(10):
            for host in (scene.lan["n1"], scene.lan["n2"]):
                _batch(host, [f"link add r{number} type veth peer name s{number}"])
            time.sleep(0.02)  # the pace

    return disturb


def flooding(virtual_router_id: int, *rest: str) -> Callable[[Scene], Callable[[], None]]:
    """Return the case of a flood from a third host."""

    def case(scene: Scene) -> Callable[[], None]:
        def disturb() -> None:
            host = scene.lan["n3"]
            words = [
                *("eth0", host.ipv4, str(virtual_router_id), "1"),
                *(str(RATE), str(FLOOD_SECONDS), *rest),
            ]
            host.start("flood", [sys.executable, flood.__file__, *words]).wait(FLOOD_SECONDS + 10)

        return disturb

    return case


def teardown(scene: Scene) -> Callable[[], None]:
    """A network namespace with 300 veths goes; their peers are in the hosts."""
    name = f"{scene.lan['n1'].namespace}-pods"
    subprocess.run(["ip", "netns", "add", name], check=True)
    for at, host in enumerate((scene.lan["n1"], scene.lan["n2"])):
        words = [f"link add t{n} type veth peer name u{at}{n} netns {name}" for n in range(150)]
        _batch(host, words)

    def disturb() -> None:
        subprocess.run(["ip", "netns", "delete", name], check=True)
        time.sleep(3.0)  # the kernel takes them away by and by

    return disturb


def churn(scene: Scene) -> Callable[[], None]:
    """Twenty veth pairs a second come and go beside 40 routers at 100 ms."""
    scene.others = others(40, interval=100)
    scene.desire()

    def disturb() -> None:
        end = time.monotonic() + CHURN_SECONDS
        while time.monotonic() < end:
            for host in (scene.lan["n1"], scene.lan["n2"]):
                _batch(host, ["link add c0 type veth peer name c1", "link delete c0"])
            time.sleep(0.05)  # the pace

    return disturb


def _batch(host: Host, commands: list[str]) -> None:
    words = ["ip", "-n", host.namespace, "-batch", "-"]
    subprocess.run(words, input="\n".join(commands), text=True, check=True)


CASES: dict[str, Callable[[Scene], Callable[[], None]]] = {
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
