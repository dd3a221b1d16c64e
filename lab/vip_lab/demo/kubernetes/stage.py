"""The stage of the demo on Kubernetes: a cluster with our chart and a web Deployment."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from vip_common.kinds import VIRTUAL_IPS
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import ENDPOINT_SLICES, PODS, SERVICES
from vip_lab.client import get
from vip_lab.cluster.cluster import Cluster
from vip_lab.demo.act import Bound
from vip_lab.demo.kubernetes import bounds
from vip_lab.demo.kubernetes.example import CHART, SERVICE, WEB, Example
from vip_lab.host import Host
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.binaries import ROOT
from vip_lab.kubernetes.helm import Helm
from vip_lab.kubernetes.objects import is_ready
from vip_lab.namespaces import LabError
from vip_lab.wait import until

SYSTEM = "vip-operator"
RELEASE = "vip-operator"
OPERATOR = "vip-operator"
SPEAKER = "vip-speaker"

_INTO = (f"--namespace={SYSTEM}",)
_PATIENT = ("--wait", "--timeout=90s")
_SPEAKER_PORT = 9112
_INTERVAL_MS = 1000
_SECONDS_TO_SETTLE = 60.0
_OK = 200


class ClusterStage:
    """A cluster and everything that runs on it."""

    def __init__(self, cluster: Cluster, example: Example) -> None:
        self.cluster = cluster
        self.example = example
        self.kubectl = cluster.kubectl
        self.helm = Helm(cluster.kubeconfig, cluster.admin_host)

    @property
    def client(self) -> Host:
        """The host that probes."""
        return self.cluster.client

    @property
    def address(self) -> str:
        """The address that moves."""
        return self.example.address

    # --- what a user does ------------------------------------------------------------------------

    def install(self, tell: Callable[[str], None]) -> None:
        """Install the chart and wait until it is ready; `tell` gets the command as typed."""
        before, after = (
            ("install", RELEASE),
            (*_INTO, "--create-namespace", "--set=crds.keep=false"),
        )
        tell(" ".join(("helm", *before, str(CHART.relative_to(ROOT)), *after, "--wait")))
        self.helm(*before, str(CHART), *after, *_PATIENT)

    def upgrade(self) -> None:
        """Install the same chart again over what is there."""
        self.helm("upgrade", RELEASE, str(CHART), *_INTO, "--reuse-values", *_PATIENT)

    def deploy(self, tell: Callable[[str], None]) -> None:
        """Apply the example and wait until it is Ready; `tell` gets the commands as typed."""
        tell(f"kubectl apply -f {WEB.relative_to(ROOT)} -f {SERVICE.relative_to(ROOT)}")
        self.kubectl("apply", "-f", str(WEB), "-f", str(SERVICE))
        words = ("wait", "--for=condition=Ready", f"vip/{self.example.name}", "--timeout=60s")
        tell(f"kubectl {' '.join(words)}")
        self.kubectl(*words, f"--namespace={self.example.namespace}")

    # --- who has the address ---------------------------------------------------------------------

    def holders(self) -> list[str]:
        """Return the nodes with power that have the address in their kernel."""
        return self.cluster.holders(self.address)

    def others(self, name: str) -> list[str]:
        """Return all nodes but this one."""
        return [other for other in self.cluster.names if other != name]

    def await_holder(self, among: Sequence[str] | None = None, seconds: float = 5.0) -> str:
        """Return the one node that has the address, once it is one of these (default: any)."""
        wanted = among or self.cluster.names

        def look() -> str | None:
            holders = self.holders()
            return holders[0] if len(holders) == 1 and holders[0] in wanted else None

        what = f"{self.address} on {' or '.join(wanted)} alone"
        holder = until(what, look, seconds, every=0.005, show=lambda: self.holders() or "no node")
        assert holder is not None
        return holder

    # --- whether all is well ---------------------------------------------------------------------

    def settled(self) -> str:
        """Return the holder once everything runs, agrees and says so in the status."""
        found: list[str] = []

        def look() -> bool:
            try:
                found[:] = self._hindrances()
            except (ApiError, UnreachableError, OSError, LabError) as error:
                found[:] = [str(error)]
            return not found

        what = "every node to be well"
        until(what, look, _SECONDS_TO_SETTLE, every=0.1, show=lambda: "; ".join(found))
        return self.await_holder()

    def _hindrances(self) -> list[str]:
        holders = self.holders()
        if len(holders) != 1:
            return [f"{self.address} is on {' and '.join(holders) or 'no node'}"]
        return [
            *self._unready_pods(),
            *self._unready_endpoints(),
            *self._what_the_status_lacks(holders[0]),
            *self._unsettled_speakers(holders[0]),
        ]

    def _unready_pods(self) -> list[str]:
        wanted = (
            (OPERATOR, SYSTEM, ()),
            (SPEAKER, SYSTEM, self.cluster.names),
            (self.example.name, self.example.namespace, self.cluster.names),
        )
        lacking = []
        for name, namespace, nodes in wanted:
            pods = self.pods(name, namespace)
            unready = [pod["metadata"]["name"] for pod in pods if not is_ready(pod)]
            missing = set(nodes) - {pod["spec"].get("nodeName") for pod in pods}
            lacking += [f"pod {one} is not ready" for one in unready]
            lacking += [f"{node} has no pod of {name}" for node in sorted(missing)]
            lacking += [] if pods else [f"there is no pod of {name}"]
        return lacking

    def _unready_endpoints(self) -> list[str]:
        """Ask each node's kube-proxy, which is the last to learn of an endpoint."""
        service = self.cluster.api.get(SERVICES, self.example.name, self.example.namespace)
        port = service["spec"]["healthCheckNodePort"]
        return [
            f"kube-proxy of {name} has no endpoint"
            for name in self.cluster.names
            if get(self.cluster.control, self.cluster.lan[name].ipv4, port, "/")[0] != _OK
        ]

    def _what_the_status_lacks(self, holder: str) -> list[str]:
        virtual_ip = self.cluster.api.get(VIRTUAL_IPS, self.example.name, self.example.namespace)
        status = virtual_ip.get("status", {})
        conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
        candidates = status.get("candidates", {})
        seen = (
            *(conditions.get("Ready"), conditions.get("Stalled"), status.get("activeNode")),
            *(candidates.get("standby"), candidates.get("failing", 0)),
        )
        wanted = ("True", "False", holder, len(self.cluster.names) - 1, 0)
        names = ("Ready", "Stalled", "activeNode", "standby", "failing")
        return [
            f"{name} is {one}, not {other}"
            for name, one, other in zip(names, seen, wanted, strict=True)
            if one != other
        ]

    def _unsettled_speakers(self, holder: str) -> list[str]:
        lacking = []
        for name in self.cluster.names:
            router = self.router(name)
            state = "Active" if name == holder else "Backup"
            if router is None or router["state"] != state or router.get("yielding"):
                lacking.append(f"{name} is not {state}")
            elif state == "Backup" and not router["activeSource"]:
                lacking.append(f"{name} has not heard {holder}")
        return lacking

    # --- parts -----------------------------------------------------------------------------------

    def pods(self, name: str, namespace: str) -> list[JsonObject]:
        """Return the pods of a workload that are not being deleted."""
        return [
            pod
            for pod in self.cluster.api.items(PODS, namespace)
            if name in _names(pod) and "deletionTimestamp" not in pod["metadata"]
        ]

    def pod_on(self, node: str, name: str, namespace: str) -> str:
        """Return the name of a workload's pod on a node. Raises LabError if there is not one."""
        found = [
            str(pod["metadata"]["name"])
            for pod in self.pods(name, namespace)
            if pod["spec"].get("nodeName") == node
        ]
        if len(found) != 1:
            raise LabError(f"{node} has {len(found)} pods of {name}, not one")
        return found[0]

    def web_pod(self, node: str) -> str:
        """Return the name of the web server's pod on a node."""
        return self.pod_on(node, self.example.name, self.example.namespace)

    def has_ready_endpoint(self, node: str) -> bool:
        """Return whether the API server knows a ready pod of the Service on a node."""
        return any(
            endpoint["nodeName"] == node and endpoint["conditions"]["ready"]
            for one in self.cluster.api.items(ENDPOINT_SLICES, self.example.namespace)
            if one["metadata"]["labels"].get("kubernetes.io/service-name") == self.example.name
            for endpoint in one["endpoints"] or ()
        )

    def router(self, node: str) -> JsonObject | None:
        """Return what a node's speaker says of the virtual router, None if it has none."""
        address = self.cluster.lan[node].ipv4
        _status, text = get(self.cluster.control, address, _SPEAKER_PORT, "/status")
        for router in json.loads(text)["virtualRouters"]:
            if router["name"] == self.example.router:
                return dict(router)
        return None

    # --- bounds ----------------------------------------------------------------------------------

    def crash_bound(self, before: str) -> Bound:
        """Return how long until the others notice that adverts stay away."""
        return bounds.crash(_INTERVAL_MS, self.skew_ms(before))

    def unready_bound(self, before: str) -> Bound:
        """Return how long connects may fail once a pod is unready."""
        return bounds.unready(self.skew_ms(before))

    def skew_ms(self, before: str) -> float:
        """Return Skew_Time of the node that is next in line, in milliseconds."""
        routers = (self.router(name) for name in self.others(before))
        priorities: list[int] = [router["priority"] for router in routers if router is not None]
        return (256 - max(priorities)) * _INTERVAL_MS / 256

    # --- for people ------------------------------------------------------------------------------

    def last_words(self) -> str:
        """Return what helps to find out what went wrong."""
        words = [self.kubectl.run("get", "pods,vip", "-A", "-o", "wide").stdout]
        for name in (OPERATOR, SPEAKER):
            which = (f"--namespace={SYSTEM}", f"--selector=app.kubernetes.io/name={name}")
            logs = ("--all-containers", "--prefix", "--tail=30")
            words.append(self.kubectl.run("logs", *which, *logs).stdout)
        return "\n".join(words)


def _names(pod: JsonObject) -> tuple[str | None, str | None]:
    labels = pod["metadata"].get("labels", {})
    return labels.get("app.kubernetes.io/name"), labels.get("app")
