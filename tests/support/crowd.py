"""What crowds a node: many virtual routers, and the network interfaces of many containers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Sequence

from support.bare_engine import BareEngine, router
from vip_lab.host import Host
from vip_lab.wait import until
from vip_model.vocabulary import Family
from vip_speaker.messages import DesiredInstance, DesiredRouter

_PAUSE_SECONDS = 0.05
_POD_PAUSE_SECONDS = 0.02


def others(
    count: int, *, first: int = 1, dual: bool = False, interval: int = 1000
) -> list[DesiredRouter]:
    """Return so many routers, with VRIDs from `first` on, for hosts that `widen` has prepared."""
    made = []
    for virtual_router_id in range(first, first + count):
        instances = [
            DesiredInstance(
                family=Family.IPV4,
                virtual_router_id=virtual_router_id,
                addresses=[f"10.99.1.{virtual_router_id}"],
            )
        ]
        if dual:
            instances.append(
                DesiredInstance(
                    family=Family.IPV6,
                    virtual_router_id=virtual_router_id,
                    addresses=[f"2001:db8::1:{virtual_router_id:x}"],
                )
            )
        made.append(
            router(
                name=f"vip.crowd.v{virtual_router_id}",
                display_name=f"crowd/v{virtual_router_id}",
                advertisement_interval_milliseconds=interval,
                instances=instances,
            )
        )
    return made


def widen(host: Host) -> None:
    """Give a host a subnet that has room for the addresses of `others`."""
    host.ip("address", "add", f"10.99.0.{int(host.mac[-2:], 16)}/16", "dev", "eth0")


def await_served(engines: Sequence[BareEngine], count: int, seconds: float = 20.0) -> None:
    """Wait until so many routers are each Active on one engine and Backup on the others."""

    def states() -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for engine in engines:
            for one in engine.routers():
                found.setdefault((one["name"], one["family"]), []).append(one["state"])
        return found

    def are_served() -> bool:
        found = states()
        wanted = ["Active"] + (len(engines) - 1) * ["Backup"]
        return len(found) == count and all(sorted(one) == wanted for one in found.values())

    until(f"{count} routers to be served", are_served, seconds, every=0.2, show=states)


def add_veths(host: Host, prefix: str, pairs: int) -> None:
    """Make so many pairs of veth interfaces at once."""
    batch(host, [f"link add {prefix}{n} type veth peer name {prefix}p{n}" for n in range(pairs)])


def start_pods(hosts: Iterable[Host], prefix: str, pairs: int) -> float:
    """Make pairs of veth interfaces on each host, one after the other, as a kubelet does.

    Returns how many seconds that took.
    """
    hosts, began = list(hosts), time.monotonic()
    for number in range(pairs):
        for host in hosts:
            batch(host, [f"link add {prefix}{number} type veth peer name {prefix}p{number}"])
        time.sleep(_POD_PAUSE_SECONDS)
    return time.monotonic() - began


def make_namespace(name: str, hosts: Iterable[Host], links: int) -> None:
    """Make a network namespace with so many veth interfaces, their peers spread over the hosts."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    hosts = list(hosts)
    for at, host in enumerate(hosts):
        numbers = range(at, links, len(hosts))
        batch(host, [f"link add t{n} type veth peer name u{n} netns {name}" for n in numbers])


def delete_namespace(name: str, hosts: Sequence[Host]) -> None:
    """Delete a namespace that `make_namespace` made, and wait until the kernel is done with it."""
    subprocess.run(["ip", "netns", "delete", name], check=True)
    until(
        f"the interfaces of {name} to be gone",
        lambda: not any(_has_links(host, "t") for host in hosts),
        30,
        every=0.2,
    )


def churn(hosts: Iterable[Host], seconds: float) -> float:
    """Make and delete twenty pairs of veth interfaces a second on each host.

    Returns how many pairs a second it were.
    """
    hosts, began, count = list(hosts), time.monotonic(), 0
    while time.monotonic() < began + seconds:
        for host in hosts:
            batch(host, ["link add c0 type veth peer name c1", "link delete c0"])
        count += 1
        time.sleep(max(0.0, began + count * _PAUSE_SECONDS - time.monotonic()))
    return count / (time.monotonic() - began)


def batch(host: Host, commands: Iterable[str]) -> None:
    """Run many `ip` commands on a host at once."""
    words = ["ip", "-n", host.namespace, "-batch", "-"]
    subprocess.run(words, input="\n".join(commands), text=True, check=True)


def _has_links(host: Host, prefix: str) -> bool:
    return any(line.startswith(prefix) for line in host.ip("-brief", "link").splitlines())
