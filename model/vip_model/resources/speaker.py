"""Speaker: what one node reports. Its name is the node's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from vip_model.resources.base import Limits, Observed, Part, described
from vip_model.resources.metadata import ObjectMeta
from vip_model.vocabulary import State

_MANY = Limits(max_length=1024)


class ReportedInterface(Part, frozen=True, kw_only=True):
    """An interface of the node that is up and could carry an address."""

    name: Annotated[str, described("Its name.")]
    mac: Annotated[str, described("Its hardware address.")] = ""
    subnets: Annotated[
        tuple[str, ...],
        described("The node's addresses on it with prefix lengths: 192.0.2.11/24.", _MANY),
    ] = ()


class ForeignRouter(Part, frozen=True, kw_only=True):
    """A virtual router of somebody else, heard on the link."""

    interface: Annotated[str, described("Where it was heard.")]
    virtual_router_id: Annotated[int, described("Its VRID.")] = msgspec.field(
        name="virtualRouterID"
    )
    source: Annotated[str, described("Who sent it.")] = ""


class ActiveRouter(Part, frozen=True, kw_only=True):
    """A router that the node is Active for."""

    router: Annotated[str, described("Name of the VirtualRouter.")]
    since: Annotated[str, described("Since when (RFC 3339).")] = ""
    reason: Annotated[str, described("Why it became Active.")] = ""
    failing_gates: Annotated[tuple[str, ...], described("Gates that fail here.", _MANY)] = ()
    missing: Annotated[int, described("How many instances cannot run here.")] = 0
    effective_priority: Annotated[int, described("Priority on the wire.")] = 0


class AbnormalRouter(Part, frozen=True, kw_only=True):
    """A router that the node is neither Active nor a healthy Backup for."""

    router: Annotated[str, described("Name of the VirtualRouter.")]
    state: Annotated[State, described("Initialize, Backup or Active.")]
    yielding: Annotated[
        bool, described("It resigned, and holds the addresses until a successor speaks.")
    ] = False
    withdrawn: Annotated[bool, described("Its gates let it take no part.")] = False
    reason: Annotated[str, described("What is wrong, in a word.")] = ""
    message: Annotated[str, described("What is wrong, for people.")] = ""
    failing_gates: Annotated[tuple[str, ...], described("Gates that fail here.", _MANY)] = ()
    missing: Annotated[int, described("How many instances cannot run here.")] = 0
    effective_priority: Annotated[
        int, described("Priority on the wire; 0 where it takes no part.")
    ] = 0


class AddressConflict(Part, frozen=True, kw_only=True):
    """Another machine on the link uses an address of a router, or announces it in another way."""

    router: Annotated[str, described("Name of the VirtualRouter.")]
    reason: Annotated[str, described("What it is, in a word.")]
    message: Annotated[str, described("What it is, for people.")] = ""


class WatchedNode(Part, frozen=True, kw_only=True):
    """What the node hears of another one that VirtualRouters call unreachable."""

    node: Annotated[str, described("Name of the other node.")]
    heard: Annotated[
        bool,
        described(
            "It sends adverts, or its hardware address answers an ICMP echo. False: neither, for "
            "as long as an address that is not renewed lives."
        ),
    ]


class SpeakerStatus(Observed, frozen=True, kw_only=True):
    """The report."""

    interfaces: Annotated[
        tuple[ReportedInterface, ...], described("Interfaces of the node.", _MANY)
    ] = ()
    features: Annotated[
        tuple[str, ...], described("What this speaker can do beyond the first version.", _MANY)
    ] = ()
    foreign: Annotated[
        tuple[ForeignRouter, ...], described("Virtual routers of others.", _MANY)
    ] = ()
    active: Annotated[tuple[ActiveRouter, ...], described("What it is Active for.", _MANY)] = ()
    abnormal: Annotated[
        tuple[AbnormalRouter, ...], described("What is not as it should be.", _MANY)
    ] = ()
    conflicts: Annotated[
        tuple[AddressConflict, ...],
        described("Other machines that use or announce our addresses.", _MANY),
    ] = ()
    watched: Annotated[
        tuple[WatchedNode, ...],
        described(
            "Nodes that are called unreachable; one of which nothing is certain is left out.",
            Limits(max_length=256),
        ),
    ] = ()
    stopped: Annotated[
        bool,
        described(
            "It was stopped in an orderly way and has given every address back: it runs nothing, "
            "until it is started again."
        ),
    ] = False


class Speaker(Part, frozen=True, kw_only=True):
    """What the speaker of one node reports. Written by that node's agent only."""

    api_version: str
    kind: str
    metadata: ObjectMeta
    status: Annotated[SpeakerStatus, described("The report.")] = SpeakerStatus()

    @property
    def node(self) -> str:
        """Name of the node."""
        return self.metadata.name
