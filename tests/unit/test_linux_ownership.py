"""Our addresses are told from everybody else's, on new kernels and on old ones."""

from __future__ import annotations

from ipaddress import ip_interface

import pytest

from vip_speaker.linux.ownership import is_ours, kernel_keeps_protocol, label_for
from vip_speaker.linux.rtnetlink import InterfaceAddress

NODAD, DEPRECATED, NOPREFIXROUTE = 0x02, 0x20, 0x200


def address(
    text: str,
    *,
    protocol: int | None = None,
    label: str = "eth0",
    flags: int = 0,
    valid_seconds: int | None = 3,
) -> InterfaceAddress:
    """Return an address with what tells ours from others."""
    ip = ip_interface(text)
    prefix = ip.network.prefixlen
    return InterfaceAddress(2, ip.version, ip.ip, prefix, protocol, label, flags, 0, valid_seconds)


@pytest.mark.parametrize(
    ("release", "keeps"),
    [
        ("4.19.0-27-amd64", False),
        ("5.4.0", False),
        ("5.17.99-generic", False),
        ("5.18.0", True),
        ("6.1.0-25-cloud-amd64", True),
        ("10.0", True),
        ("unheard of", False),
    ],
)
def test_kernel_releases(release: str, keeps: bool) -> None:
    """IFA_PROTO is stored from Linux 5.18 on; a release that cannot be read counts as older."""
    assert kernel_keeps_protocol(release) is keeps


@pytest.mark.parametrize(
    ("one", "ours"),
    [
        (address("192.0.2.100/32", protocol=112), True),
        (address("2001:db8::100/128", protocol=112), True),
        (address("192.0.2.100/32"), False),
        (address("192.0.2.100/32", protocol=18), False),
        (address("192.0.2.11/24", protocol=112), False),
        (address("192.0.2.100/32", label="eth0:vip112"), False),
        (address("2001:db8::100/128", flags=NODAD | DEPRECATED | NOPREFIXROUTE), False),
    ],
)
def test_by_protocol(one: InterfaceAddress, ours: bool) -> None:
    """Where the kernel stores IFA_PROTO, it alone marks what is ours, and only host addresses."""
    assert is_ours(one, keeps_protocol=True) is ours


@pytest.mark.parametrize(
    ("one", "ours"),
    [
        (address("192.0.2.100/32", label="eth0:vip112"), True),
        (address("192.0.2.100/32", label="eth0:vip112", valid_seconds=None), False),
        (address("192.0.2.100/24", label="eth0:vip112"), False),
        (address("192.0.2.100/32", label="eth0:1"), False),
        (address("2001:db8::100/128", flags=NODAD | DEPRECATED | NOPREFIXROUTE), True),
        (address("2001:db8::100/128", flags=NODAD | DEPRECATED), False),
        (
            address(
                "2001:db8::100/128", flags=NODAD | DEPRECATED | NOPREFIXROUTE, valid_seconds=None
            ),
            False,
        ),
    ],
)
def test_on_old_kernels(one: InterfaceAddress, ours: bool) -> None:
    """Before 5.18 a label, or IPv6 flags with a finite life, mark what is ours."""
    assert is_ours(one, keeps_protocol=False) is ours


@pytest.mark.parametrize("interface", ["eth0", "enp0s31f6", "a-name-of-15-by"])
def test_labels_fit(interface: str) -> None:
    """A label never exceeds the 15 bytes of the kernel and is recognised as ours."""
    label = label_for(interface)

    assert len(label) <= 15
    assert is_ours(address("192.0.2.100/32", label=label), keeps_protocol=False)
