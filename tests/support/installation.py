"""The chart, installed on a real cluster, and what a user does with it."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
from collections.abc import Iterator

from support.workloads import web_deployment, web_service
from vip_common.kinds import SPEAKERS, VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_kube.kinds import DAEMON_SETS, ENDPOINT_SLICES, PODS, SERVICES
from vip_lab.client import answers
from vip_lab.cluster.cluster import Cluster
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.binaries import ROOT
from vip_lab.kubernetes.helm import Helm
from vip_lab.kubernetes.objects import (
    Endpoint,
    is_ready,
    make_endpoint_slice,
    make_service,
)
from vip_lab.namespaces import LabError
from vip_lab.wait import NotInTimeError, until

RELEASE = "vip-operator"
SYSTEM = "vip-operator"
CHART = ROOT / "charts" / "vip-operator"
CLASS = "vip-operator.io/vip"

_LOG_LINES = 40
_DEFAULT = "default"
_numbers = itertools.count(1)


class Installation:
    """vip-operator on a cluster, installed by Helm.

    Args:
        cluster: where.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.helm = Helm(cluster.kubeconfig, cluster.admin_host)

    # --- its life --------------------------------------------------------------------------------

    def install(self, *options: str) -> None:
        """Install the chart and wait until operator and speakers are ready."""
        try:
            self.helm(
                *("upgrade", "--install", RELEASE, str(CHART), f"--namespace={SYSTEM}"),
                *("--create-namespace", "--wait", "--timeout=60s", "--set=crds.keep=false"),
                *options,
            )
        except LabError as error:
            raise LabError(f"{error}\n{self.describe()}") from None
        self.await_speakers()

    def uninstall(self) -> None:
        """Uninstall it; returns when Helm does."""
        self.helm("uninstall", RELEASE, f"--namespace={SYSTEM}", "--wait", "--timeout=120s")

    def await_speakers(self, seconds: float = 60.0) -> None:
        """Wait until every node's speaker is ready and has reported."""
        until(
            "a ready speaker on every node",
            lambda: self.ready_speakers() == self.cluster.names and self._reports(),
            seconds,
            every=0.2,
            show=self.describe,
        )

    def await_kube_proxy(self, seconds: float = 60.0) -> None:
        """Wait until kube-proxy on every node follows what the API server says now.

        After trouble with the API server it comes back to it with pauses of up to half a minute. A
        Service that is new, and leads to the API server, tells.
        """
        api, name = self.cluster.api, f"fresh-{next(_numbers)}"
        slices = api.get(ENDPOINT_SLICES, "kubernetes", _DEFAULT)
        address, port = slices["endpoints"][0]["addresses"][0], slices["ports"][0]["port"]
        service = make_service(api, _DEFAULT, name, port=443)["spec"]["clusterIP"]
        make_endpoint_slice(api, _DEFAULT, name, [Endpoint(address)], port)
        try:
            for node in self.cluster.names:
                connects = functools.partial(self._connects, node, f"/dev/tcp/{service}/443")
                until(f"{service} to answer {node}", connects, seconds, show=self.describe)
        finally:
            api.delete(ENDPOINT_SLICES, name, _DEFAULT)
            api.delete(SERVICES, name, _DEFAULT)

    def ready_speakers(self) -> list[str]:
        """Return the nodes whose speaker pod is ready."""
        return sorted(pod["spec"]["nodeName"] for pod in self.pods("vip-speaker") if is_ready(pod))

    def pods(self, name: str) -> list[JsonObject]:
        """Return the pods of the operator or of the speakers that are not being deleted."""
        return [
            pod
            for pod in self.cluster.api.items(PODS, SYSTEM)
            if pod["metadata"].get("labels", {}).get("app.kubernetes.io/name") == name
            and "deletionTimestamp" not in pod["metadata"]
        ]

    def speaker_pod(self, node: str) -> str:
        """Return the name of the speaker pod of a node."""
        (pod,) = [one for one in self.pods("vip-speaker") if one["spec"].get("nodeName") == node]
        return str(pod["metadata"]["name"])

    def daemon_sets(self) -> list[JsonObject]:
        """Return the DaemonSets of our namespace."""
        return self.cluster.api.items(DAEMON_SETS, SYSTEM)

    def _connects(self, node: str, device: str) -> bool:
        try:
            self.cluster.exec(node, "timeout", "1", "bash", "-c", f": <{device}")
        except LabError:
            return False
        return True

    def _reports(self) -> bool:
        speakers = {one["metadata"]["name"]: one for one in self.cluster.api.items(SPEAKERS)}
        return all(
            speakers.get(name, {}).get("status", {}).get("interfaces")
            for name in self.cluster.names
        )

    # --- VirtualIPs ------------------------------------------------------------------------------

    def apply(self, name: str, namespace: str, address: str, **spec: object) -> None:
        """Apply a VirtualIP."""
        self.cluster.kubectl.apply(
            {
                "apiVersion": VIRTUAL_IPS.api_version,
                "kind": VIRTUAL_IPS.name,
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"addresses": [address], **spec},
            }
        )

    def status(self, name: str, namespace: str) -> JsonObject:
        """Return status of a VirtualIP; empty while it has none."""
        found: JsonObject = self.cluster.api.get(VIRTUAL_IPS, name, namespace).get("status") or {}
        return found

    def condition(self, name: str, namespace: str, kind: str) -> JsonObject:
        """Return a condition of a VirtualIP; empty while it is not there."""
        for each in self.status(name, namespace).get("conditions", ()):
            if each["type"] == kind:
                return dict(each)
        return {}

    def await_ready(self, name: str, namespace: str, seconds: float = 60.0) -> str:
        """Return the holder once Ready is True and every other candidate is on standby."""
        others = len(self.cluster.names) - 1

        def look() -> bool:
            ready = self.condition(name, namespace, "Ready").get("status") == "True"
            return ready and self.status(name, namespace)["candidates"]["standby"] == others

        until(f"{name} to be Ready with standbys", look, seconds, every=0.1, show=self.describe)
        return str(self.status(name, namespace)["activeNode"])

    def await_holder(self, address: str, among: list[str], seconds: float) -> str:
        """Return the only node that has the address in its kernel, once it is one of these."""

        def look() -> str | None:
            holders = self.holders(address)
            return holders[0] if len(holders) == 1 and holders[0] in among else None

        try:
            found = until(f"{address} on one of {among}", look, seconds, every=0.01)
        except NotInTimeError as error:
            raise NotInTimeError(
                f"{error}; it is on {self.holders(address)}\n{self.describe()}"
            ) from None
        assert found is not None
        return found

    def holders(self, address: str) -> list[str]:
        """Return the nodes that have the address in their kernel and have power."""
        return self.cluster.holders(address)

    def others(self, node: str) -> list[str]:
        """Return every node but this one."""
        return [name for name in self.cluster.names if name != node]

    # --- for people ------------------------------------------------------------------------------

    def describe(self) -> str:
        """Return what is known, for the report of a failure."""
        kubectl = self.cluster.kubectl
        words = [
            json.dumps([one.get("status") for one in self.cluster.api.items(kind)], indent=1)
            for kind in (VIRTUAL_IPS, SPEAKERS)
        ]
        words.append(kubectl.run("get", "pods,vip,virtualrouters", "-A", "-o", "wide").stdout)
        words.append(kubectl.run("get", "events", "-A").stdout[-3000:])
        for label in ("vip-operator", "vip-speaker"):
            selector = f"app.kubernetes.io/name={label}"
            logs = ("logs", f"--namespace={SYSTEM}", "-l", selector, "--all-containers", "--prefix")
            words.append(kubectl.run(*logs, f"--tail={_LOG_LINES}").stdout)
        return "\n".join(words)


@contextlib.contextmanager
def web_application(
    installation: Installation,
    name: str,
    namespace: str,
    address: str,
    *,
    drain_seconds: int = 0,
    **service: object,
) -> Iterator[str]:
    """Run a web Deployment of three behind a Service of our class with an address.

    Yields the node that holds the address, once all is well.
    """
    kubectl = installation.cluster.kubectl
    kubectl.apply(web_deployment(name, namespace, drain_seconds))
    spec = {
        "type": "LoadBalancer",
        "loadBalancerClass": CLASS,
        "allocateLoadBalancerNodePorts": False,
        "externalTrafficPolicy": "Local",
        **service,
    }
    kubectl.apply(web_service(name, namespace, **spec))
    installation.apply(name, namespace, address, serviceRef={"name": name})
    kubectl("rollout", "status", f"deployment/{name}", f"--namespace={namespace}", "--timeout=60s")
    try:
        holder = installation.await_ready(name, namespace)
        # kube-proxy learns of endpoints in its own time, up to a second later.
        until(
            f"a page of {namespace} through {address}",
            lambda: (
                answers(installation.cluster.client, address) in _pod_names(installation, namespace)
            ),
            10.0,
            show=installation.describe,
        )
        yield holder
    finally:
        kubectl.delete("virtualip", name, namespace)
        kubectl.delete("service", name, namespace)
        kubectl.delete("deployment", name, namespace)
        until(
            "every VirtualRouter to be gone",
            lambda: not installation.cluster.api.items(VIRTUAL_ROUTERS),
            30.0,
            every=0.1,
            show=installation.describe,
        )


def _pod_names(installation: Installation, namespace: str) -> set[str]:
    pods = installation.cluster.api.items(PODS, namespace)
    return {one["metadata"]["name"] for one in pods}


def web_pod(installation: Installation, name: str, namespace: str, node: str) -> str:
    """Return the name of the web pod on a node."""
    (pod,) = [
        one
        for one in installation.cluster.api.items(PODS, namespace)
        if one["metadata"].get("labels", {}).get("app") == name
        and one["spec"].get("nodeName") == node
        and "deletionTimestamp" not in one["metadata"]
    ]
    return str(pod["metadata"]["name"])
