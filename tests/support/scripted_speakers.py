"""Speakers as the API shows them: Nodes, reports and Leases that a test writes; no agent runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from vip_common.kinds import SPEAKERS, VIRTUAL_ROUTERS
from vip_kube.kinds import LEASES, NODES
from vip_lab.kubernetes.api import Api, JsonObject
from vip_lab.kubernetes.objects import make_node

APPLIED_REVISION = "vip-operator.io/applied-revision"


class ScriptedSpeakers:
    """Nodes on 192.0.2.0/24 and 2001:db8::/64, each with a speaker that says what a test says.

    Args:
        api: as a user who may write everything.
        namespace: the operator's, where the Leases are.
        nodes: their names.
    """

    def __init__(self, api: Api, namespace: str, nodes: Sequence[str] = ("n1", "n2", "n3")) -> None:
        self._api = api
        self._namespace = namespace
        self.nodes = tuple(nodes)
        for number, node in enumerate(self.nodes, 1):
            make_node(api, node, f"192.0.2.{number}")
            api.create(LEASES, self._lease(node))
        self.report_again()

    def report_again(self) -> None:
        """Create the Speakers, as agents do when theirs have vanished."""
        for number, node in enumerate(self.nodes, 1):
            uid = self._api.get(NODES, node)["metadata"]["uid"]
            self._make_speaker(node, number, uid)

    def claim(self, node: str, *routers: str, reason: str = "Elected") -> None:
        """Report that a node is Active for these VirtualRouters, since now, and no others."""
        since = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        active = [{"router": router, "since": since, "reason": reason} for router in routers]
        self._api.patch(SPEAKERS, node, {"status": {"active": active}}, subresource="status")

    def watch(self, node: str, *, heard: bool, by: Sequence[str]) -> None:
        """Let nodes report whether they hear another one."""
        patch = {"status": {"watched": [{"node": node, "heard": heard}]}}
        for each in by:
            self._api.patch(SPEAKERS, each, patch, subresource="status")

    def acknowledge(self, *nodes: str) -> int:
        """Renew the Leases of these nodes, or of all, with all that is written as applied."""
        revisions = [each["spec"].get("revision", 0) for each in self._api.items(VIRTUAL_ROUTERS)]
        newest = max(revisions, default=0)
        for node in nodes or self.nodes:
            patch = {
                "metadata": {"annotations": {APPLIED_REVISION: str(newest)}},
                "spec": {"renewTime": _micro_time()},
            }
            self._api.patch(LEASES, f"vip-speaker-{node}", patch, self._namespace)
        return newest

    def _make_speaker(self, node: str, number: int, uid: str) -> None:
        owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid}
        body = {
            "apiVersion": SPEAKERS.api_version,
            "kind": SPEAKERS.name,
            "metadata": {"name": node, "ownerReferences": [owner]},
        }
        self._api.create(SPEAKERS, body)
        interface = {
            "name": "eth0",
            "mac": f"02:00:00:00:00:{number:02x}",
            "subnets": [f"192.0.2.{number}/24", f"2001:db8::{number}/64", f"fe80::{number}/64"],
        }
        status = {"interfaces": [interface]}
        self._api.patch(SPEAKERS, node, {"status": status}, subresource="status")

    def _lease(self, node: str) -> JsonObject:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.name,
            "metadata": {"name": f"vip-speaker-{node}", "namespace": self._namespace},
            "spec": {"holderIdentity": node, "renewTime": _micro_time()},
        }


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
