"""The chart's accounts and roles on a real API server, and clients with their tokens."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from support.chart import Right, find, render
from vip_common.kinds import SPEAKERS
from vip_kube.errors import ApiError
from vip_kube.kinds import PODS
from vip_lab.kubernetes.api import Api
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_server import Record
from vip_lab.wait import until

_RIGHTS = frozenset(
    {
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)
_TEMPLATE = ("ConfigMap", "vip-speaker")
_SECONDS = 40.0


class Rights:
    """What the chart grants in one namespace.

    Args:
        plane: where.
        namespace: that it is installed in.
    """

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self._plane = plane
        self._kubectl = plane.kubectl()
        self.namespace = namespace

    def install(self, values: Mapping[str, Any] | None = None) -> None:
        """Install them, or change them to what other values make of them."""
        self._kubectl.apply(self._manifest(values))

    def remove(self) -> None:
        """Remove them."""
        words = ("delete", "-f", "-", "--ignore-not-found", "--wait=false")
        self._kubectl(*words, input_text=self._manifest())

    def _manifest(self, values: Mapping[str, Any] | None = None) -> str:
        objects = render(values, self.namespace)
        items = [each for each in objects if each["kind"] in _RIGHTS]
        items.append(find(objects, *_TEMPLATE))
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

    def token(self, account: str, pod: str | None = None) -> str:
        """Return a token of a ServiceAccount, bound to a pod if one is named."""
        words = ["create", "token", account, f"--namespace={self.namespace}"]
        if pod is not None:
            uid = self._plane.api.get(PODS, pod, self.namespace)["metadata"]["uid"]
            words += ["--bound-object-kind=Pod", f"--bound-object-name={pod}"]
            words += [f"--bound-object-uid={uid}"]
        return self._kubectl(*words).strip()

    def make_speaker_pod(self, name: str, node: str | None) -> str:
        """Create a pod of the speakers' account, on a node or on none yet, and return its name."""
        spec = {
            "serviceAccountName": "vip-speaker",
            "containers": [{"name": "agent", "image": "never-pulled"}],
        }
        if node is not None:
            spec["nodeName"] = node
        body = {
            "apiVersion": PODS.api_version,
            "kind": PODS.name,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        }
        self._plane.api.create(PODS, body)
        return name

    def api_with(self, token: str) -> Api:
        """Return the API as the account that a token belongs to."""
        certificate = self._plane.credentials.authority.certificate
        return Api(self._plane.place, self._plane.server, certificate, token)

    def kubeconfig(self, token: str, name: str, server: str | None = None) -> Path:
        """Return a kubeconfig with a token, for the API server or a proxy in front of it."""
        server = server or self._plane.server
        return self._plane.credentials.kubeconfig(server, token, f"{self.namespace}.{name}")

    def await_admission_policy(self, api: Api) -> None:
        """Wait until the API server judges by the policy, which takes it a moment.

        Args:
            api: as a speaker on a node that is not called `policy-probe`.
        """
        body = {
            "apiVersion": SPEAKERS.api_version,
            "kind": SPEAKERS.name,
            "metadata": {"name": "policy-probe"},
        }

        def refuses() -> bool:
            try:
                api.create(SPEAKERS, body, {"dryRun": "All"})
            except ApiError as error:
                return error.status == 403 and "ValidatingAdmissionPolicy" in error.message
            return False

        until("the admission policy to be in force", refuses, _SECONDS, every=0.1)


@contextlib.contextmanager
def chart_rights(plane: ControlPlane, namespace: str) -> Iterator[Rights]:
    """Install accounts, roles, admission policies and the template; no workload of the chart."""
    rights = Rights(plane, namespace)
    try:
        rights.install()
        yield rights
    finally:
        rights.remove()


def used(records: Iterable[Record]) -> set[Right]:
    """Return what was asked, as roles spell it; pages that are no resource are left out."""
    found = (_right(record) for record in records)
    return {grant for grant in found if grant is not None}


def _right(record: Record) -> Right | None:
    words = record.path.strip("/").split("/")
    group = words[1] if words[0] == "apis" and len(words) > 1 else ""
    rest = words[3:] if words[0] == "apis" else words[2:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    if not rest:
        return None
    resource, *more = rest
    subresource = f"/{more[1]}" if len(more) > 1 else ""
    return (group, f"{resource}{subresource}", record.verb)
