"""What an election asks its driver to do. The order of a returned list is part of the contract."""

from __future__ import annotations

from dataclasses import dataclass

from vip_model.vocabulary import State


@dataclass(frozen=True, slots=True)
class SendAdvertisement:
    """Send one advert on every instance, in their order, with this priority (0 resigns)."""

    priority: int


@dataclass(frozen=True, slots=True)
class BindAddresses:
    """Bring the kernel to exactly the configured addresses, new or renewed.

    The driver answers with `Election.bound` or `Election.bind_failed`.
    """


@dataclass(frozen=True, slots=True)
class ReleaseAddresses:
    """Remove every address of this election from the kernel."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Start the announcement schedule (gratuitous ARP, unsolicited NA) from its beginning."""


@dataclass(frozen=True, slots=True)
class StopAnnouncing:
    """Send no announcement any more."""


@dataclass(frozen=True, slots=True)
class ProbeAddresses:
    """Ask the link whether anybody has the addresses (bootstrap).

    The driver calls `Election.address_in_use` if somebody answers.
    """


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The state, or why it is what it is, changed; for logs, events and metrics."""

    previous: State
    state: State
    reason: str


Action = (
    SendAdvertisement
    | BindAddresses
    | ReleaseAddresses
    | Announce
    | StopAnnouncing
    | ProbeAddresses
    | StateChanged
)
