"""Removing clusters that kind made for us: our own at the end, and those whose owner was killed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from vip_lab import namespaces
from vip_lab.kind.bridge import detach
from vip_lab.kind.commands import docker, kind
from vip_lab.namespaces import LabError
from vip_lab.wait import NotInTimeError, until

# On every Docker network of ours; the network is named like its cluster.
LABEL = "vip-operator.lab"

_NAMED_NAMESPACES = Path("/run/netns")
_LABEL_OF_KIND = "io.x-k8s.kind.cluster"
_SECONDS_TO_REMOVE = 60.0


def client_namespace(cluster: str) -> str:
    """Return the namespace that is there as long as the owner of a cluster lives."""
    return f"{cluster}-client"


def remove(cluster: str, kubeconfig: Path | None = None) -> None:
    """Remove a cluster, its containers and its Docker network; what is gone is no error.

    Args:
        cluster: its name.
        kubeconfig: file that kind wrote it into; None: there is none any more.

    Raises:
        LabError: something of it stays; with the words of docker and kind.
    """
    for namespace in list(_NAMED_NAMESPACES.glob(f"{cluster}-*")):
        if namespace.name != client_namespace(cluster):
            detach(namespace.name)
    # Never the user's own file, which kind would otherwise look into.
    file = kubeconfig or Path(tempfile.gettempdir()) / f"{cluster}-kubeconfig"
    words: list[str] = []

    def gone() -> bool:
        words.clear()
        for attempt in (
            lambda: kind("delete", "cluster", f"--name={cluster}", f"--kubeconfig={file}"),
            # Of a run that was interrupted while Docker was making one more.
            lambda: _remove_containers(cluster),
            lambda: _remove_network(cluster),
        ):
            try:
                attempt()
            except LabError as error:
                words.append(str(error))
        return not words

    try:
        until(f"cluster {cluster} to be gone", gone, _SECONDS_TO_REMOVE, every=1.0)
    except NotInTimeError as error:
        raise LabError(f"cluster {cluster} is not all gone: {'; '.join(words)}") from error


def sweep() -> None:
    """Remove the clusters whose owner was killed: nobody's but those that bear our label."""
    namespaces.sweep()
    for cluster in _networks():
        if not (_NAMED_NAMESPACES / client_namespace(cluster)).exists():
            remove(cluster)


def _networks(*filters: str) -> list[str]:
    words = [f"--filter={each}" for each in (f"label={LABEL}", *filters)]
    return docker("network", "ls", *words, "--format={{.Name}}").split()


def _remove_containers(cluster: str) -> None:
    wanted = f"--filter=label={_LABEL_OF_KIND}={cluster}"
    left = docker("ps", "--all", "--quiet", wanted).split()
    if left:
        docker("rm", "--force", "--volumes", *left)


def _remove_network(cluster: str) -> None:
    if cluster in _networks(f"name={cluster}"):
        docker("network", "rm", cluster)
