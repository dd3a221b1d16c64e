"""The wire of the tests of Linux: ready means that everything on it can be used."""

from __future__ import annotations

from support.linux_lan import lan, until


def test_a_tentative_address_is_not_ready() -> None:
    """As long as the kernel asks whether anybody else has an address, a host is not ready."""
    with lan() as wire:
        for path, value in (("accept_dad", "1"), ("dad_transmits", "100")):
            wire.node.sysctl(f"ipv6/conf/eth0/{path}", value)
        wire.node.ip("address", "add", "fe80::99/64", "dev", "eth0")
        assert not wire.node.is_ready()
        wire.node.ip("address", "delete", "fe80::99/64", "dev", "eth0")
        until(wire.node.is_ready)
