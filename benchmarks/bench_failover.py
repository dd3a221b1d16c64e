"""How long an address is away when it moves: keepalived and vip-operator, in turn, on one LAN.

    python benchmarks/bench_failover.py [--rounds N]

Three hosts, VRRPv3 with 1 s adverts and the same priorities; a client sends 1000 ICMP probes a
second. Each round hurts the holder in one way and reads the longest gap and the lost probes; both
programs take turns, so that a slow minute of the machine hits both.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from vip_lab.client import Probing
from vip_lab.fleet import Fleet
from vip_lab.keepalived import Keepalived, KeepalivedInstance, version, why_no_keepalived
from vip_lab.lan import Lan, ending_on_sigterm
from vip_lab.record import ProbeResult
from vip_lab.wait import until

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.network_manifests import NODES, ROUTER, VIP, manifest, virtual_ip

CLIENT = "client"
PRIORITIES = (254, 251, 248)
RATE = 1000
SETTLED_SECONDS = 15.0
WATCH_SECONDS = 6.0


class Contender(Protocol):
    """One program on three hosts."""

    name: str
    lan: Lan

    def start(self) -> None:
        """Start it everywhere and wait until one host holds the address."""

    def end(self) -> None:
        """Leave nothing of it behind."""

    def stop(self, host: str) -> None:
        """Stop it on one host in an orderly way."""

    def kill_engine(self, host: str) -> None:
        """SIGKILL the process that speaks VRRP."""

    def kill_all(self, host: str) -> None:
        """SIGKILL everything of it on one host."""


class VipOperator:
    """Our own speaker."""

    name = "vip-operator"

    def __init__(self, lan: Lan) -> None:
        self.lan = lan
        self._fleet = Fleet(lan, NODES, manifest(virtual_ip()), ["--http", "none"])

    def start(self) -> None:
        """Start it everywhere and wait until one host holds the address."""
        self._fleet.start()
        self._fleet.await_settled(ROUTER, SETTLED_SECONDS)

    def end(self) -> None:
        """Leave nothing of it behind."""
        self._fleet.end()
        _flush(self.lan)

    def stop(self, host: str) -> None:
        """Stop it on one host in an orderly way."""
        self._fleet[host].stop()

    def kill_engine(self, host: str) -> None:
        """SIGKILL the process that speaks VRRP."""
        self._fleet[host].kill_role("engine")

    def kill_all(self, host: str) -> None:
        """SIGKILL everything of it on one host."""
        self._fleet[host].kill()


class DebianKeepalived:
    """Debian's keepalived with the same interval and priorities."""

    name = "keepalived"

    def __init__(self, lan: Lan) -> None:
        self.lan = lan
        self._peers: dict[str, Keepalived] = {}

    def start(self) -> None:
        """Start it everywhere and wait until one host holds the address."""
        for host, priority in zip(NODES, PRIORITIES, strict=True):
            instance = KeepalivedInstance(51, priority, 1000, [VIP], preempt=False)
            self._peers[host] = Keepalived(self.lan[host], instance)
            self._peers[host].start()
        until("one holder", lambda: len(self.lan.holders(VIP)) == 1, SETTLED_SECONDS)

    def end(self) -> None:
        """Leave nothing of it behind."""
        for peer in self._peers.values():
            peer.kill()
        _flush(self.lan)

    def stop(self, host: str) -> None:
        """Stop it on one host in an orderly way."""
        self._peers[host].stop()

    def kill_engine(self, host: str) -> None:
        """SIGKILL the process that speaks VRRP: keepalived's child."""
        pid = int((self.lan[host].directory / "keepalived-vrrp.pid").read_text())
        os.kill(pid, signal.SIGKILL)

    def kill_all(self, host: str) -> None:
        """SIGKILL everything of it on one host."""
        self._peers[host].kill()


Harm = Callable[[Contender, str], None]
HARMS: dict[str, Harm] = {
    "link of the Active cut": lambda one, host: one.lan.cut(host),
    "clean stop of the Active": lambda one, host: one.stop(host),
    "its VRRP process SIGKILLed": lambda one, host: one.kill_engine(host),
    "all its processes SIGKILLed": lambda one, host: one.kill_all(host),
}


def _flush(lan: Lan) -> None:
    """Remove what a killed program left in the kernels."""
    for host in lan.holders(VIP):
        lan[host].ip("address", "del", f"{VIP}/32", "dev", "eth0")


def measure(make: Callable[[Lan], Contender], harm: Harm) -> tuple[ProbeResult, int]:
    """Return what the client saw, and how many hosts held the address in the end."""
    with Lan([*NODES, CLIENT]) as lan:
        contender = make(lan)
        contender.start()
        try:
            (holder,) = lan.holders(VIP)
            with Probing(lan[CLIENT], [f"icmp:{VIP}"], RATE) as probing:
                time.sleep(1.0)  # a baseline of probes, not a wait
                harm(contender, holder)
                time.sleep(WATCH_SECONDS)  # the observed time itself
            return probing.result, len(lan.holders(VIP))
        finally:
            contender.end()


def main() -> int:
    """Print one row per harm."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds per harm and program")
    rounds = parser.parse_args().rounds
    if os.geteuid() != 0:
        print("bench_failover: needs root for network namespaces")
        return 0
    if (reason := why_no_keepalived()) is not None:
        print(f"bench_failover: {reason}")
        return 0
    print(f"{version()}; 1 s adverts, priorities {PRIORITIES}, medians of {rounds}")
    print(f"{'harm':30} {'program':14} {'gap ms':>8} {'lost':>6} {'holders':>8}  ratio of gaps")
    with ending_on_sigterm():
        for words, harm in HARMS.items():
            _row(words, harm, rounds)
    return 0


def _row(words: str, harm: Harm, rounds: int) -> None:
    seen: dict[str, list[tuple[ProbeResult, int]]] = {"keepalived": [], "vip-operator": []}
    for _ in range(rounds):
        seen["keepalived"].append(measure(DebianKeepalived, harm))
        seen["vip-operator"].append(measure(VipOperator, harm))
    gaps = {
        name: statistics.median(one.longest_gap_ms for one, _ in results)
        for name, results in seen.items()
    }
    for name, results in seen.items():
        lost = statistics.median(one.lost for one, _ in results)
        holders = max(count for _, count in results)
        ratio = f"{gaps[name] / max(gaps['keepalived'], 0.001):.3f}"
        print(f"{words:30} {name:14} {gaps[name]:8.1f} {lost:6.0f} {holders:8}  {ratio}")


if __name__ == "__main__":
    sys.exit(main())
