"""Configuration of what runs on a node: containerd, its network plugin, kubelet, kube-proxy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from vip_lab.cluster.archive import PAUSE

POD_NETWORKS = "10.244.0.0/16"
PLUGIN_DIRECTORY = "/usr/lib/cni"

_CONTAINERD = """\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
disable_apparmor = true
disable_hugetlb_controller = true
# Without the capability SYS_RESOURCE runc dies on a score below the one we have.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{settings}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a node finds its configuration and what differs from node to node.

    Attributes:
        name: of the node.
        number: counted from 1; the pod network is 10.244.NUMBER.0/24.
        directory: for the files.
        kubelet: kubeconfig of the kubelet.
        proxy: kubeconfig of kube-proxy.
    """

    name: str
    number: int
    directory: Path
    kubelet: Path
    proxy: Path

    @property
    def pod_network(self) -> str:
        """IPv4 network of the pods on this node."""
        return f"10.244.{self.number}.0/24"

    def write(self) -> None:
        """Write all files that node-init expects."""
        (self.directory / "cni").mkdir(parents=True, exist_ok=True)
        (self.directory / "containerd.toml").write_text(self._containerd())
        (self.directory / "cni/lab.conflist").write_text(json.dumps(self._network()))
        (self.directory / "kubelet.yaml").write_text(yaml.safe_dump(self._kubelet()))
        (self.directory / "kube-proxy.yaml").write_text(yaml.safe_dump(self._proxy()))
        (self.directory / "kubelet.kubeconfig").write_text(self.kubelet.read_text())

    def _containerd(self) -> str:
        return _CONTAINERD.format(pause=PAUSE, plugins=PLUGIN_DIRECTORY, settings=self.directory)

    def _network(self) -> dict[str, object]:
        # Point to point, not a bridge: pods of one node that meet through a Service's address
        # would otherwise answer each other past the node's address translation.
        plugin = {
            "type": "ptp",
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                # On a disk that a power cut empties, as it ends all pods.
                "dataDir": "/run/cni-addresses",
                "ranges": [[{"subnet": self.pod_network}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
        return {"cniVersion": "0.4.0", "name": "lab", "plugins": [plugin]}

    def _kubelet(self) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
            "resolvConf": "",
            # The API server shows no certificate here; nobody else is in this network.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            "makeIPTablesUtilChains": False,
            # The disk is everybody's: its filling is no reason to evict a pod of a test.
            "localStorageCapacityIsolation": False,
            "imageGCHighThresholdPercent": 100,
            "evictionHard": dict.fromkeys(
                ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available"),
                "0%",
            ),
            "nodeStatusUpdateFrequency": "2s",
            "nodeLeaseDurationSeconds": 8,
        }

    def _proxy(self) -> dict[str, object]:
        # Zero: leave the machine's connection tracking as it is.
        conntrack = {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        }
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(self.proxy)},
            "hostnameOverride": self.name,
            "mode": "nftables",
            "clusterCIDR": POD_NETWORKS,
            "conntrack": conntrack,
        }
