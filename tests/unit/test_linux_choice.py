"""Which interface of a node carries an address: by subnet or by name, with carrier, no port."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from support.engine_node import address, link
from vip_speaker.linux.choice import candidates, choose
from vip_speaker.linux.rtnetlink import IFA_F_DADFAILED, IFA_F_TENTATIVE, Link
from vip_speaker.linux.view import NetworkView

VIP = "192.0.2.100"
LO, ETH0, ETH1, BR0, BOND0 = 1, 2, 3, 4, 5
LINKS = (link(LO, "lo", loopback=True), link(ETH0, "eth0"), link(ETH1, "eth1"))
APART = (
    address(ETH0, "192.0.2.11/24"),
    address(ETH0, "2001:db8::11/64"),
    address(ETH0, "fe80::11/64"),
    address(ETH1, "10.0.0.1/8"),
    address(ETH1, "10.1.0.1/16"),
)
TWO_CARDS = (address(ETH0, "192.0.2.11/24"), address(ETH1, "192.0.2.21/24"))


def found(
    patterns: Sequence[str], *addresses: str, view: NetworkView | None = None
) -> list[str] | str:
    """Return the names of the candidates, or the reason why there are none."""
    view = view or NetworkView(LINKS, APART)
    seen = candidates(view, patterns, [ip_address(one) for one in addresses])
    return seen if isinstance(seen, str) else [one.link.name for one in seen]


def used(
    *links: Link,
    patterns: Sequence[str] = (),
    addresses: Sequence[object] = TWO_CARDS,
    version: int = 4,
    current: int | None = None,
) -> str:
    """Return the name of the interface that is used, or the reason why none is."""
    view = NetworkView(links, addresses)  # type: ignore[arg-type]
    seen = candidates(view, patterns, [ip_address(VIP)])
    chosen = (
        seen
        if isinstance(seen, str)
        else choose(view, seen, version, () if current is None else (current,))
    )
    return chosen if isinstance(chosen, str) else chosen.link.name


# --- which come into question ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["eth1"], ["eth1"]),
        (["eth9", "eth1", "eth0"], ["eth0"]),
        (["ens*", "eth[1-9]"], ["eth1"]),
        (["eth*"], ["eth0"]),
        (["ETH0", "eth1"], ["eth1"]),
    ],
)
def test_by_pattern(patterns: list[str], names: list[str]) -> None:
    """Of those that match, the ones whose subnet holds the address, if there are any."""
    assert found(patterns, VIP) == names


def test_several_that_match() -> None:
    """The order is that of the patterns, within one the narrowest subnet, then the index."""
    both = NetworkView(LINKS, TWO_CARDS)
    assert found(["eth1", "eth0"], VIP, view=both) == ["eth1", "eth0"]
    assert found(["eth*"], VIP, view=both) == ["eth0", "eth1"]
    assert found(["eth*", "eth0"], VIP, view=both) == ["eth0", "eth1"]
    assert found(["eth*"], "10.1.2.3") == ["eth1"]
    assert found(["eth*"], "203.0.113.1") == ["eth0", "eth1"]


def test_loopback_only_by_name() -> None:
    """A glob never means loopback, its name does."""
    assert found(["*"], "203.0.113.1") == ["eth0", "eth1"]
    assert found(["lo"], "203.0.113.1") == ["lo"]


def test_by_subnet() -> None:
    """Without patterns every interface in the subnet of the first address."""
    assert found([], VIP, "10.1.2.3") == ["eth0"]
    assert found([], "10.1.2.3") == ["eth1"]
    assert found([], "2001:db8::100") == ["eth0"]
    assert found([], VIP, view=NetworkView(LINKS, TWO_CARDS)) == ["eth0", "eth1"]


def test_a_link_local_address_tells_no_subnet() -> None:
    """It fits every link, so the next address tells the interface."""
    assert found([], "fe80::100", "2001:db8::100") == ["eth0"]


def test_a_wider_subnet_elsewhere_is_another_network() -> None:
    """It is no way out when the interface in the narrower one fails."""
    view = NetworkView(LINKS, (address(ETH0, "10.0.0.1/8"), address(ETH1, "10.1.0.1/16")))
    assert found([], "10.1.2.3", view=view) == ["eth1"]


@pytest.mark.parametrize(
    ("patterns", "wanted", "words"),
    [
        (["eth9", "ens*"], VIP, ["eth9 or ens*", "lo, eth0, eth1"]),
        ([], "203.0.113.1", ["203.0.113.1", "eth0 (192.0.2.11/24", "vrrp.interfaces"]),
        ([], "fe80::100", ["link-local", "vrrp.interfaces"]),
    ],
)
def test_no_interface(patterns: list[str], wanted: str, words: list[str]) -> None:
    """The reason says what was sought and what the node has."""
    reason = found(patterns, wanted)
    assert all(word in reason for word in words), reason


def test_no_interface_without_addresses() -> None:
    """A node without any address says so."""
    assert "no address at all" in found([], VIP, view=NetworkView(LINKS, ()))


# --- which of them is used ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [link(ETH0, "eth0", carrier=False), link(ETH0, "eth0", up=False, carrier=False)],
    ids=["no carrier", "down"],
)
@pytest.mark.parametrize("patterns", [[], ["eth0", "eth1"], ["eth*"]])
def test_the_first_that_has_carrier(broken: Link, patterns: list[str]) -> None:
    """Another interface takes over from one that is dead, and does not hand back by itself."""
    second = link(ETH1, "eth1")
    assert used(link(ETH0, "eth0"), second, patterns=patterns) == "eth0"
    assert used(broken, second, patterns=patterns, current=ETH0) == "eth1"
    assert used(link(ETH0, "eth0"), second, patterns=patterns, current=ETH1) == "eth1"
    dead = link(ETH1, "eth1", carrier=False)
    assert used(link(ETH0, "eth0"), dead, patterns=patterns, current=ETH1) == "eth0"


def test_every_dead_interface_is_named() -> None:
    """The reason says of each why it cannot be used."""
    reason = used(link(ETH0, "eth0", carrier=False), link(ETH1, "eth1", up=False))
    assert reason == "eth0 has no carrier; eth1 is down"


def test_one_without_a_source_is_passed_over() -> None:
    """A card whose lease has run out cannot send adverts, another one can."""
    only_second = (address(ETH1, "192.0.2.21/24"),)
    both = (link(ETH0, "eth0"), link(ETH1, "eth1"))
    assert used(*both, patterns=["eth0", "eth1"], addresses=only_second) == "eth1"
    assert "no IPv4 address" in used(*both, patterns=["eth*"], addresses=())


@pytest.mark.parametrize(
    ("flags", "name"), [(0, "eth0"), (IFA_F_TENTATIVE, "eth0"), (IFA_F_DADFAILED, "eth1")]
)
def test_a_tentative_source_is_waited_for(flags: int, name: str) -> None:
    """A card that has just come up is not passed over for the moment that the kernel needs."""
    sources = (address(ETH0, "fe80::11/64", flags=flags), address(ETH1, "fe80::12/64"))
    both = (link(ETH0, "eth0"), link(ETH1, "eth1"))
    assert used(*both, patterns=["eth*"], addresses=sources, version=6) == name


# --- ports ---------------------------------------------------------------------------------------

PORT = link(ETH0, "eth0", master=BR0)
BRIDGE = link(BR0, "br0", kind="bridge")
ON_BRIDGE = (address(BR0, "192.0.2.11/24"),)


@pytest.mark.parametrize("kind", ["bridge", "bond", "team", "openvswitch"])
@pytest.mark.parametrize("patterns", [[], ["eth0"]])
def test_a_port_is_never_used(kind: str, patterns: list[str]) -> None:
    """What it hears is its master's: the reason says so while the address is on the port."""
    master = link(BR0, "br0", kind=kind)
    reason = used(PORT, master, patterns=patterns, addresses=(address(ETH0, "192.0.2.11/24"),))
    assert reason.startswith("eth0 is a port of br0"), reason


@pytest.mark.parametrize("patterns", [[], ["eth0"], ["br0"], ["eth*", "br*"]])
def test_its_master_is_used(patterns: list[str]) -> None:
    """A file that names the card means what it is now a part of."""
    assert used(PORT, BRIDGE, patterns=patterns, addresses=ON_BRIDGE) == "br0"


def test_a_bond_in_a_bridge() -> None:
    """The one at the top is used."""
    card, bond = link(ETH0, "eth0", master=BOND0), link(BOND0, "bond0", kind="bond", master=BR0)
    assert used(card, bond, BRIDGE, patterns=["eth0"], addresses=ON_BRIDGE) == "br0"


def test_a_card_of_a_vrf_is_used_itself() -> None:
    """A VRF is a master too, but its interfaces keep what they hear."""
    vrf = link(BR0, "red", kind="vrf")
    assert used(PORT, vrf, addresses=(address(ETH0, "192.0.2.11/24"),)) == "eth0"
