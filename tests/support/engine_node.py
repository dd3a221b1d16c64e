"""A node as an engine sees it: eth0 with addresses of its own, and a router for it."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface
from typing import cast

from vip_model.vocabulary import Family
from vip_speaker.linux.rtnetlink import InterfaceAddress, Link
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredInstance, DesiredRouter

MAC = bytes.fromhex("020000000011")


def link(
    index: int,
    name: str,
    *,
    up: bool = True,
    carrier: bool = True,
    loopback: bool = False,
    kind: str = "",
    master: int = 0,
) -> Link:
    """Return an interface."""
    return Link(index, name, MAC, up, carrier, loopback, kind, master, mtu=1500)


def address(
    index: int, text: str, *, protocol: int | None = None, flags: int = 0
) -> InterfaceAddress:
    """Return an address as the kernel lists it."""
    interface = ip_interface(text)
    return InterfaceAddress(
        index=index,
        family=interface.version,
        address=interface.ip,
        prefix_length=interface.network.prefixlen,
        protocol=protocol,
        label="",
        flags=flags,
        scope=253 if interface.ip.is_link_local else 0,
        valid_seconds=None,
    )


NODE = (
    address(2, "192.0.2.11/24"),
    address(2, "2001:db8::11/64"),
    address(2, "fe80::11/64"),
)


def view(*links: Link, addresses: tuple[InterfaceAddress, ...] = NODE) -> NetworkView:
    """Return a node with eth0 and its addresses, or with these links."""
    return NetworkView(links or (link(2, "eth0"),), addresses)


def router(*addresses: str, **fields: object) -> DesiredRouter:
    """Return a router with one instance per family of the addresses.

    `sources`: whose adverts each instance obeys; `interfaces`: their patterns.
    """
    interfaces = cast("list[str]", fields.pop("interfaces", []))
    sources = cast("list[str] | None", fields.pop("sources", None))
    families: dict[Family, list[str]] = {}
    for text in addresses:
        family = Family.IPV4 if ip_address(text).version == 4 else Family.IPV6
        families.setdefault(family, []).append(text)
    instances = [
        DesiredInstance(
            family=family,
            virtual_router_id=51,
            addresses=listed,
            sources=sources,
            interfaces=interfaces,
        )
        for family, listed in families.items()
    ]
    values: dict[str, object] = {
        "name": "vip.default.web",
        "display_name": "default/web",
        "priority": 254,
        "instances": instances,
    }
    return DesiredRouter(**{**values, **fields})  # type: ignore[arg-type]
