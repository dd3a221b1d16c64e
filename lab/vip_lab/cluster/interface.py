"""What tests ask of a cluster, whether its nodes are namespaces of ours or containers of kind's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from vip_lab.host import Host
from vip_lab.kubernetes.api import Api
from vip_lab.kubernetes.kubectl import Kubectl


class AnyCluster(Protocol):
    """A running Kubernetes cluster on a LAN of its own, 192.0.2.0/24.

    Nodes have addresses below .64, the client's is no node's; .100 and above are free for tests.
    Every method that names a node raises KeyError for one that is not among `names`.
    """

    @property
    def names(self) -> list[str]:
        """Names of the nodes that run pods, in order; a control plane's node is not among them."""
        ...

    @property
    def client(self) -> Host:
        """A host on the LAN that is no node. It reaches Services through the first node."""
        ...

    @property
    def kubectl(self) -> Kubectl:
        """The command kubectl, as admin."""
        ...

    @property
    def kubeconfig(self) -> Path:
        """How `admin_host` reaches the API server, as admin."""
        ...

    @property
    def admin_host(self) -> Host | None:
        """Host on which kubectl and helm run; None: our own network."""
        ...

    @property
    def chart_options(self) -> Sequence[str]:
        """Options of `helm install` with which speakers run on `names` and nowhere else."""
        ...

    @property
    def api(self) -> Api:
        """The API as admin, without kubectl."""
        ...

    # --- nodes -----------------------------------------------------------------------------------

    def host(self, name: str) -> Host:
        """Return a node's own network. Raises LabError if the node has no power."""
        ...

    def has_power(self, name: str) -> bool:
        """Return whether a node runs."""
        ...

    def exec(self, name: str, *command: str) -> str:
        """Run a command on a node and return its output. Raises LabError if it fails."""
        ...

    def load_image(self, archive: Path) -> None:
        """Import a docker archive on every node that runs."""
        ...

    def holders(self, address: str) -> list[str]:
        """Return the nodes that have power and the address in their kernel."""
        ...

    # --- what can be done to it ------------------------------------------------------------------

    def power_off(self, name: str) -> None:
        """Cut a node's power: it vanishes from the LAN and everything on it dies at once."""
        ...

    def power_on(self, name: str) -> None:
        """Boot a node that has no power; its disk is as it was, its link is whole."""
        ...

    def cut(self, name: str) -> None:
        """Pull a node's cable; it goes on, without carrier."""
        ...

    def restore(self, name: str) -> None:
        """Plug it in again; one that is plugged in, or has no power, is no error."""
        ...

    def stop_api(self, *, at_once: bool = False) -> None:
        """Stop the API server in an orderly way, or kill it at once; its data stay."""
        ...

    def start_api(self) -> None:
        """Start it again; return when it serves."""
        ...

    def api_ready(self) -> bool:
        """Return whether the API server says that it is ready."""
        ...

    # --- waiting ---------------------------------------------------------------------------------

    def ready_nodes(self) -> list[str]:
        """Return those of `names` that are Ready."""
        ...

    def await_ready(self, name: str, seconds: float = ...) -> None:
        """Wait until a node is Ready. Raises LabError with its last words if it is not."""
        ...

    def await_not_ready(self, name: str, seconds: float = ...) -> None:
        """Wait until the control plane has noticed that a node is gone."""
        ...

    def last_words(self) -> str:
        """Return the last lines of every log."""
        ...
