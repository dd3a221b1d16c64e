"""A cluster of kind's on a Docker network of its own, with a client beside it; nothing stays.

    with KindCluster() as cluster:
        cluster.kubectl.apply(manifest)
        cluster.power_off(cluster.names[0])

It has the interface of vip_lab.cluster (`AnyCluster`). The network is 192.0.2.0/24: Docker gives
containers addresses below .64, the client is .200.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import LEASES, NODES
from vip_lab import namespaces
from vip_lab.cluster.say import step
from vip_lab.host import Host
from vip_lab.kind import config, images, remains
from vip_lab.kind.bridge import Bridge
from vip_lab.kind.commands import docker, kind, why_no_kind
from vip_lab.kind.control_plane import KindControlPlane
from vip_lab.kind.node import KindNode
from vip_lab.kubernetes.api import Api
from vip_lab.kubernetes.control_plane import SERVICE_RANGE
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.kubernetes.objects import SERVICE_ACCOUNTS, is_ready
from vip_lab.kubernetes.place import Place
from vip_lab.namespaces import LabError
from vip_lab.running import Running
from vip_lab.wait import NotInTimeError, until

_NETWORK = ("--subnet=192.0.2.0/24", "--ip-range=192.0.2.0/26", "--gateway=192.0.2.1")
_CLIENT_ADDRESS = "192.0.2.200"
_CLIENT_MAC = "02:00:00:00:02:00"
_CLIENT_PORT = "vip-client"
_NODE_LEASES = "kube-node-lease"
_CREATION = "180s"
_SECONDS_TO_BE_READY = 120.0
# The controllers of kind wait 50 s before they call a silent node NotReady.
_SECONDS_TO_BE_MISSED = 90.0


class KindCluster(Running):
    """A running cluster; a context manager.

    Args:
        path: configuration of kind.
    """

    def __init__(self, path: Path = config.PATH) -> None:
        self._path = path
        self._name = namespaces.unique_name()
        self._stack = ExitStack()
        self._nodes: dict[str, KindNode] = {}
        self._client: Host
        self._plane: KindControlPlane

    def start(self) -> None:
        """Make it; return when its workers are Ready. Raises LabError if they are not."""
        reason = why_no_kind()
        if reason is not None:
            raise LabError(f"no cluster by kind: it {reason}")
        remains.sweep()
        self._build(self._stack)

    def close(self) -> None:
        """Remove containers, Docker network, namespaces and files."""
        self._stack.close()

    # --- its parts -------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """Names of the workers, in order."""
        return list(self._nodes)

    @property
    def client(self) -> Host:
        """A host on the Docker network that is no container."""
        return self._client

    @property
    def kubectl(self) -> Kubectl:
        """The command kubectl, as admin."""
        return self._plane.kubectl

    @property
    def kubeconfig(self) -> Path:
        """What kind wrote, for nobody's home."""
        return self._plane.kubeconfig

    @property
    def admin_host(self) -> Host | None:
        """None: Docker forwards a port of loopback to the API server."""
        return None

    @property
    def chart_options(self) -> Sequence[str]:
        """Speakers tolerate everything by default, and would run on the control plane's node."""
        return ("--set-json=speaker.tolerations=[]",)

    @property
    def api(self) -> Api:
        """The API as admin, without kubectl."""
        return self._plane.api

    def host(self, name: str) -> Host:
        """Return a node's own network. Raises LabError if the node has no power."""
        return self._nodes[name].host

    def has_power(self, name: str) -> bool:
        """Return whether a node was switched on last, not off."""
        return self._nodes[name].has_power

    # --- what can be done to it ------------------------------------------------------------------

    def exec(self, name: str, *command: str) -> str:
        """Run a command on a node and return its output. Raises LabError if it fails."""
        return self._nodes[name].exec(*command)

    def load_image(self, archive: Path) -> None:
        """Import a docker archive on every node that runs, the control plane's included."""
        running = [each.name for each in self._nodes.values() if each.has_power]
        nodes = ",".join([config.control_plane(self._name), *running])
        kind("load", "image-archive", str(archive), f"--name={self._name}", f"--nodes={nodes}")

    def holders(self, address: str) -> list[str]:
        """Return the nodes that have power and the address in their kernel."""
        powered = (each for each in self._nodes.values() if each.has_power)
        return [each.name for each in powered if each.host.holds(address)]

    def power_off(self, name: str) -> None:
        """Cut a node's power: it vanishes from the LAN and everything on it dies at once."""
        self._nodes[name].power_off()

    def power_on(self, name: str) -> None:
        """Boot a node that has no power; its disk is as it was. Returns before it is Ready."""
        self._nodes[name].power_on()

    def cut(self, name: str) -> None:
        """Pull a node's cable; it goes on, without carrier."""
        self._nodes[name].cut()

    def restore(self, name: str) -> None:
        """Plug it in again."""
        self._nodes[name].restore()

    def stop_api(self, *, at_once: bool = False) -> None:
        """Stop the API server in an orderly way, or kill it at once.

        Unlike in vip_lab.cluster the controllers go on, and come back to it in their own time.
        """
        self._plane.stop(at_once=at_once)

    def start_api(self) -> None:
        """Start it again; return when it is ready."""
        self._plane.start()

    def api_ready(self) -> bool:
        """Return whether the API server says that it is ready."""
        return self._plane.ready()

    # --- waiting ---------------------------------------------------------------------------------

    def ready_nodes(self) -> list[str]:
        """Return the names of the workers that are Ready."""
        ready = {each["metadata"]["name"] for each in self.api.items(NODES) if is_ready(each)}
        return [name for name in self._nodes if name in ready]

    def await_ready(self, name: str, seconds: float = _SECONDS_TO_BE_READY) -> None:
        """Wait until a node is Ready. Raises LabError with its last words if it is not."""
        look = self._ready_or_gone
        try:
            until(f"node {name} to be Ready", lambda: look(name), seconds, every=0.2)
        except NotInTimeError as error:
            raise LabError(f"{error}\n{self._nodes[name].last_words()}") from error

    def await_not_ready(self, name: str, seconds: float = _SECONDS_TO_BE_MISSED) -> None:
        """Wait until the control plane has noticed that a node is gone."""
        what = f"node {name} to be NotReady"
        until(what, lambda: name not in self.ready_nodes(), seconds, every=0.2)

    def last_words(self) -> str:
        """Return the last lines of every node's log."""
        return "\n".join(each.last_words() for each in self._nodes.values())

    # --- building --------------------------------------------------------------------------------

    def _build(self, stack: ExitStack) -> None:
        place = Place()
        stack.callback(place.close)
        kubeconfig = place.directory / "kubeconfig"
        # First of all and removed last: while it is there the cluster has an owner.
        self._add_client(stack, place)
        workers = config.workers(self._name, self._path)
        image = images.build()
        stack.callback(remains.remove, self._name, kubeconfig)
        bridge = self._make_network()
        self._create(kubeconfig)
        for name in workers:
            self._nodes[name] = KindNode(name, self._name, bridge, place.directory)
            self._nodes[name].enter()
        self._plane = KindControlPlane(config.control_plane(self._name), kubeconfig, place)
        images.load(self._name, image)
        bridge.plug(self._client, _CLIENT_PORT)
        first = self._nodes[workers[0]].host.ipv4
        self._client.ip("route", "replace", SERVICE_RANGE, "via", first)
        for name in workers:
            self.await_ready(name)
        until(
            "the ServiceAccount of namespace default",
            lambda: self.api.find(SERVICE_ACCOUNTS, "default", "default"),
            _SECONDS_TO_BE_READY,
        )

    def _add_client(self, stack: ExitStack, place: Place) -> None:
        namespace = remains.client_namespace(self._name)
        stack.callback(namespaces.remove, namespace)
        namespaces.add(namespace)
        self._client = Host(
            name="client",
            namespace=namespace,
            ipv4=_CLIENT_ADDRESS,
            ipv6="",
            mac=_CLIENT_MAC,
            directory=place.directory,
        )

    def _make_network(self) -> Bridge:
        label = f"--label={remains.LABEL}"
        docker("network", "create", "--driver=bridge", *_NETWORK, label, self._name)
        shown = json.loads(docker("network", "inspect", self._name))[0]
        # What Docker calls the interface unless it is told a name.
        return Bridge(f"br-{shown['Id'][:12]}")

    def _create(self, kubeconfig: Path) -> None:
        words = ("create", "cluster", f"--name={self._name}", f"--config={self._path}")
        with step("creating a cluster with kind", "60 s, and its node image the first time"):
            kind(*words, f"--kubeconfig={kubeconfig}", f"--wait={_CREATION}", network=self._name)

    def _ready_or_gone(self, name: str) -> bool:
        if not self._nodes[name].runs():
            raise LabError(f"node {name} has ended:\n{self._nodes[name].last_words()}")
        with contextlib.suppress(ApiError, UnreachableError):
            found = self.api.find(NODES, name)
            lease = self.api.find(LEASES, name, _NODE_LEASES)
            since_seconds = self._nodes[name].powered_at_seconds
            return found is not None and is_ready(found) and renewed_after(lease, since_seconds)
        return False


def renewed_after(lease: dict[str, Any] | None, since_seconds: float) -> bool:
    """Return whether a kubelet renewed its Lease after a moment, in seconds of the wall clock.

    A node that lost power for less than the controllers' patience is Ready all the while.
    """
    renewed = (lease or {}).get("spec", {}).get("renewTime")
    return renewed is not None and datetime.fromisoformat(renewed).timestamp() > since_seconds
