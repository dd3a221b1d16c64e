"""The addresses of one router in the kernel: asked for, there, renewed, released.

Every address has a finite lifetime that only the engine's loop renews: when the engine is frozen
or dead the kernel removes them (docs/architecture.md).
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from vip_speaker.engine.compile import Placed
from vip_speaker.linux.addresses import (
    AddressResult,
    AddressWorker,
    BindRequest,
    ReleaseRequest,
    RenewRequest,
)
from vip_speaker.linux.monitor import Monitor
from vip_speaker.linux.view import NetworkView
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.standing import BIND_LIMIT_NS
from vip_speaker.vrrp.timers import SECOND_NS

# An address is renewed with an advert once this part of its life has passed, so that a killed
# node's kernel drops it when the others take over, not before; without adverts (a node that
# yields) when half of it has passed.
_RENEWED_WITH_ADVERT = 4
_RENEWED_WITHOUT_ADVERT = 2
# Somebody who removes an address again and again is not to be fought for ever; what goes within a
# second, as when a network manager flushes an interface, is one sweep.
_SWEEPS_MAX = 3
_SWEEPS_WITHIN_NS = 10 * SECOND_NS
_SWEEP_NS = SECOND_NS
# The kernel tells of a new IPv6 address after it has answered.
_NEWS_WITHIN_NS = SECOND_NS


class Outcome(enum.Enum):
    """What the answer of the kernel means for the router."""

    NOTHING = enum.auto()
    BOUND = enum.auto()
    FAILED = enum.auto()


class Removal(enum.Enum):
    """What to do about an address that somebody removed."""

    AWAIT_ANSWER = enum.auto()  # to the bind that is on its way
    BIND_AGAIN = enum.auto()
    GIVE_UP = enum.auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome, with a reason when it failed."""

    outcome: Outcome
    reason: str = ""


class Holdings:
    """Asks the worker for this router's addresses and keeps account of them."""

    def __init__(self, router: str, worker: AddressWorker) -> None:
        self._router = router
        self._worker = worker
        self._held: dict[int, tuple[Address, ...]] = {}
        self._lifetime_seconds = 0
        self._waiting: list[BindRequest] = []
        self._failure = ""
        self._asked_ns = 0
        self._renewed_ns: dict[int, int] = {}
        self._sweeps: dict[Address, deque[int]] = {}
        self._removed: set[tuple[int, Address]] = set()
        self.renew_ns: int | None = None
        self.confirm_ns: int | None = None

    def held(self) -> Iterator[tuple[int, Address]]:
        """Yield what this router has asked for, or adopted, each with its interface's index."""
        return ((index, one) for index, listed in self._held.items() for one in listed)

    def removed_meanwhile(self, monitor: Monitor) -> list[tuple[int, Address]]:
        """Return what was removed before the kernel's answer to the bind came, and is still away.

        Each with the index of its interface.
        """
        missing = [] if monitor.needs_resync else self._missing(monitor.view)
        return [one for one in missing if one in self._removed]

    def unconfirmed(self, now: int, monitor: Monitor) -> list[tuple[int, Address]]:
        """Return what the kernel said is bound and has not told of, once it is time to look."""
        if self.confirm_ns is None or now < self.confirm_ns:
            return []
        self.confirm_ns = now + _NEWS_WITHIN_NS if monitor.needs_resync else None
        return [] if monitor.needs_resync else self._missing(monitor.view)

    def removed(self, now: int, index: int, address: Address) -> Removal:
        """Return what to do now that somebody removed an address."""
        if self.is_waiting():
            self._removed.add((index, address))
            return Removal.AWAIT_ANSWER
        sweeps = self._sweeps.setdefault(address, deque())
        while sweeps and now - sweeps[0] > _SWEEPS_WITHIN_NS:
            sweeps.popleft()
        if not sweeps or now - sweeps[-1] > _SWEEP_NS:
            sweeps.append(now)
        return Removal.BIND_AGAIN if len(sweeps) <= _SWEEPS_MAX else Removal.GIVE_UP

    def _missing(self, view: NetworkView) -> list[tuple[int, Address]]:
        return [one for one in self.held() if one not in view.tagged]

    def is_waiting(self) -> bool:
        """Whether the kernel has not answered the last bind yet."""
        return bool(self._waiting)

    def adopt(self, placed: Iterable[Placed], tagged: Container[tuple[int, Address]]) -> bool:
        """Return whether an earlier life has left any of it, among all `tagged`, and then hold it.

        It is neither renewed nor removed yet.
        """
        wanted = _by_interface(placed)
        left = any((index, one) in tagged for index, listed in wanted.items() for one in listed)
        if left:
            self._held = wanted
        return left

    def bind(self, now: int, placed: Iterable[Placed], lifetime_seconds: int) -> None:
        """Bring the kernel to exactly these addresses; `answer` tells when it is there."""
        wanted = _by_interface(placed)
        for index, addresses in self._held.items():
            surplus = tuple(one for one in addresses if one not in wanted.get(index, ()))
            self._submit_release(index, surplus)
        self._held = wanted
        self._lifetime_seconds = lifetime_seconds
        self._failure = ""
        self._removed.clear()
        self.confirm_ns = None
        self._waiting = [
            BindRequest(
                token=self._router,
                ifindex=index,
                addresses=addresses,
                lifetime_seconds=lifetime_seconds,
                not_after_ns=now + BIND_LIMIT_NS,
            )
            for index, addresses in wanted.items()
        ]
        for request in self._waiting:
            self._worker.submit(request)
        self._renewed_ns = dict.fromkeys(wanted, now)
        self._schedule_renewal(now)

    def release(self) -> None:
        """Remove everything, also what is still on its way into the kernel."""
        for index, addresses in self._held.items():
            self._submit_release(index, addresses)
        self._held = {}
        self._renewed_ns = {}
        self._waiting = []
        self.renew_ns = self.confirm_ns = None

    def renew(self, now: int) -> None:
        """Give every address its whole lifetime again."""
        lifetime_ns = self._lifetime_seconds * SECOND_NS
        for index, addresses in self._held.items():
            self._worker.submit(
                RenewRequest(
                    token=self._router,
                    ifindex=index,
                    addresses=addresses,
                    lifetime_seconds=self._lifetime_seconds,
                    not_after_ns=now + lifetime_ns,
                )
            )
        self._schedule_renewal(now)

    def is_due_with_advert(self, now: int) -> bool:
        """Whether the addresses are to be renewed beside an advert that goes out now."""
        due_ns = self._asked_ns + self._lifetime_seconds * SECOND_NS // _RENEWED_WITH_ADVERT
        return self.renew_ns is not None and now >= due_ns

    def stop_renewing(self) -> None:
        """Leave the addresses to their lifetime: another may have taken over unheard."""
        self.renew_ns = None

    def is_overdue(self, now: int) -> bool:
        """Whether no renewal came through for a whole lifetime: addresses may be gone."""
        lifetime_ns = self._lifetime_seconds * SECOND_NS
        return any(now - renewed_ns > lifetime_ns for renewed_ns in self._renewed_ns.values())

    def answer(self, now: int, result: AddressResult) -> Answer:
        """Return what a result of the worker means; results of what was given up mean nothing."""
        index = result.request.ifindex
        renewed = isinstance(result.request, RenewRequest) and not result.failures
        if renewed and index in self._renewed_ns:
            self._renewed_ns[index] = now
        if not any(request is result.request for request in self._waiting):
            return Answer(Outcome.NOTHING)
        self._waiting = [one for one in self._waiting if one is not result.request]
        self._failure = self._failure or result.reason
        if self._waiting:
            return Answer(Outcome.NOTHING)
        self.confirm_ns = now + _NEWS_WITHIN_NS
        if self._failure:
            return Answer(Outcome.FAILED, self._failure)
        return Answer(Outcome.BOUND)

    def _schedule_renewal(self, now: int) -> None:
        self._asked_ns = now
        self.renew_ns = now + self._lifetime_seconds * SECOND_NS // _RENEWED_WITHOUT_ADVERT

    def _submit_release(self, index: int, addresses: tuple[Address, ...]) -> None:
        if addresses:
            self._worker.submit(
                ReleaseRequest(token=self._router, ifindex=index, addresses=addresses)
            )


def _by_interface(placed: Iterable[Placed]) -> dict[int, tuple[Address, ...]]:
    wanted: dict[int, tuple[Address, ...]] = {}
    for one in placed:
        if one.lent:
            wanted[one.index] = (*wanted.get(one.index, ()), *one.lent)
    return wanted
