"""Node: the little that is read of a Kubernetes Node, or of a Node document in a file."""

from __future__ import annotations

from typing import Annotated

from vip_model.resources.base import Observed, Part, described
from vip_model.resources.metadata import ObjectMeta


class NodeAddress(Part, frozen=True, kw_only=True):
    """An address of a node."""

    type: Annotated[str, described("InternalIP, ExternalIP, Hostname, …")] = ""
    address: Annotated[str, described("The address.")]


class NodeStatus(Observed, frozen=True, kw_only=True):
    """What a node says of itself."""

    addresses: tuple[NodeAddress, ...] = ()


class Node(Part, frozen=True, kw_only=True):
    """A node: its name, its labels, its addresses."""

    api_version: str
    kind: str
    metadata: ObjectMeta
    status: NodeStatus = NodeStatus()

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.metadata.name
