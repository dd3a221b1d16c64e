"""One node: containerd, kubelet and kube-proxy on a host of the LAN, and its power switch."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

from vip_lab import namespaces
from vip_lab.cluster import cache, cgroups, store
from vip_lab.cluster.private import privately
from vip_lab.cluster.settings import Settings
from vip_lab.host import INTERFACE, Host
from vip_lab.kubernetes import binaries
from vip_lab.kubernetes.guard import Guard
from vip_lab.namespaces import LabError
from vip_lab.process import Process
from vip_lab.wait import until

_INIT = Path(__file__).with_name("node-init")
_FOLDERS = ("lib/kubelet", "lib/cni", "log", "tmp", "cache")
_NAMED_NAMESPACES = Path("/run/netns")
_SECONDS_TO_START = 20.0
_LAST_LINES = 15


class Node:
    """A node on a host. Its control group and its disk are named like the host's namespace.

    Args:
        host: where it is on the LAN; its directory gets configuration and logs.
        settings: configuration of its services.
        images: golden containerd store that its disk begins with.
        guard: ends it if we are killed.
    """

    def __init__(self, host: Host, settings: Settings, images: Path, guard: Guard) -> None:
        self.host = host
        self._settings = settings
        self._images = images
        self._guard = guard
        self._process: Process | None = None

    @property
    def name(self) -> str:
        """Name of the host and of the Node object."""
        return self.host.name

    @property
    def pod_network(self) -> str:
        """IPv4 network of its pods."""
        return self._settings.pod_network

    @property
    def running(self) -> bool:
        """Whether it has power and all its services run."""
        return self._process is not None and self._process.running

    @property
    def disk(self) -> Path:
        """What is /var on the node, as seen from outside; a power cut leaves it as it is."""
        return cache.disks() / self.host.namespace / "var"

    # --- its life --------------------------------------------------------------------------------

    def install(self) -> None:
        """Make its disk and its configuration."""
        store.clone(self._images, self.disk / "lib/containerd")
        for name in _FOLDERS:
            (self.disk / name).mkdir(parents=True)
        (self.disk / "run").symlink_to("/run")
        self._settings.write()

    def start(self) -> None:
        """Switch it on. Returns at once; the Node object says when it is ready."""
        if self.running:
            raise LabError(f"node {self.name} runs already")
        # Of an earlier life: each group that is left over costs the kubelet seconds.
        cgroups.remove(self.host.namespace)
        cgroups.make(self.host.namespace)
        words = (
            *(self.name, str(self.disk.parent), str(self._settings.directory)),
            *(str(binaries.DIRECTORY), self.host.namespace, self.host.ipv4),
        )
        self._process = self.host.start("node", privately(str(_INIT), *words))
        self._guard.watch(self._process.pid)

    def kill(self) -> None:
        """End all its processes at once, without any goodbye; its namespace and disk stay."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def remove(self) -> None:
        """Kill it and remove its control groups and its disk."""
        self.kill()
        remove_remains(self.host.namespace)

    def forget_network(self) -> None:
        """Leave nothing in its network but its own two addresses, as a boot does."""
        for link in json.loads(self.host.ip("-j", "link", "show")):
            name = link["ifname"]
            if name not in ("lo", INTERFACE):
                # The other end may go with its pod's namespace at this moment.
                with contextlib.suppress(LabError):
                    self.host.ip("link", "delete", "dev", name)
        own = (self.host.ipv4, self.host.ipv6, self.host.link_local)
        for address, entry in self.host.addresses().items():
            if address not in own:
                whole = f"{address}/{entry['prefixlen']}"
                self.host.ip("address", "delete", whole, "dev", INTERFACE)
        self.host.run("nft", "flush", "ruleset")
        self.host.ip("neighbour", "flush", "all")

    # --- what a person at its console could do ---------------------------------------------------

    def exec(self, *command: str) -> str:
        """Run a command to its end on the node and return its output. Raises LabError."""
        return namespaces.run(*self.entering(), *command)

    def entering(self) -> list[str]:
        """Return the words to put before a command that is to run on the node."""
        return ["nsenter", f"--target={self._first_pid()}", "--all"]

    def load_image(self, archive: Path) -> None:
        """Import a docker archive, for pods with `imagePullPolicy` IfNotPresent or Never."""
        self.exec("ctr", "--namespace", store.IMAGE_NAMESPACE, "images", "import", str(archive))

    def last_words(self, lines: int = _LAST_LINES) -> str:
        """Return the last lines of each log."""
        return "\n".join(
            f"--- {self.name}: {path.stem}\n"
            + "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
            for path in sorted(self._settings.directory.glob("*.log"))
        )

    def _first_pid(self) -> int:
        """Return the process id, as we see it, of process 1 of the node."""
        process = self._process
        if process is None or not process.running:
            raise LabError(f"node {self.name} is not running:\n{self.last_words()}")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return int(
            until(
                f"node {self.name} to have a first process",
                lambda: children.read_text().split(),
                _SECONDS_TO_START,
            )[0]
        )


def remove_remains(namespace: str) -> None:
    """Remove the control groups and the disk of a node that has no process any more."""
    cgroups.remove(namespace)
    disk = cache.disks() / namespace
    if disk.exists():
        shutil.rmtree(disk, ignore_errors=True)


def sweep() -> None:
    """Remove what is left of nodes whose namespace is gone; their owner was killed."""
    present = {path.name for path in _NAMED_NAMESPACES.iterdir()}
    left = cgroups.names() | {path.name for path in cache.disks().iterdir()}
    for name in left - present:
        remove_remains(name)
