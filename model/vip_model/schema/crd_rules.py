"""CEL rules of the CRDs: what a schema cannot say and a plan should not have to. Pure.

They are the first line only: what they let through is judged again by `validation` and by the
plan, which also know what CEL does not, such as spellings of one address, or whether it is in
240.0.0.0/4.

A rule on an optional field is not asked while the field is absent, and a transition rule
(`oldSelf`) is passed by removing the field and adding another value. So rules on what must not
change stand on the whole object.
"""

from __future__ import annotations

from typing import NamedTuple

from vip_model.resources.base import DNS_LABEL
from vip_model.resources.gate import GATE_KINDS, Gate
from vip_model.schema.fields import walk


class Rule(NamedTuple):
    """One entry of x-kubernetes-validations."""

    rule: str
    message: str


def _written(path: str) -> str:
    """Return CEL for: the field is there, and so is everything around it."""
    first, *rest = path.split(".")
    conditions = []
    around = first
    for name in rest:
        around = f"{around}.{name}"
        conditions.append(f"has({around})")
    return " && ".join(conditions)


def _value(root: str, path: str, otherwise: str) -> str:
    whole = f"{root}.{path}"
    return f"({_written(whole)} ? {whole} : {otherwise})"


def _unchanged(path: str, otherwise: str) -> str:
    return f"{_value('self', path, otherwise)} == {_value('oldSelf', path, otherwise)}"


_ALLOCATED = (
    "has(oldSelf.status) && has(oldSelf.status.routers) && oldSelf.status.routers.size() > 0"
)
_WAY_OUT = "all nodes would have to change it at once: delete the VirtualIP and create it anew"
_GIVEN_KINDS = ", ".join(f"has(self.{kind})" for kind in GATE_KINDS)
_UNICAST = "ip(self).isGlobalUnicast() || ip(self).isLinkLocalUnicast()"
_ADDRESS = (
    Rule("isIP(self)", "must be an IPv4 or IPv6 address without a prefix length"),
    Rule(
        f"!isIP(self) || {_UNICAST}",
        "must be a unicast address, and not a loopback one",
    ),
    Rule(
        r"!self.matches('^(0|24[0-9]|25[0-5])\\.')",
        "must not be in 0.0.0.0/8 or 240.0.0.0/4",
    ),
)
_HOST = (
    Rule(
        r"!self.matches('(^|\\.)[0-9]+\\.?$|:') || isIP(self.split('%')[0])",
        "must be a DNS name, or an IP address without brackets",
    ),
)
_HOSTS = tuple(path for path, field in walk(Gate) if field.name == "host")

VIRTUAL_IP: dict[str, tuple[Rule, ...]] = {
    "": (
        Rule(
            f"self.metadata.name.size() <= 63 && self.metadata.name.matches('^{DNS_LABEL}$')",
            "metadata.name must be lower-case letters, digits and '-', at most 63 of them",
        ),
        Rule(
            f"!({_ALLOCATED}) || !({_written('self.spec.vrrp.virtualRouterID')}) || "
            f"{_unchanged('spec.vrrp.virtualRouterID', '0')} || "
            "oldSelf.status.routers.all(r, "
            "r.virtualRouterID == self.spec.vrrp.virtualRouterID)",
            f"spec.vrrp.virtualRouterID is allocated, and {_WAY_OUT}",
        ),
        Rule(
            f"!({_ALLOCATED}) || {_unchanged('spec.vrrp.interfaces', '[]')}",
            f"spec.vrrp.interfaces is in use, and {_WAY_OUT}",
        ),
        Rule(
            f"!({_ALLOCATED}) || {_unchanged('spec.vrrp.protocol', repr('VRRPv3'))}",
            f"spec.vrrp.protocol is in use, and {_WAY_OUT}",
        ),
        Rule(
            f"!({_ALLOCATED}) || {_unchanged('spec.vrrp.transport.type', repr('Multicast'))}",
            f"spec.vrrp.transport is in use, and {_WAY_OUT}",
        ),
    ),
    "spec": (
        Rule(
            "(has(self.addresses) && self.addresses.size() > 0) != has(self.addressClaim)",
            "give either addresses or addressClaim",
        ),
        Rule(
            "!has(self.gates) || (has(self.vrrp) && has(self.vrrp.additionalPeers) && "
            "self.vrrp.additionalPeers.size() > 0) || self.gates.all(g, "
            "!has(g.failurePolicy) || !has(g.failurePolicy.by) || g.failurePolicy.by == 100)",
            "failurePolicy.by other than 100 needs vrrp.additionalPeers",
        ),
        Rule(
            "!has(self.gates) || !has(self.vrrp) || !has(self.vrrp.additionalPeers) || "
            "self.vrrp.additionalPeers.size() == 0 || self.gates.all(g, "
            "!has(g.failurePolicy) || !has(g.failurePolicy.cost) || g.failurePolicy.cost == 100)",
            "failurePolicy.cost has no meaning with vrrp.additionalPeers: use by",
        ),
    ),
    "spec.addresses": (
        Rule("self.all(a, self.exists_one(b, a == b))", "no address may come twice"),
    ),
    "spec.addresses[]": _ADDRESS,
    "spec.gates": (
        Rule(
            "self.all(g, self.exists_one(h, g.name == h.name))",
            "names of gates must differ",
        ),
    ),
    "spec.gates[]": (
        Rule(
            f"[{_GIVEN_KINDS}].filter(given, given).size() == 1",
            f"give exactly one of {', '.join(GATE_KINDS)}",
        ),
    ),
    **{f"spec.gates[].{path}": _HOST for path in _HOSTS},
    "spec.gates[].pods.probe": (
        Rule("has(self.httpGet) != has(self.tcpSocket)", "give either httpGet or tcpSocket"),
    ),
    "spec.gates[].failurePolicy": (
        Rule(
            "!has(self.by) || self.by == 100 || !has(self.action) || self.action != 'Withdraw'",
            "Withdraw takes nothing off the priority: remove by",
        ),
        Rule(
            "!has(self.cost) || self.cost == 100 || !has(self.action) || self.action != 'Withdraw'",
            "Withdraw takes nothing off the priority: remove cost",
        ),
    ),
    "spec.placement": (
        Rule(
            "!has(self.maxCandidates) || self.maxCandidates >= "
            "(has(self.preferredNodes) ? self.preferredNodes.size() : 0) + "
            "(has(self.priorities) ? self.priorities.size() : 0)",
            "more nodes are named than maxCandidates allows",
        ),
        Rule(
            "!has(self.priorities) || !has(self.preferredNodes) || "
            "self.priorities.all(p, !(p.node in self.preferredNodes))",
            "a node is either in preferredNodes or in priorities",
        ),
    ),
    "spec.placement.preferredNodes": (
        Rule("self.all(a, self.exists_one(b, a == b))", "no node may come twice"),
    ),
    "spec.placement.priorities": (
        Rule(
            "self.all(p, self.exists_one(q, p.node == q.node)) && "
            "self.all(p, self.exists_one(q, p.priority == q.priority))",
            "nodes and priorities must differ",
        ),
    ),
    "spec.vrrp.interfaces": (
        Rule("self.all(a, self.exists_one(b, a == b))", "no interface may come twice"),
    ),
    "spec.vrrp.interfaces[]": (Rule("self != 'lo'", "nobody else is on the loopback interface"),),
    "spec.vrrp.additionalPeers[]": _ADDRESS,
    "spec.vrrp.preemption": (
        Rule(
            "(has(self.mode) && self.mode == 'Delayed') == "
            "(has(self.delaySeconds) && self.delaySeconds > 0)",
            "mode Delayed, and no other, needs delaySeconds",
        ),
    ),
}

VIRTUAL_IP_POOL: dict[str, tuple[Rule, ...]] = {
    path: (
        Rule(
            "isCIDR(self) || self.split('-').size() <= 2 && self.split('-').all(a, isIP(a))",
            "must be a subnet, a range (192.0.2.10-192.0.2.20) or an address",
        ),
    )
    for path in ("spec.ranges[]", "spec.avoid[]")
}
