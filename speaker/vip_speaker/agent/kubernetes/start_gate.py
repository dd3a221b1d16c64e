"""The gate that a returning node takes no address before its own Node was seen Ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vip_kube.conditions import READY, is_true
from vip_kube.wire import Object
from vip_model.vocabulary import GateState
from vip_speaker.messages import Verdict


class NodeWatch:
    """What is known of the own Node object; the handler of its reflector.

    Args:
        name: name of the node.
        boot_id: of the running kernel; a Ready from before the boot says nothing of this one.

    Attributes:
        name: name of the node.
        listed: set once the API has said whether there is such an object.
    """

    def __init__(self, name: str, boot_id: str) -> None:
        self.name = name
        self.listed = asyncio.Event()
        self._boot_id = boot_id
        self._uid = ""
        self._address = ""
        self._ready_since_boot = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def uid(self) -> str:
        """Its uid, empty while there is no such object."""
        return self._uid

    @property
    def address(self) -> str:
        """Its first InternalIP; empty while that is not known."""
        return self._address

    @property
    def ready_since_boot(self) -> bool:
        """It was Ready once since this kernel started."""
        return self._ready_since_boot

    def listen(self, listener: Callable[[], None]) -> None:
        """Call at every change of what is known."""
        self._listeners.append(listener)

    def ignore(self, listener: Callable[[], None]) -> None:
        """Call no more."""
        self._listeners.remove(listener)

    def upsert(self, content: Object) -> None:
        """Take the Node as it is now."""
        self._address = internal_address(content)
        self._set(str(content["metadata"]["uid"]), ready=is_ready(content, self._boot_id))

    def delete(self, content: Object) -> None:  # noqa: ARG002  there is but one
        """The Node is gone; what was seen of it still holds."""
        self._set("", ready=False)

    def synced(self) -> None:
        """The API has answered."""
        self.listed.set()

    def _set(self, uid: str, *, ready: bool) -> None:
        before = (self._uid, self._ready_since_boot)
        self._uid = uid
        self._ready_since_boot = self._ready_since_boot or ready
        if before != (self._uid, self._ready_since_boot):
            for listener in list(self._listeners):
                listener()


class StartGate:
    """Unknown until the node was seen Ready since boot, Passing for ever after."""

    tally = None

    def __init__(self, node: NodeWatch, on_change: Callable[[], None]) -> None:
        self._node = node
        self._on_change = on_change
        self._told = node.ready_since_boot

    @property
    def verdict(self) -> Verdict:
        """The verdict now."""
        if self._node.ready_since_boot:
            reason = f"Node {self._node.name} was seen Ready since boot"
            return Verdict(state=GateState.PASSING, reason=reason)
        reason = f"Node {self._node.name} was not seen Ready since boot"
        return Verdict(state=GateState.UNKNOWN, reason=reason)

    def start(self) -> None:
        """Begin to listen."""
        self._node.listen(self._changed)

    async def stop(self) -> None:
        """Listen no more."""
        self._node.ignore(self._changed)

    def _changed(self) -> None:
        if self._node.ready_since_boot and not self._told:
            self._told = True
            self._on_change()


def internal_address(node: Object) -> str:
    """Return the first address of type InternalIP of a Node object, empty if it has none."""
    for each in (node.get("status") or {}).get("addresses") or ():
        if each.get("type") == "InternalIP":
            return str(each.get("address", ""))
    return ""


def is_ready(node: Object, boot_id: str) -> bool:
    """Return whether a Node object says Ready of the kernel with this boot id."""
    status = node.get("status") or {}
    reported = (status.get("nodeInfo") or {}).get("bootID", "")
    if reported not in ("", boot_id):
        return False
    return is_true(node, READY)
