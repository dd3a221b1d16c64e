"""A control plane with our kinds of objects, and a clean slate after each test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from support.rings import ROOT
from vip_common.kinds import SPEAKERS, VIRTUAL_IP_POOLS, VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_kube.errors import ApiError
from vip_kube.kinds import NODES, PODS, Kind
from vip_lab.host import Host
from vip_lab.kubernetes.api import Api, JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.objects import NAMESPACES, delete_pod
from vip_lab.wait import until

OUR_KINDS = (VIRTUAL_IPS, VIRTUAL_IP_POOLS, VIRTUAL_ROUTERS, SPEAKERS)
CRDS = sorted((ROOT / "crds").glob("*.yaml"))
CLUSTER_ROLE_BINDINGS = Kind(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)

_KUBERNETES_OWN = ("default", "kube-node-lease", "kube-public", "kube-system")
_SECONDS_TO_VANISH = 30.0


def control_plane(host: Host | None = None, **options: Any) -> ControlPlane:
    """Return a control plane with our CRDs, to be entered; on a host of a LAN if one is given."""
    return ControlPlane(host, manifests=CRDS, **options)


def allow_everything(api: Api, *users: str) -> None:
    """Let users do everything: for tests of something else than roles."""
    for user in users:
        name = f"everything-for-{user.replace(':', '-')}"
        if api.find(CLUSTER_ROLE_BINDINGS, name) is None:
            api.create(CLUSTER_ROLE_BINDINGS, _binding(name, user))


def clean_up(api: Api) -> None:
    """Remove every object of ours, every Node and every namespace that a test may have left.

    Namespaces vanish in their own time; what the next test could see is gone on return.
    """
    for kind in (*OUR_KINDS, NODES):
        _remove_all(api, kind)
    # Without kubelets nobody confirms that a Pod has ended, and its namespace would wait for that.
    for pod in api.items(PODS):
        delete_pod(api, pod["metadata"]["namespace"], pod["metadata"]["name"])
    for namespace in api.items(NAMESPACES):
        name = namespace["metadata"]["name"]
        if name not in _KUBERNETES_OWN:
            api.delete(NAMESPACES, name)


def _remove_all(api: Api, kind: Kind) -> None:
    try:
        for each in _delete_each(api, kind):
            _drop_finalizers(api, kind, each)
    except ApiError as error:
        if not error.not_found:  # a test may have deleted the CRD
            raise
        return
    until(
        f"the last {kind.name} to be gone",
        lambda: not api.items(kind),
        _SECONDS_TO_VANISH,
        show=lambda: [each["metadata"] for each in api.items(kind)],
    )


def _delete_each(api: Api, kind: Kind) -> Sequence[JsonObject]:
    for each in api.items(kind):
        metadata = each["metadata"]
        api.delete(kind, metadata["name"], metadata.get("namespace"))
    return api.items(kind)


def _drop_finalizers(api: Api, kind: Kind, body: JsonObject) -> None:
    """What waits for a program that a test killed would wait for ever."""
    metadata = body["metadata"]
    if not metadata.get("finalizers"):
        return
    patch = {"metadata": {"finalizers": None}}
    try:
        api.patch(kind, metadata["name"], patch, metadata.get("namespace"))
    except ApiError as error:
        if not error.not_found:
            raise


def _binding(name: str, user: str) -> JsonObject:
    return {
        "apiVersion": CLUSTER_ROLE_BINDINGS.api_version,
        "kind": CLUSTER_ROLE_BINDINGS.name,
        "metadata": {"name": name},
        "roleRef": {
            "apiGroup": CLUSTER_ROLE_BINDINGS.group,
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [
            {"apiGroup": CLUSTER_ROLE_BINDINGS.group, "kind": "User", "name": user},
        ],
    }
