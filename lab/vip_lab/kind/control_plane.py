"""The API server that kind runs as a static pod: how to reach it as admin, stop it, start it."""

from __future__ import annotations

import base64
import contextlib
from functools import cached_property
from pathlib import Path

import yaml

from vip_kube.errors import ApiError, UnreachableError
from vip_lab.kind.commands import docker
from vip_lab.kubernetes.api import Api
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.kubernetes.objects import serves_custom_kinds
from vip_lab.kubernetes.place import Place
from vip_lab.namespaces import LabError
from vip_lab.wait import until

# The kubelet runs what lies in the first; the second is on the same disk and read by nobody.
_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_ASIDE = "/etc/kubernetes/kube-apiserver.yaml.stopped"
_PROGRAM = "kube-apiserver"
_ADMIN = "lab-admin"
_SYSTEM = "kube-system"
_SECONDS_TO_STOP = 60.0
_SECONDS_TO_START = 120.0


class KindControlPlane:
    """The control plane in one container of kind's.

    Args:
        container: its name.
        kubeconfig: what kind wrote.
        place: our own network, and where files go.
    """

    def __init__(self, container: str, kubeconfig: Path, place: Place) -> None:
        self._container = container
        self._place = place
        self.kubeconfig = kubeconfig
        self.kubectl = Kubectl(kubeconfig)

    @cached_property
    def api(self) -> Api:
        """The API as admin, by a token: kind's own kubeconfig has a client certificate instead."""
        cluster = yaml.safe_load(self.kubeconfig.read_text())["clusters"][0]["cluster"]
        authority = self._place.directory / "ca.crt"
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        return Api(self._place, cluster["server"], authority, self._token())

    def ready(self) -> bool:
        """Return whether the API server says that it is ready."""
        with contextlib.suppress(ApiError, UnreachableError):
            return self.api.text("/readyz") == "ok"
        return False

    def stop(self, *, at_once: bool) -> None:
        """Take its manifest away, upon which the kubelet ends it; or kill it, too."""
        # A killed one without the manifest is not started again.
        self._move(_MANIFEST, _ASIDE)
        if at_once:
            self._exec("pkill", "-KILL", "-x", _PROGRAM)
        until("the API server to end", lambda: not self._runs(), _SECONDS_TO_STOP, every=0.1)

    def start(self) -> None:
        """Put the manifest back and wait until the API server serves every kind."""
        self._move(_ASIDE, _MANIFEST)
        until(
            "the API server to serve every kind",
            lambda: self.ready() and serves_custom_kinds(self.api),
            _SECONDS_TO_START,
            every=0.2,
        )

    # ---------------------------------------------------------------------------------------------

    def _token(self) -> str:
        account = f"--serviceaccount={_SYSTEM}:{_ADMIN}"
        self.kubectl("create", "serviceaccount", _ADMIN, f"--namespace={_SYSTEM}")
        self.kubectl("create", "clusterrolebinding", _ADMIN, "--clusterrole=cluster-admin", account)
        words = ("create", "token", _ADMIN, f"--namespace={_SYSTEM}", "--duration=24h")
        return self.kubectl(*words).strip()

    def _runs(self) -> bool:
        with contextlib.suppress(LabError):
            return bool(self._exec("pgrep", "-x", _PROGRAM).strip())
        return False

    def _move(self, source: str, target: str) -> None:
        self._exec("mv", source, target)

    def _exec(self, *command: str) -> str:
        return docker("exec", self._container, *command)
