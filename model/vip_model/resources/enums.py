"""Words that fields choose from."""

from __future__ import annotations

import enum


class TransportType(enum.StrEnum):
    """How adverts reach the others."""

    MULTICAST = "Multicast"
    UNICAST = "Unicast"


class PreemptionChoice(enum.StrEnum):
    """What a user writes where a `PreemptionMode` is decided from."""

    AUTO = "Auto"
    ALWAYS = "Always"
    NEVER = "Never"
    DELAYED = "Delayed"


class AuthenticationType(enum.StrEnum):
    """How senders of adverts prove themselves."""

    PASSWORD = "Password"  # noqa: S105  the name of a method


class Handover(enum.StrEnum):
    """Order of a planned move."""

    MAKE_BEFORE_BREAK = "MakeBeforeBreak"
    BREAK_BEFORE_MAKE = "BreakBeforeMake"


class LinkLocalAddress(enum.StrEnum):
    """Whether an IPv6 virtual router gets a link-local address (RFC 9568 §5.2.9)."""

    AUTO = "Auto"
    ALWAYS = "Always"
    NEVER = "Never"


class Scheme(enum.StrEnum):
    """Scheme of an HTTP probe."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"


class UnlistedNodes(enum.StrEnum):
    """What a node is that is not among the candidates of a VirtualRouter."""

    REFUSED = "Refused"  # no candidate
    BY_HASH = "ByHash"  # static mode without Node documents: a candidate with a slot by hash


class SelectorOperator(enum.StrEnum):
    """Operators of a label selector."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
