"""Which routers of a desired state this engine can run: each judged by itself. Pure.

Every program that may open the engine's socket may send anything, and so may a newer or broken
agent. What is let through here must never raise later: one bad router would end the engine and
with it every other router of the node.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec

from vip_model.vocabulary import Family
from vip_speaker.engine.chores import run_to_end
from vip_speaker.messages import Desired, DesiredInstance, DesiredRouter, KnownRouter, WatchedNode

# What one engine carries: docs/performance.md, "How much a node carries".
ADVERTS_PER_SECOND_MAX = 10_000
INSTANCES_MAX = 1024
WATCHED_MAX = 256

_INTERVAL_MILLISECONDS = range(10, 40_951, 10)
_ADDRESSES = range(1, 256)  # RFC 9568 §5.2.5
_INSTANCES = range(1, 65)
_GATES = range(257)
_PATTERNS = range(65)
_SOURCES = range(1, 65)
_SECONDS = range(7 * 86_400 + 1)
_SMALL = range(1 << 16)
_NAME_BYTES = range(1, 513)
_TEXT_BYTES = range(513)
_VERSIONS = {Family.IPV4: 4, Family.IPV6: 6}

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Refusal:
    """A router that is not run as desired.

    Attributes:
        router: what was desired.
        why: one sentence.
    """

    router: DesiredRouter
    why: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What of a desired state is carried out.

    Attributes:
        desired: what runs: a router that is refused is left out, or goes on as it was.
        refused: the others by name.
    """

    desired: Desired
    refused: Mapping[str, Refusal] = field(default_factory=dict)


class _BadRouterError(Exception):
    """One sentence on what is wrong with a router."""


def judge_desired(
    desired: Desired, running: Mapping[str, DesiredRouter], *, limited: bool = True
) -> Judgement:
    """Return what of a desired state is carried out, at once.

    Args:
        desired: what an agent, or the cache, says.
        running: what runs now, by name; it is never refused for its number.
        limited: whether additions beyond what a node carries are refused.
    """
    return run_to_end(judging(desired, lambda: running, limited=limited))


def judging(
    desired: Desired, in_force: Callable[[], Mapping[str, DesiredRouter]], *, limited: bool = True
) -> Generator[None, None, Judgement]:
    """Return the same after many steps; `in_force` is asked for what runs in the last of them."""
    refused: dict[str, Refusal] = {}
    sound: dict[str, DesiredRouter] = {}
    for router in desired.routers:
        why = f"Two routers are called {router.name}" if router.name in sound else _problem(router)
        if why:
            refused.setdefault(router.name, Refusal(router, why))
        else:
            sound[router.name] = router
        yield
    running = in_force()
    if limited:
        for name, why in _beyond_capacity(desired, sound, running).items():
            refused[name] = Refusal(sound.pop(name), why)
    kept = [running[name] for name in refused if name in running and name not in sound]
    accepted = msgspec.structs.replace(
        desired,
        routers=[*sound.values(), *kept],
        known=None if desired.known is None else [one for one in desired.known if _is_sound(one)],
        watch=[one for one in desired.watch if _can_be_watched(one)][:WATCHED_MAX],
    )
    return Judgement(accepted, refused)


def adverts_per_second(router: DesiredRouter) -> float:
    """Return how many adverts a router sends while it is Active."""
    return 1000 * len(router.instances) / router.advertisement_interval_milliseconds


def _beyond_capacity(
    desired: Desired, sound: Mapping[str, DesiredRouter], running: Mapping[str, DesiredRouter]
) -> dict[str, str]:
    """Return the routers for which there is no room; what runs has its room already."""
    staying = {
        name: router
        for name, router in running.items()
        if name in sound or not (desired.complete or name in desired.retired)
    }
    adverts = sum(map(adverts_per_second, staying.values()))
    instances = sum(len(router.instances) for router in staying.values())
    refused = {}
    for name, router in sound.items():
        before = staying.get(name)
        more = adverts_per_second(router) - (adverts_per_second(before) if before else 0)
        added = len(router.instances) - (len(before.instances) if before else 0)
        if added > 0 and instances + added > INSTANCES_MAX:
            refused[name] = (
                f"This node would run {instances + added} virtual routers, and carries "
                f"{INSTANCES_MAX}: use fewer, or spread them over more nodes"
            )
        elif more > 0 and adverts + more > ADVERTS_PER_SECOND_MAX:
            refused[name] = (
                f"This node would send {adverts + more:.0f} adverts a second, and carries "
                f"{ADVERTS_PER_SECOND_MAX}: use longer intervals or fewer virtual routers"
            )
        else:
            adverts, instances = adverts + more, instances + added
    return refused


def _problem(router: DesiredRouter) -> str:
    """Return what is wrong with a router, judged alone; empty if nothing is."""
    try:
        _check(router)
    except _BadRouterError as error:
        return str(error)
    return ""


def _check(router: DesiredRouter) -> None:
    _check_text("The name", router.name, _NAME_BYTES)
    _check_text("The display name", router.display_name, _NAME_BYTES)
    _check_number("The priority", router.priority, range(1, 256))
    _check_number("The slot", router.slot, _SMALL)
    _check_number("The step", router.step, range(1, 255))
    _check_number("The number of candidates", router.candidates, range(1, 1 << 16))
    interval = router.advertisement_interval_milliseconds
    if interval not in _INTERVAL_MILLISECONDS:
        raise _BadRouterError(
            f"The advertisement interval is {interval} ms: VRRP counts in steps of 10 ms "
            f"from 10 to {_INTERVAL_MILLISECONDS[-1]}"
        )
    _check_number("The preemption delay in seconds", router.preemption_delay_seconds, _SECONDS)
    _check_number("The start delay in seconds", router.start_delay_seconds, _SECONDS)
    _check_number("The number of instances", len(router.instances), _INSTANCES)
    _check_number("The number of gates", len(router.gates), _GATES)
    for gate in router.gates:
        _check_text("The name of a gate", gate.name, _TEXT_BYTES)
        _check_text("The interface of a gate", gate.interface or "", _TEXT_BYTES)
        _check_number(f"What gate {gate.name} takes off", gate.by, _SMALL)
        _check_number(f"The cost of gate {gate.name}", gate.cost, _SMALL)
        _check_number(f"The partial cost of gate {gate.name}", gate.partial_cost, _SMALL)
    _check_instances(router.instances)


def _check_instances(instances: Iterable[DesiredInstance]) -> None:
    bound: set[Address] = set()
    for one in instances:
        _check_number("The VRID", one.virtual_router_id, range(1, 256))
        _check_number("The number of addresses", len(one.addresses), _ADDRESSES)
        _check_number("The number of interfaces", len(one.interfaces), _PATTERNS)
        for pattern in one.interfaces:
            _check_text("The pattern of an interface", pattern, _TEXT_BYTES)
        for text in one.addresses:
            address = _virtual_address(text, one.family)
            if address in bound and not address.is_link_local:
                raise _BadRouterError(f"The address {address} stands twice")
            bound.add(address)
        for text in one.sources or ():
            _address(text, one.family)


def _virtual_address(text: str, family: Family) -> Address:
    address = _address(text, family)
    kinds = {
        "a multicast address": address.is_multicast,
        "a loopback address": address.is_loopback,
        "the unspecified address": address.is_unspecified,
        "the broadcast address": text == "255.255.255.255",
    }
    wrong = [kind for kind, is_it in kinds.items() if is_it]
    if wrong:
        raise _BadRouterError(f"{address} is {wrong[0]}, which no node may bind")
    return address


def _address(text: str, family: Family) -> Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise _BadRouterError(f"{_shown(text)} is not an IP address") from None
    if address.version != _VERSIONS[family]:
        raise _BadRouterError(f"{address} is not an {family} address")
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise _BadRouterError(f"{_shown(text)} has a zone: leave out what follows the percent sign")
    return address


def _is_sound(known: KnownRouter) -> bool:
    """Whether a virtual router that runs elsewhere is known by something that can exist."""
    try:
        _check_number("The VRID", known.virtual_router_id, range(1, 256))
        for text in known.sources or ():
            _address(text, known.family)
    except _BadRouterError:
        return False
    return True


def _can_be_watched(node: WatchedNode) -> bool:
    """Whether a node is named, and asked at addresses that can exist."""
    try:
        _check_text("The name", node.node, _NAME_BYTES)
        _check_number("The number of sources", len(node.sources), _SOURCES)
        interval = node.advertisement_interval_milliseconds
        _check_number("The advertisement interval", interval, _INTERVAL_MILLISECONDS)
        for source in node.sources:
            _check_number("The number of interfaces", len(source.interfaces), _PATTERNS)
            for pattern in source.interfaces:
                _check_text("The pattern of an interface", pattern, _TEXT_BYTES)
            for text in (source.address, source.near):
                _address(text, Family.IPV6 if ":" in text else Family.IPV4)
    except _BadRouterError:
        return False
    return True


def _check_number(what: str, number: int, allowed: range) -> None:
    if number not in allowed:
        raise _BadRouterError(f"{what} is {number}: {allowed[0]} to {allowed[-1]} is possible")


def _check_text(what: str, text: str, allowed: range) -> None:
    size = len(text.encode(errors="replace"))
    if size not in allowed:
        raise _BadRouterError(
            f"{what} has {size} bytes: {allowed[0]} to {allowed[-1]} are possible"
        )
    if not text.isprintable():
        raise _BadRouterError(f"{what} has characters that cannot be printed: {_shown(text)}")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else f"{text[:80]}…")
