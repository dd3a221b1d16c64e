"""Wishes about addresses, and which changes fulfil them given what is there. Pure."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vip_speaker.linux.capability import MissingCapabilityError
from vip_speaker.linux.ownership import KEEPS_PROTOCOL, PROTOCOL, is_ours, label_for
from vip_speaker.linux.rtnetlink import (
    Address,
    AddressOperation,
    InterfaceAddress,
    NetlinkError,
    Operation,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindRequest:
    """Have these addresses on an interface: new ones, and ones of ours whose life is prolonged.

    Attributes:
        token: the caller's name for whom this is; its later requests replace a waiting renewal.
        ifindex: index of the interface.
        addresses: what to bind.
        lifetime_seconds: how long the kernel keeps them if nobody renews.
        not_after_ns: CLOCK_BOOTTIME after which it is too late to begin: a wish that waited while
            the whole process was frozen must not come true. None: never too late.
    """

    token: str
    ifindex: int
    addresses: tuple[Address, ...]
    lifetime_seconds: int
    not_after_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewRequest:
    """Prolong the life of addresses that are bound. One that is gone stays gone.

    The attributes are those of BindRequest.
    """

    token: str
    ifindex: int
    addresses: tuple[Address, ...]
    lifetime_seconds: int
    not_after_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """Remove addresses of ours from an interface. One that is not there is no failure."""

    token: str
    ifindex: int
    addresses: tuple[Address, ...]


AddressRequest = BindRequest | RenewRequest | ReleaseRequest


@dataclass(frozen=True, slots=True)
class Failure:
    """One address for which a wish did not come true."""

    address: Address
    errno: int
    reason: str  # in words, naming the address that names the address


class KnownAddresses:
    """What is on the interfaces, and will be once the planned operations are done.

    Args:
        names: index to name of the interfaces that were listed; any other does not exist.
        listed: their addresses.
        keeps_protocol: the kernel stores IFA_PROTO (see `ownership`).
    """

    def __init__(
        self,
        names: Mapping[int, str],
        listed: Iterable[InterfaceAddress],
        *,
        keeps_protocol: bool = KEEPS_PROTOCOL,
    ) -> None:
        self._names = names
        self._keeps_protocol = keeps_protocol
        self._ours: set[tuple[int, Address]] = set()
        self._foreign: dict[tuple[int, Address], InterfaceAddress] = {}
        for one in listed:
            if is_ours(one, keeps_protocol=keeps_protocol):
                self._ours.add((one.index, one.address))
            else:
                self._foreign[one.index, one.address] = one

    def plan(self, request: AddressRequest, now: int) -> list[AddressOperation | Failure | None]:
        """Return for each address of a request what is to be done, why not, or None for nothing.

        Args:
            request: the wish.
            now: CLOCK_BOOTTIME.
        """
        if isinstance(request, ReleaseRequest):
            return [self._plan_release(request, address) for address in request.addresses]
        if request.not_after_ns is not None and now > request.not_after_ns:
            return [
                Failure(address, errno.ETIME, f"{address}: the request came too late")
                for address in request.addresses
            ]
        return [self._plan_bind(request, address) for address in request.addresses]

    def _plan_release(self, request: ReleaseRequest, address: Address) -> AddressOperation | None:
        key = request.ifindex, address
        if key not in self._ours:
            return None
        self._ours.remove(key)
        return AddressOperation(Operation.DELETE, request.ifindex, address)

    def _plan_bind(
        self, request: BindRequest | RenewRequest, address: Address
    ) -> AddressOperation | Failure:
        key = request.ifindex, address
        name = self._names.get(request.ifindex)
        if name is None:
            return Failure(address, errno.ENODEV, f"{address}: the interface is gone")
        if key in self._foreign:
            return in_use(address)
        bound = key in self._ours
        if not bound and isinstance(request, RenewRequest):
            return Failure(address, errno.EADDRNOTAVAIL, f"{address} is gone from {name}")
        self._ours.add(key)
        return AddressOperation(
            operation=Operation.REPLACE if bound else Operation.ADD,
            index=request.ifindex,
            address=address,
            lifetime_seconds=request.lifetime_seconds,
            protocol=PROTOCOL if self._keeps_protocol else None,
            label="" if self._keeps_protocol else label_for(name),
        )


def in_use(address: Address) -> Failure:
    """Return the failure of an address that somebody else has put on the interface."""
    text = f"{address} is in use on this node: somebody else has added it to the interface"
    return Failure(address, errno.EEXIST, text)


def failure_of(operation: AddressOperation, error: NetlinkError) -> Failure | None:
    """Return what the kernel's answer means; None if what was wished is true all the same."""
    address, number = operation.address, error.errno or errno.EIO
    if operation.operation is Operation.DELETE and number in (errno.EADDRNOTAVAIL, errno.ENODEV):
        return None
    if number == errno.EEXIST:
        return in_use(address)
    if number == errno.EPERM:
        reason = str(MissingCapabilityError("CAP_NET_ADMIN", f"to bind {address}"))
        return Failure(address, number, reason)
    return Failure(address, number, str(error))


def coalesce(requests: Sequence[AddressRequest]) -> list[AddressRequest]:
    """Drop every renewal that later requests of the same token make pointless.

    They do if they name each of its addresses on its interface.
    """
    kept: list[AddressRequest] = []
    later: set[tuple[str, int, Address]] = set()
    for request in reversed(requests):
        named = {(request.token, request.ifindex, address) for address in request.addresses}
        if not (isinstance(request, RenewRequest) and named <= later):
            kept.append(request)
        later |= named
    kept.reverse()
    return kept
