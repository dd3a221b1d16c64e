"""Whether the values of a VirtualIP make sense by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from support.resources import vip
from support.validated import gate
from vip_model.schema import validation


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"addresses": ["192.0.2.1", "2001:db8::1", "fe80::1"]},
        {"addresses": ["fe80::1"], "vrrp": {"interfaces": ["eth0"]}},
        {"gates": [gate(), gate("other", failurePolicy={"action": "Withdraw"})]},
        *(
            {"gates": [gate(httpGet={"port": 80, "host": host})]}
            for host in (
                "localhost",
                "Web-1.shop_a.example.",
                "xn--mnchen-3ya.example",
                "192.0.2.7",
                "::1",
                "2001:DB8::7",
                "::ffff:192.0.2.7",
                "fe80::1%eth0.5",
                "db8",
                "a" * 63,
            )
        ),
        {"vrrp": {"virtualRouterID": 1}},
        {"vrrp": {"virtualRouterID": 255}},
        {"vrrp": {"advertisementIntervalMilliseconds": 10}},
        {"vrrp": {"advertisementIntervalMilliseconds": 40950}},
        {"vrrp": {"preemption": {"mode": "Delayed", "delaySeconds": 300}}},
        {"vrrp": {"startDelaySeconds": 0}},
        {"gates": [gate(failurePolicy={"cost": 1}), gate("b", failurePolicy={"cost": 100})]},
        {"vrrp": {"additionalPeers": ["192.0.2.5"]}, "gates": [gate(failurePolicy={"by": 20})]},
        {"addresses": ["2001:db8::1"], "vrrp": {"additionalPeers": ["fe80::5"]}},
        {"placement": {"preferredNodes": ["n1", "n2.example"]}},
        {"placement": {"priorities": [{"node": "n1", "priority": 255}]}},
        {
            "placement": {"priorities": [{"node": "n1", "priority": 90}]},
            "vrrp": {"additionalPeers": ["192.0.2.5"]},
        },
    ],
)
def test_what_makes_sense_is_accepted(spec: dict[str, Any]) -> None:
    """Values at their limits and every sensible combination pass."""
    assert validation.findings(vip(**spec)) == []


@pytest.mark.parametrize(
    ("spec", "field", "part"),
    [
        ({"addresses": []}, "spec.addresses", "there is no address"),
        ({"addresses": ["192.0.2.1/24"]}, "spec.addresses[0]", "write 192.0.2.1"),
        ({"addresses": ["192.0.2.1", "224.0.0.1"]}, "spec.addresses[1]", "multicast"),
        (
            {"addresses": ["2001:db8::1", "2001:DB8:0::1"]},
            "spec.addresses[1]",
            "is the same address as addresses[0]: remove one",
        ),
        ({"addresses": ["fe80::1"]}, "spec.addresses", "name the interface in vrrp.interfaces"),
        ({"addresses": [f"10.0.{n}.1" for n in range(256)]}, "spec.addresses", "at most 255"),
        ({"addressClaim": {"poolRef": {"name": "lan"}}}, "spec.addressClaim", "remove one"),
        ({"group": "A_b"}, "spec.group", "lower-case letters"),
        ({"gates": [{"name": "web"}]}, "spec.gates[0]", "give it one of httpGet, tcpSocket"),
        (
            {"gates": [gate(tcpSocket={"port": 1})]},
            "spec.gates[0]",
            "the gate has httpGet and tcpSocket: keep one",
        ),
        (
            {"gates": [{"name": "a", "pods": {"selector": {}, "probe": {}}}]},
            "spec.gates[0].pods.probe",
            "either httpGet or tcpSocket",
        ),
        ({"gates": [gate(), gate()]}, "spec.gates[1].name", "two gates are called web"),
        ({"gates": [gate("Web")]}, "spec.gates[0].name", "lower-case letters"),
        ({"gates": [gate(httpGet={"port": 0})]}, "spec.gates[0].httpGet.port", "1 to 65535"),
        (
            {"gates": [gate(httpGet={"port": 1, "path": "x"})]},
            "spec.gates[0].httpGet.path",
            "begins with '/'",
        ),
        *(
            (
                {"gates": [gate(httpGet={"port": 1, "host": host})]},
                "spec.gates[0].httpGet.host",
                "without brackets",
            )
            for host in (
                "[::1]",
                "[",
                "x]",
                "http://x",
                "ｗｅｂ",  # noqa: RUF001  full width on purpose
                "\u2100",
                "a b",
                "a/b",
                "a@b",
                "a\\b",
                "a..b",
                "-a",
                "a" * 64,
                ".",
            )
        ),
        *(
            (
                {"gates": [gate(httpGet={"port": 1, "host": host})]},
                "spec.gates[0].httpGet.host",
                f"{host} is no IP address",
            )
            for host in ("1::2::3", ":", "12345::", "256.0.2.1", "127.1", "192.0.2.7.", "web.1")
        ),
        (
            {"gates": [{"name": "a", "tcpSocket": {"port": 1, "host": "[::1]"}}]},
            "spec.gates[0].tcpSocket.host",
            "without brackets",
        ),
        (
            {
                "gates": [
                    {
                        "name": "a",
                        "pods": {
                            "selector": {},
                            "probe": {"tcpSocket": {"port": 1, "host": "::1::"}},
                        },
                    }
                ]
            },
            "spec.gates[0].pods.probe.tcpSocket.host",
            "no IP address",
        ),
        (
            {"gates": [gate(periodMilliseconds=5)]},
            "spec.gates[0].periodMilliseconds",
            "10 to 3600000",
        ),
        ({"gates": [gate(failureThreshold=0)]}, "spec.gates[0].failureThreshold", "1 to 1000"),
        (
            {"gates": [gate(failurePolicy={"by": 50})]},
            "spec.gates[0].failurePolicy.by",
            "another value than 100 needs vrrp.additionalPeers",
        ),
        (
            {"gates": [gate(failurePolicy={"action": "Withdraw", "by": 50})]},
            "spec.gates[0].failurePolicy.by",
            "Withdraw takes nothing off",
        ),
        (
            {"gates": [gate(failurePolicy={"cost": 101})]},
            "spec.gates[0].failurePolicy.cost",
            "1 to 100",
        ),
        (
            {"gates": [gate(failurePolicy={"action": "Withdraw", "cost": 10})]},
            "spec.gates[0].failurePolicy.cost",
            "Withdraw takes nothing off",
        ),
        (
            {
                "gates": [gate(failurePolicy={"cost": 10})],
                "vrrp": {"additionalPeers": ["192.0.2.5"]},
            },
            "spec.gates[0].failurePolicy.cost",
            "remove the line, or write by",
        ),
        ({"vrrp": {"startDelaySeconds": 3601}}, "spec.vrrp.startDelaySeconds", "0 to 3600"),
        (
            {"gates": [{"name": "a", "interface": {"name": "eth*"}}]},
            "spec.gates[0].interface.name",
            "the name of one interface",
        ),
        (
            {"gates": [{"name": "a", "command": {"command": []}}]},
            "spec.gates[0].command.command",
            "the list is empty",
        ),
        ({"vrrp": {"virtualRouterID": 0}}, "spec.vrrp.virtualRouterID", "must be 1 to 255"),
        ({"vrrp": {"virtualRouterID": 256}}, "spec.vrrp.virtualRouterID", "must be 1 to 255"),
        (
            {"vrrp": {"advertisementIntervalMilliseconds": 5}},
            "spec.vrrp.advertisementIntervalMilliseconds",
            "5 is out of range: it must be 10 to 40950",
        ),
        (
            {"vrrp": {"advertisementIntervalMilliseconds": 40960}},
            "spec.vrrp.advertisementIntervalMilliseconds",
            "10 to 40950",
        ),
        (
            {"vrrp": {"advertisementIntervalMilliseconds": 1005}},
            "spec.vrrp.advertisementIntervalMilliseconds",
            "write 1000 or 1010",
        ),
        ({"vrrp": {"interfaces": ["lo"]}}, "spec.vrrp.interfaces[0]", "loopback"),
        ({"vrrp": {"interfaces": ["a b"]}}, "spec.vrrp.interfaces[0]", "without blanks"),
        ({"vrrp": {"interfaces": ["a", "a"]}}, "spec.vrrp.interfaces[1]", "a comes twice"),
        (
            {"vrrp": {"preemption": {"mode": "Delayed"}}},
            "spec.vrrp.preemption.delaySeconds",
            "needs a delay",
        ),
        (
            {"vrrp": {"preemption": {"delaySeconds": 5}}},
            "spec.vrrp.preemption.delaySeconds",
            "only mode Delayed",
        ),
        ({"vrrp": {"additionalPeers": ["x"]}}, "spec.vrrp.additionalPeers[0]", "names are not"),
        (
            {"vrrp": {"additionalPeers": ["192.0.2.5/24"]}},
            "spec.vrrp.additionalPeers[0]",
            "write 192.0.2.5",
        ),
        (
            {"vrrp": {"additionalPeers": ["192.0.2.5", "192.0.2.5"]}},
            "spec.vrrp.additionalPeers[1]",
            "is the same address as additionalPeers[0]",
        ),
        (
            {"vrrp": {"additionalPeers": ["192.0.2.100"]}},
            "spec.vrrp.additionalPeers[0]",
            "write the peer's own address",
        ),
        (
            {"vrrp": {"additionalPeers": ["fe80::1"]}},
            "spec.vrrp.additionalPeers[0]",
            "is IPv6, and no virtual address is",
        ),
        (
            {"addresses": ["2001:db8::1"], "vrrp": {"additionalPeers": ["2001:db8::5"]}},
            "spec.vrrp.additionalPeers[0]",
            "IPv6 adverts come from link-local addresses",
        ),
        (
            {"placement": {"preferredNodes": ["n1", "n1"]}},
            "spec.placement.preferredNodes[1]",
            "n1 comes twice",
        ),
        (
            {
                "placement": {
                    "preferredNodes": ["n1"],
                    "priorities": [{"node": "n1", "priority": 200}],
                }
            },
            "spec.placement.preferredNodes[0]",
            "remove it from one of both",
        ),
        (
            {"placement": {"preferredNodes": [f"n{n}" for n in range(9)]}},
            "spec.placement.maxCandidates",
            "raise maxCandidates to 9 or name fewer",
        ),
        (
            {
                "placement": {"preferredNodes": [f"n{n}" for n in range(5)]},
                "vrrp": {"advertisementIntervalMilliseconds": 50},
            },
            "spec.placement.preferredNodes",
            "only 4 fit far enough apart with adverts every 50 ms",
        ),
        (
            {
                "placement": {
                    "preferredNodes": ["n2"],
                    "priorities": [{"node": "n1", "priority": 156}],
                }
            },
            "spec.placement.preferredNodes",
            "raise the lowest of placement.priorities",
        ),
        (
            {"placement": {"priorities": [{"node": "n1", "priority": 100}]}},
            "spec.placement.priorities[0].priority",
            "choose 155 to 255",
        ),
        (
            {
                "placement": {
                    "priorities": [
                        {"node": "n1", "priority": 200},
                        {"node": "n2", "priority": 200},
                    ]
                }
            },
            "spec.placement.priorities[1].priority",
            "n1 has 200 too",
        ),
        (
            {
                "placement": {
                    "priorities": [
                        {"node": "n1", "priority": 200},
                        {"node": "n1", "priority": 210},
                    ]
                }
            },
            "spec.placement.priorities[1].node",
            "n1 comes twice",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(spec: dict[str, Any], field: str, part: str) -> None:
    """Each mistake is found at its field, and the message says what would be right."""
    found = dict(validation.findings(vip(**spec)))
    assert part in found[field]


def test_all_mistakes_are_told_at_once() -> None:
    """Mistakes in addresses, gates, placement and vrrp do not hide each other."""
    found = validation.findings(
        vip(
            addresses=["127.0.0.1"],
            gates=[{"name": "a"}],
            placement={"priorities": [{"node": "n1", "priority": 3}]},
            vrrp={"virtualRouterID": 300, "preemption": {"mode": "Delayed"}},
        )
    )
    assert [path for path, _text in found] == [
        "spec.vrrp.virtualRouterID",
        "spec.addresses[0]",
        "spec.gates[0]",
        "spec.vrrp.preemption.delaySeconds",
        "spec.placement.priorities[0].priority",
    ]
