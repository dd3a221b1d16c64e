"""A LAN with Kubernetes' control plane on one host, our operator beside it, and three speakers.

There are no kubelets: Nodes and Pods are objects that the tests write. Operator and speakers reach
the API server through a fault proxy, the tests reach it directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from support.api_server import allow_everything, control_plane
from support.network_manifests import NODES
from vip_common.kinds import SPEAKERS, VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_kube.errors import ApiError
from vip_kube.kinds import LEASES
from vip_lab.fleet import Fleet
from vip_lab.kubernetes.api import Api, JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.objects import make_namespace, make_node
from vip_lab.kubernetes.operator import Operator
from vip_lab.lan import Lan
from vip_lab.running import Running
from vip_lab.wait import until

CONTROL = "control"
CLIENT = "client"
OPERATOR_NAMESPACE = "vips"
NAMESPACE = "default"

_SECONDS_TO_REPORT = 40.0
_SECONDS_TO_VANISH = 30.0


class Stage(Running):
    """Everything at once; a context manager that leaves nothing behind."""

    lan: Lan
    plane: ControlPlane
    proxy: FaultProxy
    operator: Operator
    fleet: Fleet

    def __init__(self, *operator_options: str) -> None:
        self._operator_options = operator_options
        self._stack = ExitStack()

    def start(self) -> None:
        """Start it; return when every speaker has reported."""
        self._build(self._stack)

    def close(self) -> None:
        """End every process and remove the LAN."""
        self._stack.close()

    @property
    def api(self) -> Api:
        """The API as admin, past the proxy."""
        return self.plane.api

    # --- what a user does ------------------------------------------------------------------------

    def apply(self, document: JsonObject) -> None:
        """Create a VirtualIP, or replace its spec if it is there."""
        metadata = document["metadata"]
        try:
            self.api.create(VIRTUAL_IPS, document)
        except ApiError as error:
            if not error.already_exists:
                raise
            name = metadata["name"]
            found = self.api.get(VIRTUAL_IPS, name, metadata["namespace"])
            try:
                self.api.replace(VIRTUAL_IPS, {**found, "spec": document["spec"]})
            except ApiError as conflict:
                # The operator wrote the status in between.
                if not conflict.conflict:
                    raise
                self.apply(document)

    def delete(self, name: str) -> None:
        """Delete a VirtualIP."""
        self.api.delete(VIRTUAL_IPS, name, NAMESPACE)

    def status(self, name: str) -> JsonObject:
        """Return status of a VirtualIP; empty while it has none."""
        found: JsonObject = self.api.get(VIRTUAL_IPS, name, NAMESPACE).get("status") or {}
        return found

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        """Return status and reason of a condition; empty texts while it is not there."""
        for each in self.status(name).get("conditions", ()):
            if each["type"] == kind:
                return each["status"], each["reason"]
        return "", ""

    def await_condition(self, name: str, kind: str, status: str, seconds: float = 30.0) -> None:
        """Wait until a condition of a VirtualIP has a status."""
        until(
            f"condition {kind} of {name} to be {status}",
            lambda: self.condition(name, kind)[0] == status,
            seconds,
            every=0.05,
            show=lambda: self.describe(name),
        )

    def await_active_node(self, name: str, node: str, seconds: float = 30.0) -> None:
        """Wait until the status says that a node holds the addresses."""
        until(
            f"{name} to be reported on {node}",
            lambda: self.status(name).get("activeNode") == node,
            seconds,
            every=0.05,
            show=lambda: self.describe(name),
        )

    def await_held(self, name: str, address: str, seconds: float = 30.0) -> str:
        """Return who holds an address, once its kernel and the VirtualIP's status agree on that.

        The status alone may still tell of a VirtualIP of that name that was just deleted.
        """
        self.await_condition(name, "Ready", "True", seconds)

        def agreed() -> str | None:
            holder = self.fleet.holder(address)
            return holder if holder == self.status(name).get("activeNode") else None

        what = f"{name} to be reported where {address} is"
        found = until(what, agreed, seconds, every=0.05, show=lambda: self.describe(name))
        assert found is not None
        return found

    def await_nothing_left(self, seconds: float = _SECONDS_TO_VANISH) -> None:
        """Wait until there is no VirtualRouter any more."""
        until(
            "the last VirtualRouter to be gone",
            lambda: not self.api.items(VIRTUAL_ROUTERS),
            seconds,
            every=0.05,
            show=lambda: [one["spec"] for one in self.api.items(VIRTUAL_ROUTERS)],
        )

    def describe(self, name: str) -> str:
        """Return what is known, for the report of a failure."""
        return f"{self.status(name)}\n{self.operator.log()[-3000:]}"

    def last_words(self) -> str:
        """Return the last lines of the speakers and of the operator."""
        return f"{self.fleet.last_words()}\n--- log of the operator\n{self.operator.log()[-5000:]}"

    # --- building --------------------------------------------------------------------------------

    def _build(self, stack: ExitStack) -> None:
        self.lan = stack.enter_context(Lan([*NODES, CONTROL, CLIENT]))
        control = self.lan[CONTROL]
        self.plane = stack.enter_context(control_plane(control))
        self.proxy = stack.enter_context(FaultProxy(self.plane))
        # Roles are the chart's business; what is tested here is what the programs do.
        allow_everything(self.api, "operator")
        make_namespace(self.api, OPERATOR_NAMESPACE)
        for name in NODES:
            make_node(self.api, name, self.lan[name].ipv4)
        kubeconfig = self.proxy.kubeconfig("operator")
        options = ("--namespace", OPERATOR_NAMESPACE)
        self.fleet = Fleet(self.lan, NODES, options=options, kubeconfig=kubeconfig)
        stack.callback(self.fleet.end)
        self.fleet.start()
        self.operator = stack.enter_context(
            Operator(kubeconfig, OPERATOR_NAMESPACE, control, options=self._operator_options)
        )
        self.operator.start_and_wait()
        until(
            "every speaker to report",
            self._all_report,
            _SECONDS_TO_REPORT,
            every=0.05,
            show=self.fleet.last_words,
        )

    def _all_report(self) -> bool:
        speakers = {one["metadata"]["name"]: one for one in self.api.items(SPEAKERS)}
        leases = {one["metadata"]["name"] for one in self.api.items(LEASES, OPERATOR_NAMESPACE)}
        return all(
            speakers.get(name, {}).get("status", {}).get("interfaces")
            and f"vip-speaker-{name}" in leases
            for name in NODES
        )


def virtual_ip(
    name: str,
    addresses: Sequence[str],
    *,
    interval_ms: int = 1000,
    **spec: Any,
) -> JsonObject:
    """Return a VirtualIP; `spec` holds further fields of its spec."""
    vrrp = {"advertisementIntervalMilliseconds": interval_ms, **spec.pop("vrrp", {})}
    return {
        "apiVersion": VIRTUAL_IPS.api_version,
        "kind": VIRTUAL_IPS.name,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"addresses": list(addresses), "vrrp": vrrp, **spec},
    }


def tidy(stage: Stage) -> None:
    """Remove what a test has made, and wait until no host holds anything."""
    stage.proxy.pass_through()
    addresses: list[str] = []
    for each in stage.api.items(VIRTUAL_IPS):
        addresses += each["spec"]["addresses"]
        stage.api.delete(VIRTUAL_IPS, each["metadata"]["name"], each["metadata"]["namespace"])
    stage.await_nothing_left()
    # An Active that retires an address serves on until the Backups know.
    until(
        f"nobody to hold {addresses}",
        lambda: not any(stage.lan.holders(address) for address in addresses),
        10.0,
    )
