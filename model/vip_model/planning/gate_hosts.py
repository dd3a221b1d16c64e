"""What the hosts that gates ask can tell about a node: nothing, if all nodes ask the same. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from ipaddress import IPv6Address, ip_address

from vip_model.resources.gate import Gate
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.schema.addresses import Address, normalised
from vip_model.schema.limits import Finding


def asked_address(host: str) -> Address | None:
    """Return the address that a host is in any spelling, None if it is a name."""
    bare = host.rstrip(".").strip("[]").partition("%")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def asking_the_holder(virtual_ip: VirtualIP, others: Sequence[VirtualIP]) -> Iterator[Finding]:
    """Yield the gates that ask a virtual address, whose answer comes from its holder everywhere.

    Args:
        virtual_ip: whose gates and addresses are judged.
        others: VirtualIPs that move together with it.
    """
    together = [one for each in (virtual_ip, *others) for one in normalised(each.spec.addresses)]
    for path, host in _asked(virtual_ip.spec.gates, together):
        yield (
            path,
            (
                f"{host} is the virtual address, so that every node asks the holder, and nobody "
                "passes while there is none: remove the line, each node is then asked itself"
            ),
        )
    own = {address: number for number, address in enumerate(normalised(virtual_ip.spec.addresses))}
    for other in others:
        for path, host in _asked(other.spec.gates, own):
            address = asked_address(host)
            assert address is not None
            text = f"{path} of {other.key}, which moves together with it, asks it: remove that"
            yield f"spec.addresses[{own[address]}]", text


def asking_one_place(virtual_ip: VirtualIP) -> Iterator[Finding]:
    """Yield the gates that ask the same place from every node."""
    for number, gate in enumerate(virtual_ip.spec.gates):
        for field, host in gate.hosts:
            if not _is_local(host):
                yield (
                    f"spec.gates[{number}].{field}",
                    (
                        f"every node asks the same {host}: when it does not answer, the gate "
                        "fails on all nodes alike, so that it cannot tell which of them is "
                        "broken; to check a service on the node itself, remove the line"
                    ),
                )


def _asked(gates: Iterable[Gate], addresses: Container[Address]) -> Iterator[Finding]:
    """Yield path and host of every gate that asks one of the addresses."""
    for number, gate in enumerate(gates):
        for field, host in gate.hosts:
            if asked_address(host) in addresses:
                yield f"spec.gates[{number}].{field}", host


def _is_local(host: str) -> bool:
    """Return whether a host is the node itself on every node."""
    address = asked_address(host)
    if address is not None:
        return address.is_loopback or address.is_unspecified
    name = host.rstrip(".").lower()
    return name == "localhost" or name.startswith("localhost.") or name.endswith("localhost")
