"""Which addresses the pools let a namespace use. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from vip_model.resources.pool import VirtualIPPool
from vip_model.schema.addresses import Address
from vip_model.schema.errors import Problem
from vip_model.schema.limits import check_limits

_Range = tuple[Address, Address]


@dataclass(frozen=True, slots=True)
class _Pool:
    """A pool with its ranges understood."""

    ranges: tuple[_Range, ...]
    avoided: tuple[_Range, ...]
    namespaces: frozenset[str]

    def allows(self, address: Address, namespace: str) -> bool:
        if self.namespaces and namespace not in self.namespaces:
            return False
        return _holds(self.ranges, address) and not _holds(self.avoided, address)


class PoolBook:
    """Every pool that makes sense; what is wrong with the others is in `problems`."""

    def __init__(self, pools: Iterable[VirtualIPPool]) -> None:
        self.problems: list[Problem] = []
        self._pools = [pool for each in pools if (pool := self._understand(each)) is not None]

    def allows(self, address: Address, namespace: str) -> bool:
        """Return whether any pool lets a namespace use an address."""
        return any(pool.allows(address, namespace) for pool in self._pools)

    def _understand(self, pool: VirtualIPPool) -> _Pool | None:
        found = list(check_limits(pool.spec, "spec"))
        ranges: dict[str, list[_Range]] = {"ranges": [], "avoid": []}
        for name, texts in (("ranges", pool.spec.ranges), ("avoid", pool.spec.avoid)):
            for number, text in enumerate(texts):
                try:
                    ranges[name].append(parse_range(text))
                except ValueError as error:
                    found.append((f"spec.{name}[{number}]", str(error)))
        label = f"VirtualIPPool {pool.name}"
        self.problems += [Problem(label, path, text) for path, text in found]
        if found:
            return None
        return _Pool(
            ranges=tuple(ranges["ranges"]),
            avoided=tuple(ranges["avoid"]),
            namespaces=frozenset(pool.spec.namespaces.names),
        )


def parse_range(text: str) -> _Range:
    """Return first and last address of a subnet, a range, or a single address.

    Raises:
        ValueError: it is none of them; the text says what would be right.
    """
    first, dash, last = text.partition("-")
    try:
        if dash:
            low, high = ip_address(first.strip()), ip_address(last.strip())
        else:
            network = ip_network(text, strict=False)
            low, high = network.network_address, network.broadcast_address
    except ValueError:
        raise ValueError(
            f"{text!r} is no range: write 192.0.2.0/24, 192.0.2.10-192.0.2.20 or 192.0.2.10"
        ) from None
    if low.version != high.version or int(low) > int(high):
        raise ValueError(f"{text!r} does not go from a lower to a higher address of one family")
    return low, high


def _holds(ranges: tuple[_Range, ...], address: Address) -> bool:
    return any(
        low.version == address.version and int(low) <= int(address) <= int(high)
        for low, high in ranges
    )
