"""VirtualRouter: one compiled election, written by the operator, run by the speakers."""

from __future__ import annotations

from typing import Annotated

import msgspec

from vip_model.resources.base import Limits, Part, described
from vip_model.resources.enums import Handover, UnlistedNodes
from vip_model.resources.gate import Gate
from vip_model.resources.metadata import ObjectMeta
from vip_model.resources.vrrp import (
    DEFAULT_START_DELAY_SECONDS,
    HIGHEST_INTERVAL_MILLISECONDS,
    LOWEST_INTERVAL_MILLISECONDS,
)
from vip_model.vocabulary import FAILING_PRIORITIES, Checksum, Family, PreemptionMode

_VRID = Limits(minimum=1, maximum=255)
MOST_ITEMS = 256
MOST_INSTANCES = 16
_MANY = Limits(max_length=MOST_ITEMS)
# A pattern and no rule: the API server refuses rules that could be asked 256 times 256 times.
_FIRST_OCTET = r"([1-9]|[1-9][0-9]|1[01][0-9]|12[0-689]|1[3-9][0-9]|2[01][0-9]|22[0-3])"
_OCTET = r"([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
_FIRST_GROUP = r"([0-9A-Ea-e][0-9A-Fa-f]{0,3}|[Ff]([0-9A-Ea-e][0-9A-Fa-f]{0,2})?)?"
_ADDRESS = Limits(
    min_length=1,
    max_length=45,
    pattern=rf"{_FIRST_OCTET}(\.{_OCTET}){{3}}|{_FIRST_GROUP}(:[0-9A-Fa-f]{{0,4}}){{2,7}}",
    pattern_in_words="a unicast IPv4 or IPv6 address without a prefix length",
    always=True,
)
_SECONDS = Limits(minimum=0, maximum=3600)


class Owner(Part, frozen=True, kw_only=True):
    """A VirtualIP that the election is for, and what in it is the VirtualIP's own."""

    namespace: Annotated[str, described("Its namespace.")]
    name: Annotated[str, described("Its name.")]
    uid: Annotated[str, described("Its uid; empty without an API server.")] = ""
    addresses: Annotated[
        tuple[str, ...], described("Its addresses among those of the instances.", _MANY)
    ] = ()
    gates: Annotated[
        tuple[str, ...], described("Names of its gates; others may have the same.", _MANY)
    ] = ()

    @property
    def key(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.name}"


class Timing(Part, frozen=True, kw_only=True):
    """Times of the election."""

    advertisement_interval_milliseconds: Annotated[
        int,
        described(
            "Advertisement_Interval.",
            Limits(
                minimum=LOWEST_INTERVAL_MILLISECONDS,
                maximum=HIGHEST_INTERVAL_MILLISECONDS,
                multiple_of=10,
            ),
        ),
    ] = 1000
    step: Annotated[
        int,
        described("Points of priority between neighbouring slots.", Limits(minimum=1, maximum=99)),
    ] = 3
    failing_slots: Annotated[
        int,
        described(
            "How many slots are kept apart among nodes that are equally degraded; those beyond "
            "share the last place.",
            Limits(minimum=1, maximum=FAILING_PRIORITIES),
        ),
    ] = 8
    start_delay_seconds: Annotated[
        int,
        described(
            "How long after its start a node that takes over from silence is provisional; without "
            "health bands it does not take over for so long.",
            _SECONDS,
        ),
    ] = DEFAULT_START_DELAY_SECONDS


class RouterPreemption(Part, frozen=True, kw_only=True):
    """Preempt_Mode as it was decided; never Auto."""

    mode: Annotated[PreemptionMode, described("Always, Never or Delayed.")] = PreemptionMode.NEVER
    delay_seconds: Annotated[int, described("Only with Delayed.", _SECONDS)] = 0


class RouterInstance(Part, frozen=True, kw_only=True):
    """One virtual router in the sense of RFC 9568: (network, family, VRID)."""

    network: Annotated[
        str, described("Name of the network; empty in static mode and while it is unknown.")
    ] = ""
    family: Annotated[Family, described("Address family.")]
    virtual_router_id: Annotated[int, described("VRID.", _VRID)] = msgspec.field(
        name="virtualRouterID"
    )
    interfaces: Annotated[
        tuple[str, ...],
        described("Patterns, best first; empty: the interfaces in the subnet.", _MANY),
    ] = ()
    addresses: Annotated[
        tuple[str, ...],
        described(
            "Virtual addresses, without a prefix length.",
            Limits(min_length=1, max_length=MOST_ITEMS, items=_ADDRESS),
        ),
    ]


class AdvertSource(Part, frozen=True, kw_only=True):
    """An address that a candidate sends adverts from."""

    interface: Annotated[str, described("Its interface; empty in static mode.")] = ""
    family: Annotated[Family, described("Address family.")]
    address: Annotated[str, described("The address.", _ADDRESS)]


class Candidate(Part, frozen=True, kw_only=True):
    """A node that takes part."""

    node: Annotated[str, described("Name of the node.")]
    slot: Annotated[int, described("Rank among the candidates, 0 is first.", Limits(minimum=0))]
    priority: Annotated[int, described("Base priority.", Limits(minimum=1, maximum=255))]
    sources: Annotated[
        tuple[AdvertSource, ...], described("Where its adverts come from; empty: unknown.", _MANY)
    ] = ()
    unreachable: Annotated[
        bool,
        described(
            "Its speaker is not heard, which alone does not say that it has ended: it keeps its "
            "slot, its adverts count, and the other candidates watch whether it is there."
        ),
    ] = False


class VirtualRouterSpec(Part, frozen=True, kw_only=True):
    """One election, and the only record of what was allocated to it."""

    owners: Annotated[tuple[Owner, ...], described("The VirtualIPs it is for.", _MANY)] = ()
    revision: Annotated[
        int, described("Grows with every write of the operator, over all VirtualRouters.")
    ] = 0
    epoch: Annotated[
        int,
        described(
            "The operator that wrote it last, counted over changes of the leader: an operator "
            "that lost its Lease cannot write any more. Speakers ignore it."
        ),
    ] = 0
    retired: Annotated[bool, described("Its owners are gone: every speaker is to end it.")] = False
    standby: Annotated[
        bool,
        described(
            "Its addresses are another election's still: every speaker knows it, and none runs it."
        ),
    ] = False
    releasing: Annotated[
        tuple[str, ...],
        described(
            "Addresses that it lets go of, until every candidate knows that, or has ended.",
            Limits(max_length=MOST_ITEMS, items=_ADDRESS),
        ),
    ] = ()
    bootstrap: Annotated[bool, described("Nobody has ever run it.")] = False
    timing: Annotated[Timing, described("Times.")] = Timing()
    preemption: Annotated[RouterPreemption, described("Preempt_Mode.")] = RouterPreemption()
    handover: Annotated[Handover, described("Order of a planned move.")] = (
        Handover.MAKE_BEFORE_BREAK
    )
    health_bands: Annotated[
        bool, described("Healthy nodes come before failing ones. False with additionalPeers.")
    ] = True
    checksum: Annotated[Checksum, described("Form of the IPv4 checksum.")] = Checksum.PSEUDO_HEADER
    generate_link_local: Annotated[
        bool, described("An IPv6 instance gets a link-local address.")
    ] = True
    additional_peers: Annotated[
        tuple[str, ...],
        described("Routers that are not ours.", Limits(max_length=MOST_ITEMS, items=_ADDRESS)),
    ] = ()
    instances: Annotated[
        tuple[RouterInstance, ...],
        described("The first decides ties.", Limits(min_length=1, max_length=MOST_INSTANCES)),
    ]
    candidates: Annotated[tuple[Candidate, ...], described("By slot.", _MANY)] = ()
    unlisted_nodes: Annotated[
        UnlistedNodes, described("What a node is that is no candidate here.")
    ] = UnlistedNodes.REFUSED
    gates: Annotated[tuple[Gate, ...], described("Those of all owners.", _MANY)] = ()
    placement_digest: Annotated[
        str, described("Of the placement that slots were allocated for.")
    ] = ""


class VirtualRouter(Part, frozen=True, kw_only=True):
    """One election over one or more virtual routers of RFC 9568 that move together."""

    api_version: str
    kind: str
    metadata: ObjectMeta
    spec: Annotated[VirtualRouterSpec, described("The election.")]

    @property
    def name(self) -> str:
        """vip.NAMESPACE.NAME or group.NAMESPACE.GROUP."""
        return self.metadata.name

    @property
    def is_group(self) -> bool:
        """Whether it is for a group, and not for one VirtualIP alone."""
        return self.name.partition(".")[0] == "group"

    @property
    def owners(self) -> dict[str, Owner]:
        """Its owners by NAMESPACE/NAME."""
        return {owner.key: owner for owner in self.spec.owners}

    @property
    def addresses(self) -> tuple[str, ...]:
        """The virtual addresses of all its instances, in their order."""
        return tuple(one for each in self.spec.instances for one in each.addresses)

    def addresses_of(self, virtual_ip: str) -> tuple[str, ...]:
        """Return the addresses of one owner, by NAMESPACE/NAME; all where a record has none."""
        owner = self.owners.get(virtual_ip)
        if owner is not None and owner.addresses:
            return owner.addresses
        return self.addresses

    @property
    def display_name(self) -> str:
        """NAMESPACE/NAME or NAMESPACE/GROUP."""
        _kind, _dot, rest = self.metadata.name.partition(".")
        return rest.replace(".", "/", 1)
