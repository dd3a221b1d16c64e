"""What `vip-speaker check` finds out by looking at the host that it runs on.

The engine judges in the same way what it receives: what is refused here waits in Initialize there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from vip_model.schema.hosts import meant_by
from vip_model.vocabulary import Family
from vip_speaker.engine.compile import Placed
from vip_speaker.engine.placement import Placement, place
from vip_speaker.linux.netlink import NetlinkSocket
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredRouter

_HEADERS = ("NAME", "FAMILY", "INTERFACE", "ADVERTS FROM")
_SETTINGS = Path("/proc/sys/net")

# Reads a setting of the kernel by its path below /proc/sys/net, "" if there is none.
Setting = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class HostFindings:
    """What there is to say of a plan on this host.

    Attributes:
        rows: where each instance would run, below a line of headings.
        problems: what would not work here, one sentence each.
        warnings: what works and should be known.
    """

    rows: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def is_this_host(node: str) -> bool:
    """Return whether a node's name means this host, with its domain or without."""
    return bool(meant_by(node, [socket.gethostname()]))


def look() -> NetworkView:
    """Return the links and addresses of this host. Raises OSError."""
    with NetlinkSocket() as kernel:
        return NetworkView(kernel.dump_links(), kernel.dump_addresses())


def read_setting(path: str) -> str:
    """Return a setting of the kernel: `ipv6/conf/eth0/disable_ipv6`."""
    try:
        return (_SETTINGS / path).read_text().strip()
    except OSError:
        return ""


def judge(routers: Iterable[DesiredRouter], view: NetworkView, setting: Setting) -> HostFindings:
    """Return what would not work here."""
    rows: list[tuple[str, ...]] = []
    problems: list[str] = []
    warnings: list[str] = []
    for router in routers:
        placement = place(router, view)
        rows += [_row(placement, at) for at in range(len(placement.instances))]
        problems += _problems(placement, view, setting)
        warnings += _warnings(placement, view, setting)
    return HostFindings(
        rows=(_HEADERS, *rows) if rows else (),
        problems=tuple(problems),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _row(placement: Placement, at: int) -> tuple[str, ...]:
    router, one = placement.router, placement.instances[at]
    interface, source = (
        (one.interface, str(one.source)) if isinstance(one, Placed) else ("nowhere", "-")
    )
    return router.display_name, router.instances[at].family.value, interface, source


def _problems(placement: Placement, view: NetworkView, setting: Setting) -> Iterable[str]:
    router = placement.router
    for at, why in placement.missing.items():
        family = router.instances[at].family
        more = _switched_off(view, setting) if family is Family.IPV6 else ""
        yield f"{router.display_name} ({family.value}) cannot run on this host: {why}{more}"
    for gate in router.gates:
        if gate.interface is None:
            continue
        carrier = view.carriers.get(gate.interface)
        if not carrier:
            what = "does not exist" if carrier is None else "has no carrier"
            yield f"{router.display_name}: gate {gate.name} fails, {gate.interface} {what}"


def _switched_off(view: NetworkView, setting: Setting) -> str:
    """Return where IPv6 is off, to be added to a sentence."""
    names = [
        link.name
        for link in view.links
        if not link.loopback and setting(f"ipv6/conf/{link.name}/disable_ipv6") == "1"
    ]
    if not names:
        return ""
    return f" (IPv6 is switched off on {', '.join(names)}: net.ipv6.conf.{names[0]}.disable_ipv6=1)"


def _warnings(placement: Placement, view: NetworkView, setting: Setting) -> Iterable[str]:
    for placed in placement.placed.values():
        names = [link.name for link in view.links if link.index in placed.beside]
        if len(names) < 2:
            continue
        several = f"{' and '.join(names)} are in the network of {placed.wanted[0]}"
        yield (
            f"{several}: {placed.interface} is used, and another one when it loses carrier; "
            "their switches must be joined, or there are two holders"
        )
        path = "ipv4" if placed.family is Family.IPV4 else "ipv6"
        name = "ignore_routes_with_linkdown"
        if all(setting(f"{path}/conf/{each}/{name}") != "1" for each in ("all", *names)):
            yield (
                f"{several}: without net.{path}.conf.all.{name}=1 this host "
                "goes on sending through an interface that has lost carrier"
            )
