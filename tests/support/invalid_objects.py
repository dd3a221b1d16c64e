"""Objects that cannot be right: what is wrong, the object, and the field that a refusal names."""

from __future__ import annotations

from typing import Any

from vip_common.kinds import SPEAKERS, VIRTUAL_IP_POOLS, VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_kube.kinds import Kind
from vip_lab.kubernetes.api import JsonObject

ADDRESS = "192.0.2.100"
WEB = {"name": "web", "httpGet": {"port": 80}}
CANDIDATE = {"node": "n1", "slot": 0, "priority": 254}
INSTANCE = {
    "network": "a",
    "family": "IPv4",
    "virtualRouterID": 51,
    "interfaces": [],
    "addresses": [ADDRESS],
}

# What is wrong with the spec of a VirtualIP, the spec, and what the refusal has to name.
SPECS: list[tuple[str, dict[str, Any], str]] = [
    ("no-address", {"addresses": None}, "spec: "),
    ("address-and-claim", {"addressClaim": {"poolRef": {"name": "p"}}}, "spec: "),
    ("no-list", {"addresses": ADDRESS}, "spec.addresses"),
    ("number-as-address", {"addresses": [192]}, "spec.addresses[0]"),
    ("prefix-length", {"addresses": ["192.0.2.100/24"]}, "spec.addresses[0]"),
    ("host-name", {"addresses": [ADDRESS, "web.example"]}, "spec.addresses[1]"),
    ("leading-zero", {"addresses": ["192.0.2.010"]}, "spec.addresses[0]"),
    ("zone", {"addresses": ["fe80::1%eth0"]}, "spec.addresses[0]"),
    ("multicast", {"addresses": ["224.0.0.18"]}, "spec.addresses[0]"),
    ("ipv6-multicast", {"addresses": ["ff02::12"]}, "spec.addresses[0]"),
    ("loopback", {"addresses": ["127.0.0.1"]}, "spec.addresses[0]"),
    ("ipv6-loopback", {"addresses": ["::1"]}, "spec.addresses[0]"),
    ("unspecified", {"addresses": ["0.0.0.0"]}, "spec.addresses[0]"),
    ("broadcast", {"addresses": ["255.255.255.255"]}, "spec.addresses[0]"),
    ("class-e", {"addresses": ["240.0.0.1"]}, "spec.addresses[0]"),
    ("address-twice", {"addresses": [ADDRESS, ADDRESS]}, "spec.addresses"),
    (
        "too-many-addresses",
        {"addresses": [f"10.0.{number}.1" for number in range(256)]},
        "spec.addresses",
    ),
    ("virtual-router-id-0", {"vrrp": {"virtualRouterID": 0}}, "spec.vrrp.virtualRouterID"),
    ("virtual-router-id-256", {"vrrp": {"virtualRouterID": 256}}, "spec.vrrp.virtualRouterID"),
    ("virtual-router-id-text", {"vrrp": {"virtualRouterID": "51"}}, "spec.vrrp.virtualRouterID"),
    (
        "interval-1005-ms",
        {"vrrp": {"advertisementIntervalMilliseconds": 1005}},
        "spec.vrrp.advertisementIntervalMilliseconds",
    ),
    (
        "interval-0-ms",
        {"vrrp": {"advertisementIntervalMilliseconds": 0}},
        "spec.vrrp.advertisementIntervalMilliseconds",
    ),
    ("another-protocol", {"vrrp": {"protocol": "HSRP"}}, "spec.vrrp.protocol"),
    ("loopback-interface", {"vrrp": {"interfaces": ["lo"]}}, "spec.vrrp.interfaces[0]"),
    ("interface-twice", {"vrrp": {"interfaces": ["eth0", "eth0"]}}, "spec.vrrp.interfaces"),
    (
        "delayed-without-delay",
        {"vrrp": {"preemption": {"mode": "Delayed"}}},
        "spec.vrrp.preemption",
    ),
    (
        "delay-without-delayed",
        {"vrrp": {"preemption": {"mode": "Never", "delaySeconds": 5}}},
        "spec.vrrp.preemption",
    ),
    ("unknown-mode", {"vrrp": {"preemption": {"mode": "Often"}}}, "spec.vrrp.preemption.mode"),
    ("peer-no-address", {"vrrp": {"additionalPeers": ["r2"]}}, "spec.vrrp.additionalPeers[0]"),
    ("gate-of-no-kind", {"gates": [{"name": "web"}]}, "spec.gates[0]"),
    (
        "gate-of-two-kinds",
        {"gates": [{**WEB, "tcpSocket": {"port": 80}}]},
        "spec.gates[0]",
    ),
    ("gate-without-name", {"gates": [{"httpGet": {"port": 80}}]}, "spec.gates[0].name"),
    ("gate-in-capitals", {"gates": [{**WEB, "name": "Web"}]}, "spec.gates[0].name"),
    ("gates-of-one-name", {"gates": [WEB, WEB]}, "spec.gates"),
    (
        "gate-port-70000",
        {"gates": [{"name": "web", "httpGet": {"port": 70000}}]},
        "spec.gates[0].httpGet.port",
    ),
    (
        "gate-host-in-brackets",
        {"gates": [{"name": "web", "httpGet": {"port": 80, "host": "[::1]"}}]},
        "spec.gates[0].httpGet.host",
    ),
    (
        "gate-host-no-address",
        {"gates": [{"name": "web", "tcpSocket": {"port": 80, "host": "1::2::3"}}]},
        "without brackets",
    ),
    (
        "gate-by-without-peers",
        {"gates": [{**WEB, "failurePolicy": {"by": 50}}]},
        "failurePolicy.by",
    ),
    (
        "gate-withdraws-by",
        {"gates": [{**WEB, "failurePolicy": {"action": "Withdraw", "by": 50}}]},
        "spec.gates[0].failurePolicy",
    ),
    ("gate-cost-0", {"gates": [{**WEB, "failurePolicy": {"cost": 0}}]}, "failurePolicy.cost"),
    (
        "gate-cost-with-peers",
        {
            "gates": [{**WEB, "failurePolicy": {"cost": 50}}],
            "vrrp": {"additionalPeers": ["192.0.2.9"]},
        },
        "failurePolicy.cost",
    ),
    (
        "gate-withdraws-at-a-cost",
        {"gates": [{**WEB, "failurePolicy": {"action": "Withdraw", "cost": 50}}]},
        "spec.gates[0].failurePolicy",
    ),
    ("start-delay-of-two-hours", {"vrrp": {"startDelaySeconds": 7200}}, "startDelaySeconds"),
    (
        "pods-probe-of-no-kind",
        {"gates": [{"name": "web", "pods": {"selector": {}, "probe": {}}}]},
        "spec.gates[0].pods.probe",
    ),
    ("node-twice", {"placement": {"preferredNodes": ["n1", "n1"]}}, "placement.preferredNodes"),
    (
        "more-nodes-than-candidates",
        {"placement": {"preferredNodes": ["n1", "n2", "n3"], "maxCandidates": 2}},
        "maxCandidates",
    ),
    (
        "node-preferred-and-with-priority",
        {
            "placement": {
                "preferredNodes": ["n1"],
                "priorities": [{"node": "n1", "priority": 200}],
            }
        },
        "spec.placement",
    ),
    (
        "two-nodes-of-one-priority",
        {
            "placement": {
                "priorities": [{"node": "n1", "priority": 200}, {"node": "n2", "priority": 200}]
            }
        },
        "spec.placement.priorities",
    ),
    ("group-in-capitals", {"group": "Front"}, "spec.group"),
    ("service-without-name", {"serviceRef": {}}, "spec.serviceRef.name"),
    ("misspelt-field", {"placement": {"preferedNodes": ["n1"]}}, "spec.placement.preferedNodes"),
]

# What an engine would refuse: what is wrong with the spec of a VirtualRouter, the same way.
ROUTERS: list[tuple[str, dict[str, Any], str]] = [
    ("without-an-instance", {"instances": []}, "spec.instances"),
    (
        "without-an-address",
        {"instances": [{**INSTANCE, "addresses": []}]},
        "spec.instances[0].addresses",
    ),
    *(
        (
            f"address-{address}",
            {"instances": [{**INSTANCE, "addresses": [address]}]},
            "spec.instances[0].addresses[0]",
        )
        for address in ("web", "192.0.2.100/24", "192.0.2.300", "224.0.0.18", "127.0.0.1", "")
    ),
    (
        "of-vrid-0",
        {"instances": [{**INSTANCE, "virtualRouterID": 0}]},
        "spec.instances[0].virtualRouterID",
    ),
    *(
        (
            f"interval-{interval}",
            {"timing": {"advertisementIntervalMilliseconds": interval}},
            "spec.timing.advertisementIntervalMilliseconds",
        )
        for interval in (0, 5, 15, 50_000)
    ),
    ("step-0", {"timing": {"step": 0}}, "spec.timing.step"),
    ("failing-slots-200", {"timing": {"failingSlots": 200}}, "spec.timing.failingSlots"),
    ("mode-auto", {"preemption": {"mode": "Auto"}}, "spec.preemption.mode"),
    ("delay", {"preemption": {"delaySeconds": 4000}}, "spec.preemption.delaySeconds"),
    (
        "source",
        {"candidates": [{**CANDIDATE, "sources": [{"family": "IPv4", "address": "n1"}]}]},
        "spec.candidates[0].sources[0].address",
    ),
    ("peer", {"additionalPeers": ["r2"]}, "spec.additionalPeers[0]"),
    ("gate-of-no-name", {"gates": [{"tcpSocket": {"port": 1}}]}, "spec.gates[0].name"),
]


def router_document(**spec: Any) -> JsonObject:
    """Return a VirtualRouter with some fields of its spec changed."""
    return {"metadata": {"name": "vip.shop.web"}, "spec": {"instances": [INSTANCE], **spec}}


# The same for whole objects of the other kinds, and for names.
OBJECTS: list[tuple[str, Kind, JsonObject, str]] = [
    ("vip-without-spec", VIRTUAL_IPS, {"metadata": {"name": "web"}}, "spec"),
    (
        "vip-with-a-dot",
        VIRTUAL_IPS,
        {"metadata": {"name": "web.shop"}, "spec": {"addresses": [ADDRESS]}},
        "metadata.name",
    ),
    (
        "vip-name-too-long",
        VIRTUAL_IPS,
        {"metadata": {"name": "w" * 64}, "spec": {"addresses": [ADDRESS]}},
        "metadata.name",
    ),
    (
        "pool-range-of-words",
        VIRTUAL_IP_POOLS,
        {"metadata": {"name": "p"}, "spec": {"ranges": ["all of them"]}},
        "spec.ranges[0]",
    ),
    (
        "pool-avoids-nonsense",
        VIRTUAL_IP_POOLS,
        {"metadata": {"name": "p"}, "spec": {"ranges": ["192.0.2.0/24"], "avoid": ["a-b-c"]}},
        "spec.avoid[0]",
    ),
    (
        "router-of-vrid-256",
        VIRTUAL_ROUTERS,
        {
            "metadata": {"name": "vip.shop.web"},
            "spec": {"instances": [{**INSTANCE, "virtualRouterID": 256}]},
        },
        "spec.instances[0].virtualRouterID",
    ),
    *(
        (f"router-{what}", VIRTUAL_ROUTERS, router_document(**spec), field)
        for what, spec, field in ROUTERS
    ),
    (
        "router-with-candidate-of-priority-0",
        VIRTUAL_ROUTERS,
        {
            "metadata": {"name": "vip.shop.web"},
            "spec": {"instances": [INSTANCE], "candidates": [{**CANDIDATE, "priority": 0}]},
        },
        "spec.candidates[0].priority",
    ),
    (
        "speaker-with-unknown-field",
        SPEAKERS,
        {"metadata": {"name": "n1"}, "status": {"mood": "good"}},
        "status.mood",
    ),
]

# What only the operator can judge: reason and field of the problem in Accepted=False.
JUDGED: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "one-address-in-two-spellings",
        {"addresses": ["2001:db8::1", "2001:db8:0::1"]},
        "Invalid",
        "spec.addresses[1]",
    ),
    (
        "link-local-on-any-interface",
        {"addresses": ["fe80::100"]},
        "Invalid",
        "spec.addresses",
    ),
    (
        "peer-is-the-virtual-address",
        {"vrrp": {"additionalPeers": [ADDRESS]}},
        "Invalid",
        "spec.vrrp.additionalPeers[0]",
    ),
    (
        "peer-of-another-family",
        {"vrrp": {"additionalPeers": ["fe80::1"]}},
        "Invalid",
        "spec.vrrp.additionalPeers[0]",
    ),
    (
        "priority-of-failing-nodes",
        {"placement": {"priorities": [{"node": "n1", "priority": 100}]}},
        "Invalid",
        "spec.placement.priorities[0].priority",
    ),
    (
        "costs-of-too-many-sums",
        {
            "gates": [
                {
                    "name": f"g{cost}",
                    "tcpSocket": {"port": cost},
                    "failurePolicy": {"cost": cost},
                }
                for cost in (1, 2, 4, 8, 16)
            ]
        },
        "Invalid",
        "spec.gates",
    ),
    (
        "outside-every-pool",
        {},
        "NotInPool",
        "spec.addresses[0]",
    ),
    (
        "another-transport",
        {"vrrp": {"transport": {"type": "Unicast"}}},
        "NotSupported",
        "spec.vrrp.transport.type",
    ),
]


def virtual_ip(namespace: str, spec: dict[str, Any], name: str = "web") -> JsonObject:
    """Return a VirtualIP; a field that is None is left out."""
    written = {"addresses": [ADDRESS], **spec}
    return {
        "apiVersion": VIRTUAL_IPS.api_version,
        "kind": "VirtualIP",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {field: value for field, value in written.items() if value is not None},
    }
