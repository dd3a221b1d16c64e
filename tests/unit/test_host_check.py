"""`vip-speaker check` on a host says what would not work there, in words that say what to do."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from support.engine_node import NODE, address, link, router, view
from support.network_manifests import virtual_ip
from vip_speaker import cli, host_check
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredGate, DesiredRouter

VIP, VIP6 = "192.0.2.100", "2001:db8::100"


def problems(wanted: DesiredRouter, seen: NetworkView, **settings: str) -> str:
    """Return what is wrong, in one line."""
    return " | ".join(host_check.judge([wanted], seen, _settings(settings)).problems)


def warnings(wanted: DesiredRouter, seen: NetworkView, **settings: str) -> str:
    """Return what should be known, in one line."""
    return " | ".join(host_check.judge([wanted], seen, _settings(settings)).warnings)


def _settings(values: dict[str, str]) -> host_check.Setting:
    return lambda path: values.get(path.replace("/", "_"), "0")


def test_all_is_well() -> None:
    """Nothing is said but where each instance would run."""
    found = host_check.judge([router(VIP, VIP6)], view(), _settings({}))
    assert not found.problems
    assert not found.warnings
    assert found.rows[1:] == (
        ("default/web", "IPv4", "eth0", "192.0.2.11"),
        ("default/web", "IPv6", "eth0", "fe80::11"),
    )


PORT = link(2, "eth0", master=7)
BRIDGE = link(7, "br0", kind="bridge")


@pytest.mark.parametrize(
    ("wanted", "seen", "words"),
    [
        (router("203.0.113.5"), view(), ["203.0.113.5", "eth0 (192.0.2.11/24"]),
        (router(VIP, interfaces=["bond*"]), view(), ["No interface matches bond*"]),
        (router(VIP), view(PORT, BRIDGE), ["eth0 is a port of br0", "192.0.2.11/24"]),
        (router(VIP, interfaces=["eth0"]), view(PORT, BRIDGE), ["eth0 is a port of br0"]),
        (router(VIP), view(link(2, "eth0", carrier=False)), ["eth0 has no carrier"]),
        (router(VIP), view(link(2, "eth0", up=False, carrier=False)), ["eth0 is down"]),
        (
            router(VIP, interfaces=["eth0"]),
            view(addresses=NODE[1:]),
            ["eth0 has no IPv4 address to send adverts from"],
        ),
        (router("192.0.2.11"), view(), ["192.0.2.11 is the node's own address on eth0"]),
        (
            router(VIP, gates=[DesiredGate(name="uplink", interface="eth9")]),
            view(),
            ["gate uplink", "eth9 does not exist"],
        ),
    ],
    ids=[
        "no subnet",
        "no interface",
        "port by subnet",
        "port by name",
        "no carrier",
        "down",
        "no source",
        "own address",
        "gate",
    ],
)
def test_what_would_not_work(wanted: DesiredRouter, seen: NetworkView, words: list[str]) -> None:
    """Each is one sentence that names the VirtualIP and what is wrong on this host."""
    found = problems(wanted, seen)
    assert "default/web" in found
    assert all(word in found for word in words), found


def test_ipv6_that_is_switched_off() -> None:
    """The family is named, the interface, and the setting; IPv4 is not complained of."""
    found = problems(router(VIP, VIP6), view(addresses=NODE[:1]), ipv6_conf_eth0_disable_ipv6="1")
    assert "net.ipv6.conf.eth0.disable_ipv6=1" in found
    assert "(IPv6)" in found
    assert "(IPv4)" not in found


def test_two_interfaces_in_one_network() -> None:
    """It works, if the switches are joined and the host does not send into a dead one."""
    both = view(link(2, "eth0"), link(3, "eth1"), addresses=(*NODE, address(3, "192.0.2.21/24")))
    assert not problems(router(VIP), both)
    found = warnings(router(VIP), both)
    assert "eth0 and eth1" in found
    assert "joined" in found
    assert "net.ipv4.conf.all.ignore_routes_with_linkdown=1" in found
    set_right = warnings(router(VIP), both, ipv4_conf_all_ignore_routes_with_linkdown="1")
    assert "ignore_routes_with_linkdown" not in set_right


def test_when_a_host_is_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the name is this host's, or when asked to; the exit status tells of problems."""
    file = tmp_path / "vip.yaml"
    text = virtual_ip(vrrp={"interfaces": ["nothing9"]}, placement={})
    file.write_text(json.dumps({**text, "spec": {**text["spec"], "placement": {}}}))
    own = socket.gethostname()
    for words, status, said in (
        (["--node", own], 1, "nothing9"),
        (["--node", own, "--offline"], 0, ""),
        (["--node", f"not-{own}"], 0, "not looked at"),
        (["--node", f"not-{own}", "--this-host"], 1, "nothing9"),
    ):
        assert cli.main(["check", str(file), *words]) == status
        printed = capsys.readouterr()
        assert said in printed.out + printed.err


@pytest.mark.parametrize(
    ("node", "here"),
    [
        ("n1.example.test", True),
        ("N1.Example.Test.", True),
        ("n1", True),
        ("n1.other.test", False),
        ("n2.example.test", False),
    ],
)
def test_which_names_mean_this_host(node: str, here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that the plan takes for the same; two domains are two hosts."""
    monkeypatch.setattr(socket, "gethostname", lambda: "n1.example.test")
    assert host_check.is_this_host(node) is here
