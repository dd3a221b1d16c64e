"""Words that a field or a message chooses from."""

from __future__ import annotations

import enum


class Family(enum.StrEnum):
    """Address family of one VRRP instance."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"


class Protocol(enum.StrEnum):
    """Version of VRRP on the wire."""

    VRRP_V3 = "VRRPv3"
    VRRP_V2 = "VRRPv2"


class State(enum.StrEnum):
    """State of a virtual router (RFC 9568 §6.4)."""

    INITIALIZE = "Initialize"
    BACKUP = "Backup"
    ACTIVE = "Active"


class Substate(enum.StrEnum):
    """What a virtual router does within its state (docs/protocol.md, "States")."""

    # Initialize
    IDLE = "Idle"  # not started, or left for good
    FAULTED = "Faulted"  # lacks its link, its source address or every instance
    RETRYING = "Retrying"  # could not bind, and will try again
    WITHDRAWN = "Withdrawn"  # a gate keeps it out
    # Backup
    WAITING = "Waiting"  # for its Active_Down_Timer
    LISTENING = "Listening"  # once more, before it may claim
    ADOPTED = "Adopted"  # holds what an earlier life left, until somebody speaks
    BINDING = "Binding"  # succeeds, and says so when the addresses are bound
    YIELDING = "Yielding"  # resigned, and holds until its successor speaks
    LEAVING = "Leaving"  # the same, and does not come back
    # Active
    ESTABLISHED = "Established"
    PROVISIONAL = "Provisional"  # claimed from silence, and has not been up for long
    RETIRING = "Retiring"  # given up everywhere, serves until the others know


class PreemptionMode(enum.StrEnum):
    """Preempt_Mode (RFC 9568 §6.1); Delayed waits until a lower Active was heard for so long."""

    ALWAYS = "Always"
    NEVER = "Never"
    DELAYED = "Delayed"


class FailureAction(enum.StrEnum):
    """What a failing gate does to its node."""

    LOWER_PRIORITY = "LowerPriority"
    WITHDRAW = "Withdraw"


class Checksum(enum.StrEnum):
    """Form of the IPv4 checksum that is sent; both are accepted (RFC 9568 §5.2.8)."""

    PSEUDO_HEADER = "PseudoHeader"
    MESSAGE_ONLY = "MessageOnly"


class GateState(enum.StrEnum):
    """What a gate says of this node. Unknown counts as failing only after a cold start."""

    PASSING = "Passing"
    FAILING = "Failing"
    UNKNOWN = "Unknown"
    NOT_APPLICABLE = "NotApplicable"


class Use(enum.Flag):
    """Where a reason is given."""

    STATE = enum.auto()  # of a router, by its engine or agent
    CANDIDATE = enum.auto()  # of a candidate in a VirtualIP's status, by its agent or the operator
    ACCEPTED = enum.auto()  # of the condition Accepted
    CONDITION = enum.auto()  # of the conditions but Accepted
    EVENT = enum.auto()  # of an event
