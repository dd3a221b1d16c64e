"""Every reason that an engine, an agent or the operator gives, with what it means.

A reason is a word of CamelCase that programs may compare. What a person is told besides, such as
an address or an error of the kernel, stands in a message beside it.
"""

from __future__ import annotations

import enum
from typing import Self


class Use(enum.Flag):
    """Where a reason is given."""

    STATE = enum.auto()  # of a router, by its engine or agent
    CANDIDATE = enum.auto()  # of a candidate in the status of a VirtualIP, by the operator
    ACCEPTED = enum.auto()  # of the condition Accepted
    CONDITION = enum.auto()  # of the conditions Bound, Ready, Contested and Stalled
    EVENT = enum.auto()  # of an event


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

    NOT_STARTED = "NotStarted", Use.STATE, "The router has not begun to take part."
    STARTED = "Started", Use.STATE, "The router takes part since its engine started it."
    RESUMED = (
        "Resumed",
        Use.STATE,
        "The engine restarted and goes on as Active: nobody can have taken over meanwhile.",
    )
    ADDRESS_OWNER = "AddressOwner", Use.STATE, "The node owns the address (priority 255)."
    ACTIVE_DOWN = (
        "ActiveDown",
        Use.STATE,
        "No advert of an Active was heard for the whole Active_Down_Interval.",
    )
    ACTIVE_RESIGNED = "ActiveResigned", Use.STATE, "The Active sent priority 0."
    LOWER_PRIORITY_PREEMPTED = (
        "LowerPriorityPreempted",
        Use.STATE,
        "The Active had a lower priority, and this node was to replace it.",
    )
    NOBODY_TOOK_OVER = (
        "NobodyTookOver",
        Use.STATE,
        "The node resigned, and is Active again because no other node took over.",
    )
    HIGHER_PRIORITY_HEARD = (
        "HigherPriorityHeard",
        Use.STATE,
        "Another Active has a higher priority, or the same one and a greater address.",
    )
    OVERSLEPT = (
        "Overslept",
        Use.STATE,
        "The engine did not run for so long that others may have taken over; it listens first.",
    )
    GATE_FAILED = "GateFailed", Use.STATE, "A gate failed on the Active, which resigned."
    WITHDRAWN = (
        "Withdrawn",
        Use.STATE,
        "A gate with the action Withdraw fails: the node takes no part.",
    )
    RESTORED = "Restored", Use.STATE, "The gates that withdrew the node do so no longer."
    NOT_PLACEABLE = (
        "NotPlaceable",
        Use.STATE,
        "The node lacks what the router needs now: an interface, carrier, an address, a subnet.",
    )
    SOURCE_CHANGED = (
        "SourceChanged",
        Use.STATE,
        "The node's own address is another one, which the other nodes do not expect yet.",
    )
    RECOVERED = "Recovered", Use.STATE, "What the router needs on the node is there again."
    LINK_RETURNED = (
        "LinkReturned",
        Use.STATE,
        "What the router needs is there again, so soon that nobody can have taken over.",
    )
    BIND_FAILED = "BindFailed", Use.STATE, "The kernel refused the addresses; it is tried again."
    BIND_TIMED_OUT = (
        "BindTimedOut",
        Use.STATE,
        "The kernel did not confirm the addresses within 2 s; it is tried again.",
    )
    ADDRESS_REMOVED = (
        "AddressRemoved",
        Use.STATE,
        "Another program removes the address again and again; it is tried again later.",
    )
    ADDRESSES_NOT_RENEWED = (
        "AddressesNotRenewed",
        Use.STATE,
        "The lifetime of the addresses in the kernel could not be renewed in time.",
    )
    ADVERTS_NOT_SENT = "AdvertsNotSent", Use.STATE, "No advert could be sent on any interface."
    RETRIED = "Retried", Use.STATE, "The router takes part again after a failure, to try it again."
    STOPPED = "Stopped", Use.STATE, "The speaker was stopped, or no longer runs the router."
    RETIRED = "Retired", Use.STATE, "The VirtualIP was deleted."

    # --- candidates, as the operator sees them ----------------------------------------------

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

    ACCEPTED = "Accepted", Use.ACCEPTED | Use.EVENT, "The VirtualIP is part of the plan."
    INVALID = "Invalid", Use.ACCEPTED, "A field has a value that it cannot have."
    NOT_SUPPORTED = "NotSupported", Use.ACCEPTED, "A field asks for what is not built yet."
    ADDRESS_IN_USE = (
        "AddressInUse",
        Use.ACCEPTED,
        "An address belongs to another VirtualIP or to a node.",
    )
    VIRTUAL_ROUTER_ID_IN_USE = (
        "VirtualRouterIDInUse",
        Use.ACCEPTED,
        "The VRID is taken on the network, or reserved.",
    )
    VIRTUAL_ROUTER_IDS_EXHAUSTED = (
        "VirtualRouterIDsExhausted",
        Use.ACCEPTED,
        "All 255 VRIDs of the network are taken.",
    )
    GROUP_MISMATCH = (
        "GroupMismatch",
        Use.ACCEPTED,
        "A field that a group shares differs from what the group has.",
    )
    IMMUTABLE = "Immutable", Use.ACCEPTED, "A field was changed that cannot change."
    NOT_IN_POOL = "NotInPool", Use.ACCEPTED, "The address is in no pool, and has to be in one."
    MOVING = (
        "Moving",
        Use.ACCEPTED,
        "The VirtualIP is accepted as soon as the election that it leaves has let go.",
    )

    # --- the conditions Bound, Ready, Contested and Stalled ----------------------------------

    HELD = "Held", Use.CONDITION, "One node holds the addresses."
    SETTLING = (
        "Settling",
        Use.CONDITION,
        "Two nodes claim the addresses; the earlier one has most likely just given them up.",
    )
    CONTESTED = (
        "Contested",
        Use.CONDITION | Use.EVENT,
        "Two nodes or more hold the addresses at the same time.",
    )
    HOLDER_SILENT = (
        "HolderSilent",
        Use.CONDITION,
        "The last known holder's speaker is not heard any more, and no other node has taken over.",
    )
    AWAITING_REPORTS = (
        "AwaitingReports",
        Use.CONDITION,
        "The last claim has ended; candidates that may hold the addresses have not reported since.",
    )
    NO_CANDIDATES = "NoCandidates", Use.CONDITION, "No node can hold the addresses."
    NO_SPEAKERS = "NoSpeakers", Use.CONDITION, "No candidate has a speaker that is heard."
    ALL_WITHDRAWN = (
        "AllWithdrawn",
        Use.CONDITION,
        "Every candidate reports that it takes no part.",
    )
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
        "Gates fail on the node that holds the addresses.",
    )
    NOT_CONTESTED = (
        "NotContested",
        Use.CONDITION,
        "No two nodes are known to hold the addresses.",
    )
    SPEAKERS_BEHIND = (
        "SpeakersBehind",
        Use.CONDITION,
        "Speakers have not applied the newest revision for more than 30 s.",
    )
    PROGRESSING = (
        "Progressing",
        Use.CONDITION,
        "What was decided has been applied, or is being applied.",
    )

    # --- events -----------------------------------------------------------------------------

    BOUND = "Bound", Use.EVENT, "A node took the addresses, which nobody held before."
    MOVED = "Moved", Use.EVENT, "Another node took the addresses."
    UNBOUND = "Unbound", Use.EVENT, "Nobody holds the addresses any more."
    REFUSED = "Refused", Use.EVENT, "The VirtualIP is refused; what ran before goes on."
    NO_SUCH_SERVICE = (
        "NoSuchService",
        Use.EVENT,
        "serviceRef names a Service that does not exist.",
    )
    SPEAKERS_REFUSED = (
        "SpeakersRefused",
        Use.EVENT,
        "The speakers' pods or their DaemonSet are refused, so that nobody can hold the addresses.",
    )
    ADVICE = "Advice", Use.EVENT, "Something in the spec is accepted, and should be known."
