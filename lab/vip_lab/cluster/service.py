"""A cluster that outlives the command that made it: a process of its own holds it.

A file in the cache says which process that is and how to talk to its cluster; one per cache.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from vip_lab.cluster import cache, images, store
from vip_lab.cluster.cluster import Cluster, sweep
from vip_lab.cluster.packages import why_no_cluster
from vip_lab.kubernetes import binaries
from vip_lab.lan import ending_on_sigterm
from vip_lab.namespaces import LabError
from vip_lab.wait import until

_MODULE = "vip_lab.cluster"
_SECONDS_TO_START = 180.0
_SECONDS_TO_END = 60.0


@dataclass(frozen=True, slots=True)
class Contact:
    """How to talk to a cluster from outside its network.

    Attributes:
        pid: process that holds it; SIGTERM ends the cluster.
        kubeconfig: file of the user admin.
        client: network namespace of the client host.
        nodes: name to network namespace.
    """

    pid: int
    kubeconfig: str
    client: str
    nodes: dict[str, str]

    def text(self) -> str:
        """Return it as commands to paste into a shell of root."""
        kubectl = f"{_entering(self.client)} {binaries.path('kubectl')}"
        lines = [
            f'kubectl() {{ {kubectl} --kubeconfig={self.kubeconfig} "$@"; }}',
            f"{_entering(self.client)} bash   # the client",
            *(f"{_entering(namespace)} bash   # {name}" for name, namespace in self.nodes.items()),
        ]
        return "\n".join(lines)


def up() -> Contact:
    """Start a cluster, unless one runs, and return when it is ready. Raises LabError."""
    reason = why_no_cluster()
    if reason is not None:
        raise LabError(f"no cluster: it {reason}")
    store.golden(images.usual())
    with cache.locked(cache.disks()):
        running = contact()
        return running if running is not None else _start()


def down() -> bool:
    """End the cluster, and remove what killed ones have left; return whether one was running."""
    running = contact()
    if running is not None:
        os.kill(running.pid, signal.SIGTERM)
        until("the cluster to end", lambda: not _is_holder(running.pid), _SECONDS_TO_END)
    _contact_file().unlink(missing_ok=True)
    sweep()
    return running is not None


def contact() -> Contact | None:
    """Return how to talk to the cluster that runs, None if none does."""
    try:
        found = Contact(**json.loads(_contact_file().read_text()))
    except FileNotFoundError:
        return None
    return found if _is_holder(found.pid) else None


def hold() -> None:
    """Run a cluster until SIGTERM: what the process does that `up` starts."""
    with ending_on_sigterm():
        try:
            with Cluster() as cluster:
                _publish(cluster)
                signal.pause()
        except KeyboardInterrupt:
            return
        finally:
            _contact_file().unlink(missing_ok=True)


# -------------------------------------------------------------------------------------------------


def _start() -> Contact:
    log = cache.directory() / "cluster.log"
    with log.open("wb") as output:
        holder = subprocess.Popen(
            [sys.executable, "-m", _MODULE, "hold"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def contact_or_ended() -> Contact | None:
        if holder.poll() is not None:
            raise LabError(f"the cluster ended:\n{log.read_text(errors='replace')}")
        return contact()

    try:
        made = until("the cluster to start", contact_or_ended, _SECONDS_TO_START, every=0.1)
    except BaseException:
        holder.terminate()
        holder.wait()
        raise
    assert made is not None
    return made


def _publish(cluster: Cluster) -> None:
    made = Contact(
        pid=os.getpid(),
        kubeconfig=str(cluster.kubeconfig),
        client=cluster.client.namespace,
        nodes={name: cluster.lan[name].namespace for name in cluster.names},
    )
    # Whole or not at all: others read it at any time.
    unfinished = _contact_file().with_suffix(".new")
    unfinished.write_text(json.dumps(asdict(made)))
    unfinished.rename(_contact_file())


def _is_holder(pid: int) -> bool:
    try:
        return _MODULE.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _contact_file() -> Path:
    return cache.directory() / "cluster.json"


def _entering(namespace: str) -> str:
    return f"nsenter --net=/run/netns/{namespace}"
