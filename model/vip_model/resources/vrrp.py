"""The stanza `vrrp` of a VirtualIP: what concerns the LAN."""

from __future__ import annotations

from typing import Annotated

import msgspec

from vip_model.resources.base import Limits, Part, described
from vip_model.resources.enums import (
    AuthenticationType,
    Handover,
    LinkLocalAddress,
    PreemptionChoice,
    TransportType,
)
from vip_model.vocabulary import Checksum, Protocol

LOWEST_INTERVAL_MILLISECONDS = 10
HIGHEST_INTERVAL_MILLISECONDS = 40_950
DEFAULT_START_DELAY_SECONDS = 30

_INTERFACE_PATTERN = Limits(
    min_length=1,
    max_length=64,
    pattern=r"[^\s/:]+",
    pattern_in_words="a name or a pattern of names (eth0, ens*), without blanks, '/' and ':'",
)


class Transport(Part, frozen=True, kw_only=True):
    """How adverts reach the others."""

    type: Annotated[TransportType, described("Multicast is the protocol's own way.")] = (
        TransportType.MULTICAST
    )


class Preemption(Part, frozen=True, kw_only=True):
    """Whether a better node takes the address from a healthy holder."""

    mode: Annotated[
        PreemptionChoice,
        described(
            "Auto: Always where placement prefers nodes, else Never. Always: the best node gets "
            "the address back. Never: a holder keeps it until it fails. Delayed: like Always, "
            "but only after delaySeconds."
        ),
    ] = PreemptionChoice.AUTO
    delay_seconds: Annotated[
        int,
        described(
            "How long a better node waits; only with mode Delayed.",
            Limits(minimum=0, maximum=3600),
        ),
    ] = 0


class Authentication(Part, frozen=True, kw_only=True):
    """How senders of adverts prove themselves."""

    type: Annotated[AuthenticationType, described("The method.")]
    key_name: Annotated[
        str, described("Key of the Secret in the operator's namespace.", Limits(min_length=1))
    ]


class VirtualMAC(Part, frozen=True, kw_only=True):
    """The virtual MAC address of RFC 9568 §7.3; present means used."""


class Compatibility(Part, frozen=True, kw_only=True):
    """Where implementations read the RFC differently."""

    checksum: Annotated[
        Checksum,
        described(
            "Form of the IPv4 checksum that is sent; both are accepted. PseudoHeader is what "
            "keepalived and FRR send, MessageOnly the letter of RFC 9568."
        ),
    ] = Checksum.PSEUDO_HEADER
    link_local_address: Annotated[
        LinkLocalAddress,
        described(
            "Whether an IPv6 virtual router gets a link-local address of its own, which RFC 9568 "
            "wants to be the first. Auto: unless there are additionalPeers, since keepalived "
            "refuses a list that differs from its own."
        ),
    ] = LinkLocalAddress.AUTO


class VRRP(Part, frozen=True, kw_only=True):
    """Parameters of the LAN. All nodes must agree on them."""

    protocol: Annotated[Protocol, described("Version on the wire.")] = Protocol.VRRP_V3
    virtual_router_id: Annotated[
        int | None,
        described(
            "VRID: the number of the virtual router, free on the link. Default: in a cluster "
            "allocated, otherwise made from the name.",
            Limits(minimum=1, maximum=255),
        ),
    ] = msgspec.field(default=None, name="virtualRouterID")
    interfaces: Annotated[
        tuple[str, ...],
        described(
            "Names or patterns of interfaces, best first; on each node the first that has "
            "carrier is used, and another takes over when it loses it. "
            "Default: the interfaces whose subnet holds the address.",
            Limits(max_length=16, unique=True, items=_INTERFACE_PATTERN),
        ),
    ] = ()
    advertisement_interval_milliseconds: Annotated[
        int,
        described(
            "How often the holder says that it is there; a dead one is noticed after three.",
            Limits(
                minimum=LOWEST_INTERVAL_MILLISECONDS,
                maximum=HIGHEST_INTERVAL_MILLISECONDS,
                multiple_of=10,
            ),
        ),
    ] = 1000
    transport: Annotated[Transport, described("How adverts reach the others.")] = Transport()
    additional_peers: Annotated[
        tuple[str, ...],
        described(
            "Addresses of routers that are not ours, such as keepalived. They switch the health "
            "bands off: a failing gate then takes failurePolicy.by off the priority.",
            Limits(max_length=16, items=Limits(max_length=45)),
        ),
    ] = ()
    preemption: Annotated[
        Preemption, described("Whether a better node takes the address from a healthy holder.")
    ] = Preemption()
    start_delay_seconds: Annotated[
        int | None,
        described(
            "How long after its start, boot or return of carrier a node that takes over because "
            "it hears nobody gives way to a holder that was there before. With additionalPeers: "
            "how long it does not take over. Default: 30, with additionalPeers 0.",
            Limits(minimum=0, maximum=3600),
        ),
    ] = None
    authentication: Annotated[
        Authentication | None, described("How senders of adverts prove themselves.")
    ] = None
    virtual_mac: Annotated[
        VirtualMAC | None, described("Use the virtual MAC address of RFC 9568 §7.3.")
    ] = msgspec.field(default=None, name="virtualMAC")
    handover: Annotated[
        Handover,
        described(
            "Order of a planned move: the next node binds the address before this one lets go."
        ),
    ] = Handover.MAKE_BEFORE_BREAK
    compatibility: Annotated[
        Compatibility, described("Where implementations read the RFC differently.")
    ] = Compatibility()

    @property
    def decided_start_delay_seconds(self) -> int:
        """What is written, or the default for routers of ours or beside others."""
        if self.start_delay_seconds is not None:
            return self.start_delay_seconds
        return 0 if self.additional_peers else DEFAULT_START_DELAY_SECONDS
