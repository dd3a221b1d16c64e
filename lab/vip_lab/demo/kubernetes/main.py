"""Plays the demo on Kubernetes: a cluster, the chart, every act, the table.

    python -m vip_lab.demo.kubernetes [--keep]      as root; KEEP=1 is the same as --keep

Exits with 0 only if every act did what it should.
"""

from __future__ import annotations

from vip_lab.client import fetch
from vip_lab.cluster import images, store
from vip_lab.cluster.cluster import Cluster
from vip_lab.cluster.packages import why_no_cluster
from vip_lab.demo import program
from vip_lab.demo.kubernetes.acts import MOVING, REMOVING
from vip_lab.demo.kubernetes.example import SERVICE, WEB, Example
from vip_lab.demo.kubernetes.stage import SYSTEM, ClusterStage
from vip_lab.demo.perform import PROBES_PER_SECOND, TROUBLE, conclude, perform_all
from vip_lab.demo.tell import Teller
from vip_lab.kubernetes import binaries
from vip_lab.kubernetes.binaries import ROOT
from vip_lab.kubernetes.helm import find_helm, why_no_helm
from vip_lab.namespaces import inside

_TITLE = "vip-operator on Kubernetes: an address that follows ready pods"
_KINDS = "vip,virtualrouters,speakers"


def why_not() -> str | None:
    """Return why the demo cannot run here, None if it can."""
    reason = why_no_cluster() or why_no_helm()
    return None if reason is None else f"The demo {reason}."


def install(stage: ClusterStage, teller: Teller) -> None:
    """Install the chart, apply the example, and show what a user would see."""
    teller.say("The chart, and a wait for operator and speakers to be ready (usually 10 s):")
    stage.install(teller.command)
    teller.say(f"{teller.seconds():.1f} s: they are ready.")
    example = stage.example
    teller.say()
    teller.say(
        f"{WEB.relative_to(ROOT)} is a web server on each node, {SERVICE.relative_to(ROOT)} its "
        f"Service and a VirtualIP that asks for {example.address} on a node with a ready pod."
    )
    stage.deploy(teller.command)
    holder = stage.settled()
    teller.say(f"{teller.seconds():.1f} s: it is Ready, on {holder}.")
    teller.say()
    show(stage, teller, "get", _KINDS)
    teller.say()
    teller.say(f"The client, a host outside the cluster, fetches http://{example.address}/:")
    teller.quote(fetch(stage.client, example.address))


def show(stage: ClusterStage, teller: Teller, *words: str) -> None:
    """Show a kubectl command and its answer."""
    teller.command(f"kubectl {' '.join(words)}")
    teller.quote(stage.kubectl(*words))


def introduce_acts(teller: Teller) -> None:
    """Say how it is measured."""
    teller.say()
    teller.say(
        f"Now things go wrong. In each act the client sends {PROBES_PER_SECOND} echo requests and "
        f"{PROBES_PER_SECOND} TCP connects a second to the address. A probe without an answer "
        "within a second is lost; the gap is the longest time without any answer."
    )


def perform(stage: ClusterStage, teller: Teller) -> bool:
    """Play every act and show the table. Return whether all did what they should."""
    introduce_acts(teller)
    rows = perform_all(stage, MOVING, teller)
    teller.heading("What Kubernetes tells its users about all this")
    name, namespace = stage.example.name, stage.example.namespace
    try:
        show(stage, teller, "events", f"--for=virtualip/{name}", f"--namespace={namespace}")
    except TROUBLE as error:
        teller.say(str(error))
    rows += perform_all(stage, REMOVING, teller, first=len(MOVING) + 1)
    return conclude(rows, teller)


def ways_in(stage: ClusterStage) -> list[str]:
    """Return commands that look at what is running."""
    cluster = stage.cluster
    control, client = (
        " ".join(inside(host.namespace)) for host in (cluster.control, cluster.client)
    )
    kubeconfig = f"--kubeconfig={stage.kubectl.kubeconfig}"
    holder = cluster.lan[stage.await_holder()]
    return [
        f'kubectl() {{ {control} {binaries.path("kubectl")} {kubeconfig} "$@"; }}',
        f'helm() {{ {control} {find_helm()} {kubeconfig} "$@"; }}',
        f"kubectl get {_KINDS}",
        f"kubectl describe vip {stage.example.name}",
        f"kubectl --namespace={SYSTEM} get pods --output=wide",
        f"{client} curl http://{stage.address}/",
        f"{client} ping {stage.address}",
        f"{' '.join(inside(holder.namespace))} ip address show dev eth0   # {holder.name}",
    ]


def keep(stage: ClusterStage, teller: Teller) -> None:
    """Install everything again and leave it running."""
    teller.heading("Everything again, to keep")
    install(stage, teller)
    teller.say()
    program.keep(ways_in(stage), teller)


def play(teller: Teller, *, keep_running: bool) -> bool:
    """Start a cluster, play every act, show the table. Return whether all did what they should."""
    store.golden(images.usual())
    teller.say(
        "A Kubernetes cluster in network namespaces of this machine: a control plane, three nodes "
        "with containerd, kubelet and kube-proxy, and a client on one LAN (usually 10 s)."
    )
    with Cluster() as cluster:
        teller.say(f"{teller.seconds():.1f} s: nodes {', '.join(cluster.ready_nodes())} are Ready.")
        teller.say()
        stage = ClusterStage(cluster, Example.read())
        try:
            install(stage, teller)
        except TROUBLE as error:
            teller.say(f"The address did not come up: {error}")
            print(stage.last_words())
            return False
        good = perform(stage, teller)
        if not good:
            print(stage.last_words())
        if keep_running:
            keep(stage, teller)
    return good


def main() -> int:
    """Run the demo; return 0 if every act did what it should."""
    return program.run(_TITLE, play, why_not)
