"""What the operator wants written: one value for each write, carried out elsewhere in order.

Every write is fenced: it carries what the object must still be. One that is refused changes
nothing; the next snapshot shows what is there and the next round decides anew.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from vip_model.resources.virtual_ip import VirtualIPStatus
from vip_model.resources.virtual_router import VirtualRouter


@dataclass(frozen=True, slots=True)
class CreateRouter:
    """Create a VirtualRouter; its spec holds revision and epoch already."""

    router: VirtualRouter


@dataclass(frozen=True, slots=True)
class UpdateRouter:
    """Replace the spec of a VirtualRouter by a JSON patch.

    The patch tests metadata.uid, metadata.resourceVersion and spec.epoch of `before`.

    Attributes:
        before: as it was read.
        router: as it shall be.
    """

    before: VirtualRouter
    router: VirtualRouter


@dataclass(frozen=True, slots=True)
class DeleteRouter:
    """Delete a VirtualRouter, with uid and resourceVersion of this one as preconditions."""

    router: VirtualRouter


@dataclass(frozen=True, slots=True)
class SetStatus:
    """Replace the status of a VirtualIP by a JSON patch that tests uid and resourceVersion."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    status: VirtualIPStatus


@dataclass(frozen=True, slots=True)
class SetIngress:
    """Replace status.loadBalancer of a Service; the patch tests uid and resourceVersion.

    Attributes:
        addresses: the addresses, each with ipMode VIP; none clears the field.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    addresses: tuple[str, ...]


class EventType(enum.StrEnum):
    """As kubectl shows it."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Tell the user of a VirtualIP what happened; lost without harm.

    Attributes:
        reason: one CamelCase word, such as Moved.
        message: a sentence.
        node: the node it is about; empty for none.
    """

    namespace: str
    name: str
    uid: str
    type: EventType
    reason: str
    message: str
    node: str = ""


# Writes of the first kind are made one after the other, in this order: what a speaker has seen
# of one revision, it has seen of all smaller ones.
RouterChange = CreateRouter | UpdateRouter | DeleteRouter
StatusChange = SetStatus | SetIngress | EmitEvent
Change = RouterChange | StatusChange
