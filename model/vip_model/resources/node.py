"""Node: the little that is read of a Kubernetes Node, or of a Node document in a file."""

from __future__ import annotations

from typing import Annotated

from vip_model.resources.base import Observed, Part, described
from vip_model.resources.metadata import ObjectMeta

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


class NodeAddress(Part, frozen=True, kw_only=True):
    """An address of a node."""

    type: Annotated[str, described("InternalIP, ExternalIP, Hostname, …")] = ""
    address: Annotated[str, described("The address.")]


class NodeCondition(Observed, frozen=True, kw_only=True):
    """A condition of a node, as far as it is read."""

    type: str
    status: str


class NodeStatus(Observed, frozen=True, kw_only=True):
    """What a node says of itself."""

    addresses: tuple[NodeAddress, ...] = ()
    conditions: tuple[NodeCondition, ...] = ()


class Taint(Observed, frozen=True, kw_only=True):
    """A taint of a node, as far as it is read."""

    key: str


class NodeSpec(Observed, frozen=True, kw_only=True):
    """What others say of a node."""

    taints: tuple[Taint, ...] = ()


class Node(Part, frozen=True, kw_only=True):
    """A node: its name, its labels, its addresses, and whether it is out of service."""

    api_version: str
    kind: str
    metadata: ObjectMeta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.metadata.name

    @property
    def out_of_service(self) -> bool:
        """It is not ready, and an administrator says that it is shut down."""
        ready = any(
            each.type == "Ready" and each.status == "True" for each in self.status.conditions
        )
        return not ready and any(each.key == OUT_OF_SERVICE for each in self.spec.taints)
