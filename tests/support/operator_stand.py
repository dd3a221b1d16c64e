"""A real operator process on a real API server, with speakers that only the API knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.api_server import allow_everything
from support.scripted_speakers import ScriptedSpeakers
from vip_common.kinds import VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_kube.errors import ApiError
from vip_kube.kinds import EVENTS
from vip_lab.kubernetes.api import Api, JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.operator import Operator
from vip_lab.wait import until

_SECONDS = 30.0


class Stand:
    """What a test of the operator works with.

    Args:
        api: as a user who may write everything.
        namespace: of the operator and of the VirtualIPs.
        operator: not started yet.
    """

    def __init__(self, api: Api, namespace: str, operator: Operator) -> None:
        self.api = api
        self.namespace = namespace
        self.operator = operator
        self.speakers = ScriptedSpeakers(api, namespace)

    def apply(self, name: str, *addresses: str, **spec: Any) -> JsonObject:
        """Create a VirtualIP, of 192.0.2.100 unless other addresses are given."""
        body = {
            "apiVersion": VIRTUAL_IPS.api_version,
            "kind": VIRTUAL_IPS.name,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"addresses": addresses or ["192.0.2.100"], **spec},
        }
        return self.api.create(VIRTUAL_IPS, body)

    def delete(self, name: str) -> None:
        """Delete a VirtualIP."""
        self.api.delete(VIRTUAL_IPS, name, self.namespace)

    def router_name(self, name: str) -> str:
        """Return the name of a VirtualIP's VirtualRouter."""
        return f"vip.{self.namespace}.{name}"

    def router(self, name: str) -> JsonObject | None:
        """Return the VirtualRouter of a VirtualIP."""
        return self.api.find(VIRTUAL_ROUTERS, self.router_name(name))

    def edit(self, name: str, **spec: Any) -> None:
        """Change fields of the spec of a VirtualIP."""
        self.api.patch(VIRTUAL_IPS, name, {"spec": spec}, self.namespace)

    def await_router(self, name: str, seconds: float = _SECONDS) -> JsonObject:
        """Return the VirtualRouter of a VirtualIP once it is there."""
        found = until(
            f"the VirtualRouter of {name}", lambda: self.router(name), seconds, show=self.describe
        )
        assert found is not None
        return found

    def uid(self, name: str) -> str:
        """Return the uid of the VirtualRouter of a VirtualIP, empty without one."""
        return str((self.router(name) or {"metadata": {"uid": ""}})["metadata"]["uid"])

    def await_retired(self, name: str, seconds: float = _SECONDS) -> None:
        """Wait until a VirtualRouter is marked as retired."""
        until(
            f"the VirtualRouter of {name} to be retired",
            lambda: (self.router(name) or {"spec": {}})["spec"].get("retired"),
            seconds,
            show=self.describe,
        )

    def await_released(self, name: str, seconds: float = _SECONDS) -> None:
        """Wait until a VirtualRouter is gone, with speakers that apply all that is written."""

        def gone() -> bool:
            self.speakers.acknowledge()
            return self.router(name) is None

        until(f"the VirtualRouter of {name} to be gone", gone, seconds, show=self.describe)

    def status(self, name: str) -> JsonObject:
        """Return status of a VirtualIP; empty while it has none."""
        found: JsonObject = self.api.get(VIRTUAL_IPS, name, self.namespace).get("status") or {}
        return found

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        """Return status and reason of a condition; empty texts while it is not there."""
        found = self._condition(name, kind)
        return found.get("status", ""), found.get("reason", "")

    def message(self, name: str, kind: str) -> str:
        """Return the text of a condition."""
        return str(self._condition(name, kind).get("message", ""))

    def await_condition(self, name: str, kind: str, status: str, seconds: float = _SECONDS) -> None:
        """Wait until a condition of a VirtualIP has a status."""
        until(
            f"condition {kind} of {name} to be {status}",
            lambda: self.condition(name, kind)[0] == status,
            seconds,
            show=self.describe,
        )

    def events(self, name: str) -> list[tuple[str, str]]:
        """Return reason and text of the events about a VirtualIP."""
        return [
            (each["reason"], each["note"])
            for each in self.api.items(EVENTS, self.namespace)
            if each["regarding"]["name"] == name
        ]

    def await_event(self, name: str, reason: str, words: str) -> None:
        """Wait for an event about a VirtualIP that says this."""
        until(
            f"an event {reason} about {name} that says {words!r}",
            lambda: any(found == reason and words in note for found, note in self.events(name)),
            _SECONDS,
            show=lambda: f"{self.events(name)}\n{self.describe()}",
        )

    def _condition(self, name: str, kind: str) -> JsonObject:
        for each in self.status(name).get("conditions", ()):
            if each["type"] == kind:
                return dict(each)
        return {}

    def describe(self) -> str:
        """Return what is known, for the report of a failure."""
        try:
            routers: object = [each["spec"] for each in self.api.items(VIRTUAL_ROUTERS)]
        except ApiError as error:  # the CRD may be away
            routers = error
        return f"{routers}\n{self.operator.why_not_ready()}\n{self.operator.log()[-4000:]}"


@contextlib.contextmanager
def operator_stand(
    plane: ControlPlane, namespace: str, kubeconfig: Path | None = None, *options: str
) -> Iterator[Stand]:
    """Give an operator that is not started, as a user who may do everything.

    Args:
        plane: the control plane.
        namespace: of the operator and of the VirtualIPs.
        kubeconfig: how the operator reaches the API server; None: directly.
        options: further words for its command line.
    """
    allow_everything(plane.api, "operator")
    kubeconfig = kubeconfig or plane.kubeconfig("operator")
    with Operator(kubeconfig, namespace, options=options) as operator:
        yield Stand(plane.api, namespace, operator)
