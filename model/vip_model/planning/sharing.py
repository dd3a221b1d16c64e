"""What VirtualIPs bring into the election that they share, and what stays in it. Pure.

An edit that is refused changes nothing of what its VirtualIP has: while an owner of an election is
refused, whatever its edit asks for, or cannot be read, its addresses and gates stay. What others
add comes in, and what they remove or take along to another election goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from vip_model.planning import failing
from vip_model.planning.backends import service_gate_name, service_gates
from vip_model.planning.claims import Locator
from vip_model.planning.drafts import Draft, Ledger, display_name
from vip_model.planning.endings import Endings
from vip_model.planning.inputs import PlanInputs
from vip_model.resources.gate import Gate
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import MOST_ITEMS, Owner, VirtualRouter
from vip_model.schema.addresses import family_of, normalised
from vip_model.schema.limits import Finding
from vip_model.vocabulary import Family, Reason

# What fits into one advert: a count of 8 bits (RFC 9568 §5.2.5), and 1500 bytes over IPv6.
MOST_ADDRESSES = {Family.IPV4: 255, Family.IPV6: 90}


def note_what_stays(
    inputs: PlanInputs,
    drafts: Mapping[str, Draft],
    ledger: Ledger,
    locator: Locator,
    endings: Endings,
) -> None:
    """Note whose part of each election stays, and refuse additions that do not fit beside it."""
    crowded = True
    while crowded:  # whoever is refused for that may own a part of another election, which stays
        _note_owners(inputs, drafts, ledger, endings)
        refused = [_refuse_additions(each, ledger, locator) for each in drafts.values()]
        crowded = any(refused)


def kept_elections(virtual_ips: Iterable[VirtualIP], drafts: Mapping[str, Draft]) -> dict[str, str]:
    """Return the election that runs on for a VirtualIP that is refused, by NAMESPACE/NAME.

    It is another than the one that is asked for where the refused edit changes the group.
    """
    kept = {key: draft.name for draft in drafts.values() for key in draft.staying}
    own = {
        each.key: each.router_name
        for each in virtual_ips
        if each.key in drafts[each.router_name].staying
    }
    return kept | own


def what_stays(running: VirtualRouter, draft: Draft, endings: Endings) -> VirtualRouter:
    """Return an election that has no members now, and goes on for owners that are refused."""
    kept = set(addresses_of(draft))
    instances = tuple(
        msgspec.structs.replace(each, addresses=tuple(one for one in each.addresses if one in kept))
        for each in running.spec.instances
        if not kept.isdisjoint(each.addresses)
    )
    if not instances:
        return running
    releasing = endings.releasing(running, kept, announced=draft.announced, standby=False)
    spec = msgspec.structs.replace(
        running.spec,
        owners=owners_of(draft, static=False),
        releasing=releasing,
        instances=instances,
        gates=gates_of(draft, static=False),
    )
    found = msgspec.structs.replace(running, spec=spec)
    return endings.mark(found) if draft.is_left or releasing else found


def addresses_of(draft: Draft) -> list[str]:
    """Return addresses in normal form: of all members, by name of the member, and what stays.

    While something stays, what is there already keeps its place.
    """
    members = sorted(draft.members, key=lambda each: each.key)
    wanted = [str(one) for each in members for one in normalised(each.spec.addresses)]
    running, held = draft.running, draft.held_addresses
    if running is None or not held:
        return list(dict.fromkeys(wanted))
    kept = {*wanted, *held}
    there = [one for one in running.addresses if one in kept]
    return list(dict.fromkeys([*(one for one in wanted if one not in there), *there]))


def gates_of(draft: Draft, *, static: bool) -> tuple[Gate, ...]:
    """Return the gates of all members and of their Services, and what stays, each once.

    While something stays, what is there already keeps its place.
    """
    wanted = [gate for each in draft.members for gate in each.spec.gates]
    if not static:
        wanted += service_gates(draft.members)
    held = draft.held_gates
    names = {gate.name for gate in (*held, *wanted)}
    running = draft.running.spec.gates if draft.running is not None and draft.staying else ()
    there = [gate for gate in running if gate.name in names]
    return tuple({gate.name: gate for gate in (*there, *held, *wanted)}.values())


def owners_of(draft: Draft, *, static: bool) -> tuple[Owner, ...]:
    """Return the members, and the owners whose part stays, each with what is its own."""
    found = {each.key: _owner(each, static=static) for each in draft.members}
    for owner in draft.running.spec.owners if draft.running else ():
        if owner.key in draft.staying:
            found.setdefault(owner.key, owner)
    return tuple(sorted(found.values(), key=lambda each: (each.namespace, each.name)))


def _owner(virtual_ip: VirtualIP, *, static: bool) -> Owner:
    gates = {gate.name for gate in virtual_ip.spec.gates} if static else gate_names(virtual_ip)
    return Owner(
        namespace=virtual_ip.namespace,
        name=virtual_ip.metadata.name,
        uid=virtual_ip.metadata.uid,
        addresses=tuple(str(each) for each in normalised(virtual_ip.spec.addresses)),
        gates=tuple(sorted(gates)),
    )


def gate_names(virtual_ip: VirtualIP) -> set[str]:
    """Return the names of the gates that a VirtualIP brings with it in a cluster."""
    names = {gate.name for gate in virtual_ip.spec.gates}
    service = virtual_ip.spec.service_ref
    return names if service is None else names | {service_gate_name(service.name)}


def too_many_owners(draft: Draft, count: int) -> Iterator[Finding]:
    """Yield what is wrong with so many VirtualIPs in one election, and the way out."""
    if count > MOST_ITEMS:
        what = f"{display_name(draft.name)} would have {count} VirtualIPs"
        yield "spec.group", f"{what}, and {MOST_ITEMS} can share one{_way_out(draft)}"


def too_many_gates(draft: Draft, count: int) -> Iterator[Finding]:
    """Yield what is wrong with so many gates of one election, and the way out."""
    if count > MOST_ITEMS:
        what = f"{display_name(draft.name)} would have {count} gates, and {MOST_ITEMS} fit"
        yield "spec.gates", what + _way_out(draft, "remove some here, or ")


def too_many_addresses(draft: Draft, family: Family, count: int) -> Iterator[Finding]:
    """Yield what is wrong with so many addresses of one family, and the way out."""
    most = MOST_ADDRESSES[family]
    if count > most:
        what = f"{display_name(draft.name)} would have {count} {family} addresses"
        yield "spec.addresses", f"{what}, and {most} fit into an advert{_way_out(draft)}"


def _way_out(draft: Draft, cure: str = "") -> str:
    if not draft.staying:
        return f": {cure}use another group"
    first, *more = sorted(draft.staying)
    who = f"{first} and {len(more)} others, whose edits are" if more else f"{first}, whose edit is"
    return f", while it keeps those of {who} refused: mend that one first, or use another group"


def _note_owners(
    inputs: PlanInputs, drafts: Mapping[str, Draft], ledger: Ledger, endings: Endings
) -> None:
    refused = {each.key: each for each in inputs.virtual_ips if ledger.is_refused(each)}
    moving = {each.key: each for each in inputs.virtual_ips if ledger.is_moving(each)}
    if not refused and not moving and not inputs.unreadable:
        return  # nearly always, and there may be thousands of elections
    for draft in drafts.values():
        here = {each.key for each in draft.refused}
        movers = [each for key, each in moving.items() if key in draft.owners]
        leaving = [each for each in movers if _leaves(each, draft, drafts, endings)]
        going = [each.key for each in movers if each.router_name != draft.name]
        draft.is_left, draft.announced = bool(going), _announced(draft, going)
        draft.staying = draft.owners & (
            refused.keys() | here | inputs.unreadable | {each.key for each in movers}
        ) - {each.key for each in leaving}


def _leaves(
    virtual_ip: VirtualIP, draft: Draft, drafts: Mapping[str, Draft], endings: Endings
) -> bool:
    """Return whether a VirtualIP that is moving takes its part out of an election now."""
    new = drafts[virtual_ip.router_name]
    if draft.running is None or new is draft:
        return False
    addresses = frozenset(str(each) for each in normalised(virtual_ip.spec.addresses))
    own = _addresses_of(virtual_ip.key, draft)
    return endings.is_ready(new.running, addresses) and endings.may_be_left(draft.running, own)


def _announced(draft: Draft, going: Iterable[str]) -> tuple[str, ...]:
    """Return what those that leave an election take along, of as many of them as fit."""
    listed = set(draft.running.spec.releasing) if draft.running is not None else set()
    found: set[str] = set()
    for each in sorted(going):
        own = _addresses_of(each, draft)
        if len(listed | found | own) <= MOST_ITEMS:
            found |= own
    return tuple(sorted(found))


def _addresses_of(owner: str, draft: Draft) -> frozenset[str]:
    """Return what an election has for one of its owners."""
    return frozenset() if draft.running is None else frozenset(draft.running.addresses_of(owner))


def _refuse_additions(draft: Draft, ledger: Ledger, locator: Locator) -> bool:
    """Refuse what members add where it does not fit beside what stays; return whether any does."""
    findings = list(_crowding(draft, locator)) if draft.staying else []
    if not findings:
        return False
    adding = [each for each in draft.sharing if _adds(each, draft)]
    for each in adding:
        ledger.refuse(each, Reason.INVALID, findings)
    draft.refused += adding
    draft.members = [each for each in draft.members if each not in adding]
    draft.moving = [each for each in draft.moving if each not in adding]
    return bool(adding)


def _crowding(draft: Draft, locator: Locator) -> Iterator[Finding]:
    """Yield what is too much, counting what stays."""
    joining = (one for each in draft.moving for one in normalised(each.spec.addresses))
    addresses = dict.fromkeys((*normalised(addresses_of(draft)), *joining))
    sizes = Counter((locator.network_of(each), family_of(each)) for each in addresses)
    for (_network, family), count in sizes.items():
        yield from too_many_addresses(draft, family, count)
    owners = {each.key for each in owners_of(draft, static=False)}
    owners.update(each.key for each in draft.moving)
    yield from too_many_owners(draft, len(owners))
    gates = gates_of(draft, static=False)
    yield from too_many_gates(draft, len(gates))
    if draft.members and failing.writes_costs(gates):
        count = failing.degradations(gates, len(sizes), static=False)
        spec = draft.members[0].spec
        yield from failing.too_many(display_name(draft.name), count, spec, drawn=False)


def _adds(virtual_ip: VirtualIP, draft: Draft) -> bool:
    """Return whether the election does not have everything of a VirtualIP already."""
    if draft.running is None or virtual_ip.key not in draft.owners:
        return True
    addresses = {str(address) for address in normalised(virtual_ip.spec.addresses)}
    gates = {gate.name for gate in draft.running.spec.gates}
    return not (addresses <= {*draft.running.addresses} and gate_names(virtual_ip) <= gates)
