"""The control plane of a cluster of real nodes: it schedules pods and judges silent nodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vip_lab.host import Host
from vip_lab.kubernetes import binaries
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.credentials import CONTROLLER_MANAGER, USERS, User
from vip_lab.process import Process

PROXY = "system:kube-proxy"

_SCHEDULER = "system:kube-scheduler"
_MANY_REQUESTS = ("--kube-api-qps=500", "--kube-api-burst=500")


def kubelet_user(node: str) -> str:
    """Return the name that a node's kubelet has for the API server."""
    return f"system:node:{node}"


class RealControlPlane(ControlPlane):
    """Everything that runs in a cluster beside its nodes.

    Args:
        host: host of a LAN to run on.
        nodes: names of the nodes that will join.
        manifests: files to apply before the controllers start.
    """

    def __init__(self, host: Host, nodes: Sequence[str], manifests: Sequence[Path] = ()) -> None:
        kubelets = (User(kubelet_user(name), ("system:nodes",)) for name in nodes)
        users = (*USERS, *kubelets, User(PROXY), User(_SCHEDULER))
        # Nobody resolves the names of nodes here.
        api_flags = ("--kubelet-preferred-address-types=InternalIP",)
        super().__init__(host, users=users, manifests=manifests, api_flags=api_flags)

    def _start_controllers(self) -> None:
        authority = self.credentials.authority.certificate
        command = [
            binaries.path("kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig(CONTROLLER_MANAGER)}",
            f"--root-ca-file={authority}",
            f"--service-account-private-key-file={self.credentials.service_account_key}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            *_MANY_REQUESTS,
            # A silent node is NotReady after 10 s, not 50.
            *("--node-monitor-grace-period=10s", "--node-monitor-period=1s"),
            "--secure-port=0",
        ]
        manager = self.place.start("kube-controller-manager", command)
        self._controllers = [manager, self._start_scheduler()]

    def _start_scheduler(self) -> Process:
        command = [
            binaries.path("kube-scheduler"),
            f"--kubeconfig={self.kubeconfig(_SCHEDULER)}",
            "--leader-elect=false",
            *_MANY_REQUESTS,
            "--secure-port=0",
        ]
        return self.place.start("kube-scheduler", command)
