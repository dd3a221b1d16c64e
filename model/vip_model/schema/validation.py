"""Whether a VirtualIP makes sense by itself; what others have is judged by the plan. Pure."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator

from vip_model.resources.enums import PreemptionChoice
from vip_model.resources.gate import DEFAULT_COST, DEFAULT_SUBTRAHEND, GATE_KINDS, Gate
from vip_model.resources.virtual_ip import Placement, VirtualIP, VirtualIPSpec
from vip_model.resources.vrrp import VRRP
from vip_model.schema import owner
from vip_model.schema.addresses import Address, AddressError, family_of, normalised, parse_address
from vip_model.schema.limits import Finding, check_limits
from vip_model.timing import ladder, slots_below
from vip_model.vocabulary import LOWEST_HEALTHY_PRIORITY, OWNER_PRIORITY, FailureAction, Family


def findings(virtual_ip: VirtualIP) -> list[Finding]:
    """Return everything that is wrong with a VirtualIP: path of the field and what would help."""
    spec = virtual_ip.spec
    found = list(check_limits(spec, "spec"))
    in_range = not found
    found += _addresses(spec)
    found += _gates(spec)
    found += _vrrp(spec)
    found += _placement(spec.placement)
    found += _priorities(spec.placement, spec.vrrp)
    found += owner.contradictions(spec)
    if in_range:
        found += _room(spec.placement, spec.vrrp)
    return found


def _addresses(spec: VirtualIPSpec) -> Iterator[Finding]:
    if not spec.addresses:
        if spec.address_claim is None:
            yield "spec.addresses", "there is no address: write one such as [192.0.2.100]"
        return
    if spec.address_claim is not None:
        yield "spec.addressClaim", "addresses are written and claimed: remove one of the two"
    seen: dict[Address, int] = {}
    for number, text in enumerate(spec.addresses):
        path = f"spec.addresses[{number}]"
        try:
            address = parse_address(text)
        except AddressError as error:
            yield path, str(error)
            continue
        if address in seen:
            yield path, f"{text} is the same address as addresses[{seen[address]}]: remove one"
        seen.setdefault(address, number)
    yield from _link_local(spec, list(seen))


def _link_local(spec: VirtualIPSpec, addresses: list[Address]) -> Iterator[Finding]:
    """A link-local address fits every link: something must say which one is meant."""
    ipv6 = [address for address in addresses if address.version == 6]
    if spec.vrrp.interfaces or not ipv6 or not all(address.is_link_local for address in ipv6):
        return
    yield (
        "spec.addresses",
        (
            f"{ipv6[0]} is a link-local address, which fits every interface: "
            "name the interface in vrrp.interfaces, or add another IPv6 address"
        ),
    )


def _gates(spec: VirtualIPSpec) -> Iterator[Finding]:
    names = Counter(gate.name for gate in spec.gates)
    for number, gate in enumerate(spec.gates):
        path = f"spec.gates[{number}]"
        if names[gate.name] > 1:
            yield f"{path}.name", f"two gates are called {gate.name}: rename one"
        yield from _gate_kind(gate, path)
        yield from _hosts(gate, path)
        yield from _failure_policy(gate, f"{path}.failurePolicy", spec.vrrp)


def _gate_kind(gate: Gate, path: str) -> Iterator[Finding]:
    kinds = gate.kinds
    if not kinds:
        yield path, f"the gate checks nothing: give it one of {', '.join(GATE_KINDS)}"
    elif len(kinds) > 1:
        given = " and ".join(kinds)
        yield path, f"the gate has {given}: keep one, and make another gate for the other"
    probe = gate.pods.probe if gate.pods is not None else None
    if probe is not None and (probe.http_get is None) == (probe.tcp_socket is None):
        yield f"{path}.pods.probe", "give it either httpGet or tcpSocket"


def _hosts(gate: Gate, path: str) -> Iterator[Finding]:
    """What looks like an address must be one; other texts are judged by their limits."""
    for field, host in gate.hosts:
        last = host.rstrip(".").rpartition(".")[2]
        looks_like_one = ":" in host or last.isdecimal() or last[:2] in ("0x", "0X")
        if looks_like_one and not set(host) & set("[]/") and not _is_address(host):
            yield f"{path}.{field}", f"{host} is no IP address: correct it or write a name"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _failure_policy(gate: Gate, path: str, vrrp: VRRP) -> Iterator[Finding]:
    policy = gate.failure_policy
    changed = [
        field
        for field, value, default in (
            ("by", policy.by, DEFAULT_SUBTRAHEND),
            ("cost", policy.cost, DEFAULT_COST),
        )
        if value != default
    ]
    for field in changed:
        if policy.action is FailureAction.WITHDRAW:
            yield f"{path}.{field}", "Withdraw takes nothing off the priority: remove the line"
        elif field == "by" and not vrrp.additional_peers:
            yield (
                f"{path}.by",
                (
                    f"{policy.by} would mix healthy and failing nodes: remove the line, or write "
                    "cost (another value than 100 needs vrrp.additionalPeers)"
                ),
            )
        elif field == "cost" and vrrp.additional_peers:
            yield (
                f"{path}.cost",
                (
                    "costs order our own nodes, and vrrp.additionalPeers know nothing of them: "
                    "remove the line, or write by, which is taken off the priority"
                ),
            )


def _vrrp(spec: VirtualIPSpec) -> Iterator[Finding]:
    vrrp = spec.vrrp
    delayed = vrrp.preemption.mode is PreemptionChoice.DELAYED
    if delayed and vrrp.preemption.delay_seconds == 0:
        path = "spec.vrrp.preemption.delaySeconds"
        yield path, "mode Delayed needs a delay: write one, or choose mode Always"
    if not delayed and vrrp.preemption.delay_seconds:
        path = "spec.vrrp.preemption.delaySeconds"
        yield path, "only mode Delayed has a delay: write mode: Delayed or remove the line"
    for number, pattern in enumerate(vrrp.interfaces):
        if pattern == "lo":
            path = f"spec.vrrp.interfaces[{number}]"
            yield path, "nobody else is on the loopback interface: name one that has a link"
    yield from _additional_peers(spec)


def _additional_peers(spec: VirtualIPSpec) -> Iterator[Finding]:
    own = normalised(spec.addresses)
    seen: dict[Address, int] = {}
    for number, text in enumerate(spec.vrrp.additional_peers):
        path = f"spec.vrrp.additionalPeers[{number}]"
        try:
            peer = parse_address(text)
        except AddressError as error:
            yield path, str(error)
            continue
        if peer in seen:
            yield path, f"{text} is the same address as additionalPeers[{seen[peer]}]: remove one"
        elif peer in own:
            yield path, f"{text} is a virtual address: write the peer's own address"
        elif family_of(peer) not in {family_of(address) for address in own}:
            yield path, f"{text} is {family_of(peer)}, and no virtual address is: remove it"
        elif family_of(peer) is Family.IPV6 and not peer.is_link_local:
            yield path, f"IPv6 adverts come from link-local addresses: write that one, not {text}"
        seen.setdefault(peer, number)


def _placement(placement: Placement) -> Iterator[Finding]:
    named = {each.node for each in placement.priorities}
    for number, node in enumerate(placement.preferred_nodes):
        if node in named:
            path = f"spec.placement.preferredNodes[{number}]"
            yield path, f"{node} has a priority in placement.priorities: remove it from one of both"
    listed = len(placement.preferred_nodes) + len(placement.priorities)
    if listed > placement.max_candidates:
        yield (
            "spec.placement.maxCandidates",
            (
                f"{listed} nodes are named, and at most {placement.max_candidates} may take part: "
                f"raise maxCandidates to {listed} or name fewer"
            ),
        )


def _priorities(placement: Placement, vrrp: VRRP) -> Iterator[Finding]:
    nodes: set[str] = set()
    owners: dict[int, str] = {}
    for number, each in enumerate(placement.priorities):
        path = f"spec.placement.priorities[{number}]"
        if each.node in nodes:
            yield f"{path}.node", f"{each.node} comes twice: remove one"
        elif each.priority in owners:
            yield (
                f"{path}.priority",
                (
                    f"{owners[each.priority]} has {each.priority} too, and nodes with equal "
                    "priorities become Active together: give them different ones"
                ),
            )
        if each.priority < LOWEST_HEALTHY_PRIORITY and not vrrp.additional_peers:
            yield (
                f"{path}.priority",
                (
                    f"{each.priority} is among the priorities of failing nodes: choose "
                    f"{LOWEST_HEALTHY_PRIORITY} to {OWNER_PRIORITY}"
                ),
            )
        nodes.add(each.node)
        owners.setdefault(each.priority, each.node)


def _room(placement: Placement, vrrp: VRRP) -> Iterator[Finding]:
    """The nodes that are named must have a priority of their own each."""
    preferred = len(placement.preferred_nodes)
    if len(placement.priorities) + preferred > placement.max_candidates:
        return  # said already
    interval = vrrp.advertisement_interval_milliseconds
    rungs = ladder(interval, placement.max_candidates)
    below = slots_below(
        [each.priority for each in placement.priorities],
        rungs.step,
        health_bands=not vrrp.additional_peers,
    )
    room = max(0, min(len(below), rungs.slots - len(placement.priorities)))
    if preferred <= room:
        return
    if placement.priorities:
        cure = "raise the lowest of placement.priorities or name fewer nodes"
    else:
        cure = "name fewer nodes or raise vrrp.advertisementIntervalMilliseconds"
    yield (
        "spec.placement.preferredNodes",
        (
            f"{preferred} nodes are named, and only {room} fit far enough apart "
            f"with adverts every {interval} ms: {cure}"
        ),
    )
