"""Three nodes, a control plane and a client on a LAN: a cluster that leaves nothing behind.

    with Cluster() as cluster:
        cluster.kubectl.apply(manifest)
        cluster.power_off("n2")

The LAN is 192.0.2.0/24: control .11, n1 .12, n2 .13, n3 .14, client .15; the pods of node N have
10.244.N.0/24, Services 10.96.0.0/16. There is no DNS.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import NODES
from vip_lab import namespaces
from vip_lab.cluster import images, node, store
from vip_lab.cluster.control import PROXY, RealControlPlane, kubelet_user
from vip_lab.cluster.inotify import InotifyLimit, restore_for_the_dead
from vip_lab.cluster.node import Node
from vip_lab.cluster.packages import why_no_cluster
from vip_lab.cluster.settings import Settings
from vip_lab.host import Host
from vip_lab.kubernetes.api import Api
from vip_lab.kubernetes.control_plane import SERVICE_RANGE
from vip_lab.kubernetes.guard import Guard
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.kubernetes.objects import SERVICE_ACCOUNTS, is_ready
from vip_lab.lan import Lan
from vip_lab.namespaces import LabError
from vip_lab.running import Running
from vip_lab.wait import NotInTimeError, until

CONTROL = "control"
CLIENT = "client"

_NODES = ("n1", "n2", "n3")
_SECONDS_TO_BE_READY = 90.0
_SECONDS_TO_BE_MISSED = 30.0


class Cluster(Running):
    """A running cluster; a context manager.

    Args:
        nodes: their names.
        archives: docker archives that every node holds; None: pause and the project's image.
        manifests: files to apply before the controllers start, such as our CRDs.

    Attributes:
        lan: hosts and links.
        plane: the control plane, on the host `control`: stop_api(), start_api(), users.
        ready_after_seconds: how long the nodes took from power to Ready.
    """

    def __init__(
        self,
        nodes: Sequence[str] = _NODES,
        archives: Sequence[Path] | None = None,
        manifests: Sequence[Path] = (),
    ) -> None:
        self._names = list(nodes)
        self._archives = archives
        self._manifests = manifests
        self._stack = ExitStack()
        self._nodes: dict[str, Node] = {}
        self.lan: Lan
        self.plane: RealControlPlane
        self.ready_after_seconds = 0.0

    def start(self) -> None:
        """Make it; return when its nodes are Ready. Raises LabError if they are not."""
        reason = why_no_cluster()
        if reason is not None:
            raise LabError(f"no cluster: it {reason}")
        golden = store.golden(self._archives or images.usual())
        self._build(self._stack, golden)

    def close(self) -> None:
        """End every process, remove namespaces, control groups and files, restore the sysctl."""
        self._stack.close()

    # --- its parts -------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """Names of the nodes, in order."""
        return list(self._names)

    @property
    def client(self) -> Host:
        """A host on the LAN that is no node and runs no pods."""
        return self.lan[CLIENT]

    @property
    def control(self) -> Host:
        """The host of the control plane."""
        return self.lan[CONTROL]

    @cached_property
    def kubectl(self) -> Kubectl:
        """The command kubectl, as admin."""
        return self.plane.kubectl()

    @property
    def api(self) -> Api:
        """The API as admin, without kubectl."""
        return self.plane.api

    @property
    def kubeconfig(self) -> Path:
        """How `admin_host` reaches the API server, as admin."""
        return self.plane.kubeconfig()

    @property
    def admin_host(self) -> Host:
        """Host on which kubectl and helm run."""
        return self.control

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def host(self, name: str) -> Host:
        """Return a node's own network. Raises LabError if the node has no power."""
        if not self._nodes[name].running:
            raise LabError(f"node {name} has no power")
        return self._nodes[name].host

    def has_power(self, name: str) -> bool:
        """Return whether a node runs."""
        return self._nodes[name].running

    # --- what can be done to it ------------------------------------------------------------------

    def exec(self, name: str, *command: str) -> str:
        """Run a command on a node and return its output. Raises LabError if it fails."""
        return self._nodes[name].exec(*command)

    def load_image(self, archive: Path) -> None:
        """Import a docker archive on every node that runs."""
        for each in self._running():
            each.load_image(archive)

    def power_off(self, name: str) -> None:
        """Cut a node's power: it vanishes from the LAN and everything on it dies at once."""
        # The kernel of a killed node is alive and would go on answering ARP.
        self.lan.cut(name)
        self._nodes[name].kill()

    def power_on(self, name: str) -> None:
        """Boot a node that has no power; its disk is as it was. Returns at once."""
        self._nodes[name].forget_network()
        self.lan.restore(name)
        self._set_routes(name)
        self._nodes[name].start()

    def cut(self, name: str) -> None:
        """Pull a node's cable; it goes on, without carrier."""
        self.lan.cut(name)

    def restore(self, name: str) -> None:
        """Plug it in again."""
        self.lan.restore(name)

    def holders(self, address: str) -> list[str]:
        """Return the nodes that have power and the address in their kernel."""
        return [each.name for each in self._running() if each.host.holds(address)]

    def stop_api(self, *, at_once: bool = False) -> None:
        """Stop the API server in an orderly way, or kill it at once; the controllers end too."""
        self.plane.stop_api(at_once=at_once)

    def start_api(self) -> None:
        """Start the API server and the controllers again; return when it serves."""
        self.plane.start_api()

    def api_ready(self) -> bool:
        """Return whether the API server says that it is ready."""
        return self.plane.ready()

    # --- waiting ---------------------------------------------------------------------------------

    def ready_nodes(self) -> list[str]:
        """Return the names of the nodes that are Ready."""
        return [each["metadata"]["name"] for each in self.api.items(NODES) if is_ready(each)]

    def await_ready(self, name: str, seconds: float = _SECONDS_TO_BE_READY) -> None:
        """Wait until a node is Ready. Raises LabError with its last words if it is not."""
        try:
            until(f"node {name} to be Ready", lambda: self._ready_or_gone(name), seconds, every=0.1)
        except NotInTimeError as error:
            raise LabError(f"{error}\n{self._nodes[name].last_words()}") from error

    def await_not_ready(self, name: str, seconds: float = _SECONDS_TO_BE_MISSED) -> None:
        """Wait until the control plane has noticed that a node is gone."""
        what = f"node {name} to be NotReady"
        until(what, lambda: name not in self.ready_nodes(), seconds, every=0.1)

    def last_words(self) -> str:
        """Return the last lines of every log."""
        words = [each.last_words() for each in self._nodes.values()]
        return "\n".join([self.plane.last_words(), *words])

    # --- building --------------------------------------------------------------------------------

    def _build(self, stack: ExitStack, golden: Path) -> None:
        self.lan = stack.enter_context(Lan([CONTROL, *self._names, CLIENT]))
        node.sweep()
        stack.callback(InotifyLimit().restore)
        guard = Guard(self.lan.directory)
        stack.callback(guard.dismiss)
        self.plane = RealControlPlane(self.control, self._names, self._manifests)
        stack.enter_context(self.plane)
        stack.callback(self._remove_nodes)
        for number, name in enumerate(self._names, start=1):
            self._nodes[name] = Node(self.lan[name], self._settings(name, number), golden, guard)
        for host in self.lan.hosts:
            self._set_routes(host.name)
        for each in self._nodes.values():
            each.install()
        began = time.monotonic()
        for each in self._nodes.values():
            each.start()
        for name in self._names:
            self.await_ready(name)
        self.ready_after_seconds = time.monotonic() - began
        until(
            "the ServiceAccount of namespace default",
            lambda: self.api.find(SERVICE_ACCOUNTS, "default", "default"),
            _SECONDS_TO_BE_READY,
        )

    def _settings(self, name: str, number: int) -> Settings:
        return Settings(
            name=name,
            number=number,
            directory=self.lan[name].directory,
            kubelet=self.plane.kubeconfig(kubelet_user(name)),
            proxy=self.plane.kubeconfig(PROXY),
        )

    def _set_routes(self, name: str) -> None:
        """Give a host its routes.

        Pods are reached through their nodes. Services are reached through the first node by hosts
        that are none; on a node any route will do, as kube-proxy replaces the address.
        """
        routes = [
            f"route replace {each.pod_network} via {each.host.ipv4}"
            for each in self._nodes.values()
            if each.name != name
        ]
        if name in self._nodes:
            routes.append(f"route replace default via {self.control.ipv4}")
        else:
            routes.append(f"route replace {SERVICE_RANGE} via {self.lan[self._names[0]].ipv4}")
        namespace = self.lan[name].namespace
        namespaces.run("ip", "-n", namespace, "-batch", "-", input_text="\n".join(routes))

    def _remove_nodes(self) -> None:
        for each in self._nodes.values():
            each.remove()

    def _running(self) -> list[Node]:
        return [each for each in self._nodes.values() if each.running]

    def _ready_or_gone(self, name: str) -> bool:
        if not self._nodes[name].running:
            raise LabError(f"node {name} has ended:\n{self._nodes[name].last_words()}")
        with contextlib.suppress(ApiError, UnreachableError):
            found = self.api.find(NODES, name)
            return found is not None and is_ready(found)
        return False


def sweep() -> None:
    """Remove what clusters that were killed have left."""
    namespaces.sweep()
    node.sweep()
    restore_for_the_dead()
