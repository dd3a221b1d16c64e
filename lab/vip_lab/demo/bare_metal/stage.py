"""The stage of the demo without Kubernetes: three hosts on a LAN, and what to expect of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from vip_lab.demo.act import ALLOWANCE_MS, Bound
from vip_lab.fleet import Fleet
from vip_lab.lan import Lan
from vip_lab.web import WebServer

ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = ROOT / "examples" / "bare-metal" / "vip.yaml"
HOSTS = ("n1", "n2", "n3")

_SETTLED_SECONDS = 15.0


@dataclass(frozen=True)
class Example:
    """What the demo must know of vip.yaml to say what to expect."""

    text: str
    address: str
    interval_ms: int
    period_ms: int
    timeout_ms: int
    failure_threshold: int

    @classmethod
    def read(cls) -> Example:
        """Read it from the example that the hosts run with."""
        text = EXAMPLE.read_text()
        spec = yaml.safe_load(text)["spec"]
        (gate,) = spec["gates"]
        return cls(
            text=text,
            address=spec["addresses"][0],
            interval_ms=spec["vrrp"]["advertisementIntervalMilliseconds"],
            period_ms=gate["periodMilliseconds"],
            timeout_ms=gate["timeoutMilliseconds"],
            failure_threshold=gate["failureThreshold"],
        )

    def with_address(self, address: str) -> str:
        """Return the same file with one more address."""
        return self.text.replace(f"[{self.address}]", f"[{self.address}, {address}]")


class HostsStage:
    """The LAN with everything that runs on it."""

    router = "default/web"

    def __init__(self, lan: Lan, example: Example) -> None:
        self.lan = lan
        self.example = example
        self.client = lan["client"]
        self.web = {name: WebServer(lan[name]) for name in HOSTS}
        self.fleet = Fleet(lan, HOSTS, example.text)

    @property
    def address(self) -> str:
        """The address that moves."""
        return self.example.address

    def holders(self) -> list[str]:
        """Return the hosts that have the address in their kernel."""
        return self.lan.holders(self.address)

    def others(self, name: str) -> list[str]:
        """Return all hosts but this one."""
        return self.fleet.others(name)

    def start(self) -> None:
        """Start the web servers and the speakers, and wait until one host holds the address."""
        for server in self.web.values():
            server.start()
        self.fleet.start()
        self.settled()

    def settled(self) -> str:
        """Return the holder once the hosts agree and all are well."""
        active = self.fleet.await_settled(self.router, _SETTLED_SECONDS)
        return self.fleet.await_holder(self.example.address, [active], 1.0)

    def await_holder(self, among: Sequence[str] | None = None, seconds: float = 5.0) -> str:
        """Return the one host that holds the address, whatever the others do."""
        return self.fleet.await_holder(self.address, among or HOSTS, seconds)

    def await_move(self, before: str, seconds: float = 10.0) -> str:
        """Return the host that has the address after it has left `before`."""
        return self.fleet.await_holder(self.example.address, self.fleet.others(before), seconds)

    def skew_ms(self, before: str) -> float:
        """Return Skew_Time of the host that is next in line, in milliseconds."""
        routers = (self.fleet[name].router(self.router) for name in self.fleet.others(before))
        priorities: list[int] = [router["priority"] for router in routers if router is not None]
        return (256 - max(priorities)) * self.example.interval_ms / 256

    # --- bounds ----------------------------------------------------------------------------------

    def check_bound(self, before: str) -> Bound:
        """How long until a check that fails has moved the address."""
        one = self.example
        skew = self.skew_ms(before)
        checks_ms = one.failure_threshold * one.period_ms
        return Bound(
            checks_ms + one.timeout_ms + skew + ALLOWANCE_MS,
            f"{one.failure_threshold} checks every {one.period_ms} ms, {one.timeout_ms} ms for an "
            f"answer, {skew:.0f} ms Skew_Time of the next host, {ALLOWANCE_MS} ms for a busy "
            "machine",
        )

    def crash_bound(self, before: str) -> Bound:
        """How long until the others notice that adverts stay away."""
        skew = self.skew_ms(before)
        return Bound(
            3 * self.example.interval_ms + skew + ALLOWANCE_MS,
            f"3 adverts that stay away, one every {self.example.interval_ms} ms, {skew:.0f} ms "
            f"Skew_Time of the next host, {ALLOWANCE_MS} ms for a busy machine",
        )
