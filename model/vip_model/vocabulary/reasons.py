"""Every reason that an engine, an agent or the operator gives, with what it means.

A reason is a word of CamelCase that programs may compare. What a person is told besides, such as
an address or an error of the kernel, stands in a message beside it.
"""

from __future__ import annotations

import enum
from typing import Self

from vip_model.vocabulary.words import Use


class Reason(enum.StrEnum):
    """A reason. Members are written `NAME = "Word", where it is given, "what it means"`.

    Attributes:
        use: where it is given.
        description: what it means, one sentence.
    """

    use: Use
    description: str

    def __new__(cls, word: str, use: Use, description: str) -> Self:
        """Return the member of that word."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.use = use
        member.description = description
        return member

    # --- the state of a router -------------------------------------------------------------

    NOT_STARTED = (
        "NotStarted",
        Use.STATE,
        "The router has not begun to take part: see the sentence beside it.",
    )
    STARTED = "Started", Use.STATE, "The router has just begun to take part."
    RESUMED = (
        "Resumed",
        Use.STATE,
        "The engine was replaced and went on as Active in time: no other node can have taken over.",
    )
    ADDRESS_OWNER = "AddressOwner", Use.STATE, "The node owns the address (priority 255)."
    ACTIVE_DOWN = (
        "ActiveDown",
        Use.STATE,
        "The last holder was silent for the whole Active_Down_Interval.",
    )
    ACTIVE_RESIGNED = "ActiveResigned", Use.STATE, "The last holder resigned: it sent priority 0."
    LOWER_PRIORITY_PREEMPTED = (
        "LowerPriorityPreempted",
        Use.STATE,
        "The last holder had a lower priority, and this node was to replace it.",
    )
    NOBODY_TOOK_OVER = (
        "NobodyTookOver",
        Use.STATE,
        "The node resigned, and is Active again because no other node took over.",
    )
    HIGHER_PRIORITY_HEARD = (
        "HigherPriorityHeard",
        Use.STATE,
        (
            "Another node is Active with a higher priority, or with the same one and a greater "
            "address."
        ),
    )
    OVERSLEPT = (
        "Overslept",
        Use.STATE,
        "The engine was frozen for longer than the other nodes wait; it listens first.",
    )
    GATE_FAILED = "GateFailed", Use.STATE, "The node was Active and a gate failed, so it resigned."
    INSTANCE_LOST = (
        "InstanceLost",
        Use.STATE,
        "The node was Active and lost one of several instances, such as IPv6, so it resigned.",
    )
    WITHDRAWN = (
        "Withdrawn",
        Use.STATE,
        "A gate with the action Withdraw fails: the node takes no part.",
    )
    RESTORED = "Restored", Use.STATE, "The gates withdrew the node and no longer do."
    NOT_PLACEABLE = (
        "NotPlaceable",
        Use.STATE,
        (
            "The node lacks what the router needs, such as an interface, carrier or a subnet: see "
            "the sentence beside it."
        ),
    )
    SOURCE_CHANGED = (
        "SourceChanged",
        Use.STATE,
        (
            "The node's own address on the interface changed, or the other nodes do not expect "
            "adverts from it: see the sentence beside it."
        ),
    )
    RECOVERED = (
        "Recovered",
        Use.STATE,
        "What the router needs on the node, such as link or address, is back.",
    )
    LINK_RETURNED = (
        "LinkReturned",
        Use.STATE,
        "What the router needs on the node came back before another node could take over.",
    )
    BIND_FAILED = (
        "BindFailed",
        Use.STATE,
        "The kernel refused the addresses, and the sentence beside it says why; it is tried again.",
    )
    BIND_TIMED_OUT = (
        "BindTimedOut",
        Use.STATE,
        "The kernel did not take the addresses within 2 s; it is tried again.",
    )
    ADDRESS_REMOVED = (
        "AddressRemoved",
        Use.STATE,
        "Another program removes the addresses again and again; they are bound again later.",
    )
    ADDRESSES_NOT_RENEWED = (
        "AddressesNotRenewed",
        Use.STATE,
        (
            "No renewal of the addresses came through to the kernel in time: the node resigned "
            "before they ran out."
        ),
    )
    ADVERTS_NOT_SENT = (
        "AdvertsNotSent",
        Use.STATE,
        (
            "Three adverts in a row could not be sent (an output firewall, a full queue): the "
            "other nodes take over, so the node released the addresses."
        ),
    )
    RETRIED = "Retried", Use.STATE, "The router takes part again after a failure, to try it again."
    STOPPED = "Stopped", Use.STATE, "The speaker stops, or is no longer told to run the router."
    RETIRED = "Retired", Use.STATE, "The VirtualIP was deleted."
    # --- candidates, as their agents and the operator see them --------------------------------

    GATE_FAILING = "GateFailing", Use.CANDIDATE, "A gate fails on the node."
    ENDPOINT_NAMES_NO_NODE = (
        "EndpointNamesNoNode",
        Use.CANDIDATE,
        "A gate fails: externalTrafficPolicy Local does not count endpoints without nodeName.",
    )
    PODS_FORBIDDEN = (
        "PodsForbidden",
        Use.CANDIDATE,
        "A gate asks for pods of a namespace that is not in `podGates.namespaces` of the chart.",
    )
    GATE_UNKNOWN = "GateUnknown", Use.CANDIDATE, "A gate has had no verdict on the node yet."
    GATE_STALE = (
        "GateStale",
        Use.CANDIDATE,
        "A gate keeps its last verdict, since nothing newer is known.",
    )
    VERSION_UNREADABLE = (
        "VersionUnreadable",
        Use.CANDIDATE,
        "The speaker cannot read the newest version of the router, and runs an older one.",
    )
    NOT_IN_FORCE = (
        "NotInForce",
        Use.CANDIDATE | Use.STATE,
        "The newest version of the router cannot run on the node; what ran before goes on.",
    )
    PARTLY_PLACED = (
        "PartlyPlaced",
        Use.CANDIDATE,
        "The node lacks what some of the addresses need, and can hold the others.",
    )
    ADDRESS_CONFLICT = (
        "AddressConflict",
        Use.CANDIDATE | Use.CONDITION | Use.EVENT,
        "Another machine answers for an address that the node holds.",
    )
    ENGINE_AWAY = "EngineAway", Use.CANDIDATE, "The engine on the node does not answer its agent."
    NO_HEARTBEAT = (
        "NoHeartbeat",
        Use.CANDIDATE,
        "The node's speaker has no Lease, or has not renewed it for 25 s.",
    )
    NOT_APPLIED = (
        "NotApplied",
        Use.CANDIDATE,
        "The speaker does not run the newest revision of the router yet.",
    )

    # --- the condition Accepted ----------------------------------------------------------------

    ACCEPTED = (
        "Accepted",
        Use.ACCEPTED | Use.EVENT,
        "The VirtualIP is accepted: it is part of the plan.",
    )
    INVALID = (
        "Invalid",
        Use.ACCEPTED | Use.STATE,
        "A field has a value that cannot be, or there is no room in the group or on the node.",
    )
    NOT_SUPPORTED = (
        "NotSupported",
        Use.ACCEPTED,
        "A field asks for something that is not built yet.",
    )
    ADDRESS_IN_USE = (
        "AddressInUse",
        Use.ACCEPTED,
        (
            "Another VirtualIP has the address: the one that holds it keeps it, then the older "
            "one, then the first by namespace and name. Or a node has the address itself."
        ),
    )
    VIRTUAL_ROUTER_ID_IN_USE = (
        "VirtualRouterIDInUse",
        Use.ACCEPTED,
        "The VRID that it asks for is another election's on this network, or reserved.",
    )
    VIRTUAL_ROUTER_IDS_EXHAUSTED = (
        "VirtualRouterIDsExhausted",
        Use.ACCEPTED,
        (
            "All 255 VRIDs of the network are taken, reserved or used by others: share one in a "
            "`group`."
        ),
    )
    GROUP_MISMATCH = (
        "GroupMismatch",
        Use.ACCEPTED,
        "VirtualIPs of one group differ in what they must share.",
    )
    IMMUTABLE = (
        "Immutable",
        Use.ACCEPTED,
        "A parameter was changed that all nodes would have to change at the same moment.",
    )
    NOT_IN_POOL = (
        "NotInPool",
        Use.ACCEPTED,
        (
            "Addresses must come from a VirtualIPPool that the namespace may use, and this one "
            "does not."
        ),
    )
    MOVING = (
        "Moving",
        Use.ACCEPTED,
        "Another election is still releasing its addresses, or waits for a silent candidate.",
    )

    # --- the conditions but Accepted ----------------------------------------------------------

    ADDRESSES_DIFFER = (
        "AddressesDiffer",
        Use.CONDITION,
        "Another router announces other addresses with the same VRID: give both the same list.",
    )
    OTHER_VIRTUAL_ROUTER_ID = (
        "OtherVirtualRouterID",
        Use.CONDITION,
        "Another router on the link announces an address with another VRID: two may hold it.",
    )
    OTHER_VERSION = (
        "OtherVersion",
        Use.CONDITION,
        "Another router on the link announces an address in another version of VRRP.",
    )
    NO_CONFLICT = (
        "NoConflict",
        Use.CONDITION,
        "No other machine is known to use or announce the addresses.",
    )
    HELD = "Held", Use.CONDITION, "One node holds the addresses."
    SETTLING = (
        "Settling",
        Use.CONDITION,
        (
            "Two nodes claim the addresses; the earlier one has most likely just given them up "
            "and not reported it yet."
        ),
    )
    CONTESTED = (
        "Contested",
        Use.CONDITION | Use.EVENT,
        (
            "Two nodes or more hold the addresses at the same time: look for what keeps their "
            "adverts apart."
        ),
    )
    HOLDER_SILENT = (
        "HolderSilent",
        Use.CONDITION,
        "The last known holder has not been heard for 25 s, and no other node has taken over.",
    )
    HOLDER_UNREACHABLE = (
        "HolderUnreachable",
        Use.CONDITION,
        "The holder does not reach the API server, and its neighbours hear it: nothing moves.",
    )
    AWAITING_REPORTS = (
        "AwaitingReports",
        Use.CONDITION,
        (
            "The last claim has ended, and candidates that may hold the addresses have not "
            "reported since; for 25 s at most, mostly after trouble with the API server."
        ),
    )
    NO_CANDIDATES = (
        "NoCandidates",
        Use.CONDITION,
        (
            "No node that placement allows reports an interface in the subnet; if the speakers' "
            "pods are refused, the message says why."
        ),
    )
    NO_SPEAKERS = (
        "NoSpeakers",
        Use.CONDITION,
        (
            "No candidate has a speaker that is heard; if the speakers' pods are refused, the "
            "message says why."
        ),
    )
    ALL_WITHDRAWN = "AllWithdrawn", Use.CONDITION, "Every candidate reports that it takes no part."
    ELECTING = (
        "Electing",
        Use.CONDITION,
        "There are candidates, and none has taken the addresses yet.",
    )
    NOT_ACCEPTED = (
        "NotAccepted",
        Use.CONDITION,
        "The VirtualIP is refused, and nothing runs for it.",
    )
    GATES_PASSING = (
        "GatesPassing",
        Use.CONDITION,
        "One node holds the addresses, and its gates pass.",
    )
    GATES_FAILING = (
        "GatesFailing",
        Use.CONDITION,
        "Gates fail on the node that holds the addresses; no other candidate is better.",
    )
    NOT_CONTESTED = "NotContested", Use.CONDITION, "No two nodes are known to hold the addresses."
    SPEAKERS_BEHIND = (
        "SpeakersBehind",
        Use.CONDITION | Use.EVENT,
        "Speakers have not applied the newest revision for more than 30 s.",
    )
    PROGRESSING = (
        "Progressing",
        Use.CONDITION,
        "What was decided has been applied, or is being applied.",
    )

    # --- events -----------------------------------------------------------------------------

    BOUND = "Bound", Use.EVENT, "A node took the addresses, which nobody held before."
    MOVED = "Moved", Use.EVENT, "Another node took the addresses, and why."
    UNBOUND = (
        "Unbound",
        Use.EVENT,
        (
            "No node has held the addresses for longer than a takeover takes, and every candidate "
            "has renewed its Lease since (it is renewed every 10 s; a node that says nothing is "
            "waited for 25 s at most)."
        ),
    )
    REFUSED = "Refused", Use.EVENT, "The VirtualIP is refused; what ran before goes on."
    NO_SUCH_SERVICE = "NoSuchService", Use.EVENT, "serviceRef names a Service that does not exist."
    SPEAKERS_REFUSED = (
        "SpeakersRefused",
        Use.EVENT,
        (
            "No node can hold the addresses, since the speakers' pods or their DaemonSet are "
            "refused (Pod Security, a quota, an admission webhook), and why."
        ),
    )
    ADVICE = "Advice", Use.EVENT, "Something in the spec is accepted, and should be known."


# What can be wrong between a node and another router on its link.
NEIGHBOUR_PROBLEMS = (
    Reason.ADDRESSES_DIFFER,
    Reason.OTHER_VIRTUAL_ROUTER_ID,
    Reason.OTHER_VERSION,
)
