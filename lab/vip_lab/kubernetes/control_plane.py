"""A real control plane: etcd, kube-apiserver and kube-controller-manager, without any node.

    with ControlPlane() as plane:                    # on loopback, as anybody
        plane.kubectl().apply(manifest)
    with Lan(["n1", "n2"]) as lan, ControlPlane(lan["n1"]) as plane: ...   # on a host, as root

Nobody runs Pods and nobody renews the Leases of Nodes: tests write both (`objects`), so the
controllers that judge silent nodes are off.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import NODES
from vip_lab.host import Host
from vip_lab.kubernetes import binaries
from vip_lab.kubernetes.api import Api
from vip_lab.kubernetes.credentials import (
    ADMIN,
    CONTROLLER_MANAGER,
    USERS,
    Credentials,
    KeyPair,
    User,
)
from vip_lab.kubernetes.etcd import Etcd
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.kubernetes.objects import serves_custom_kinds
from vip_lab.kubernetes.place import LOOPBACK, Place
from vip_lab.namespaces import LabError
from vip_lab.process import Process
from vip_lab.running import Running
from vip_lab.wait import NotInTimeError, until

SERVICE_RANGE = "10.96.0.0/16"
_SERVICE_RANGES = f"{SERVICE_RANGE},fd00:96::/112"  # a Service has IPv4 alone unless it asks

_FIRST_SERVICE = "10.96.0.1"
_SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_CONTROLLERS = "*,-node-lifecycle-controller,-taint-eviction-controller"
_SECONDS_TO_START = 40.0
_SECONDS_TO_STOP = 10.0
_LAST_LINES = 15


class ControlPlane(Running):
    """One control plane; a context manager that leaves nothing behind, however its owner ends.

    An object is started once; its API server may be stopped and started as often as needed.

    Args:
        host: host of a LAN to run on, reached at its IPv4 address; None: loopback.
        users: who has a static token besides `admin`.
        manifests: files to apply before the controllers start. CustomResourceDefinitions belong
            here: the garbage collector looks for new kinds only every 30 s.
        api_flags: further flags of kube-apiserver.
    """

    def __init__(
        self,
        host: Host | None = None,
        *,
        users: Sequence[User] = USERS,
        manifests: Sequence[Path] = (),
        api_flags: Sequence[str] = (),
    ) -> None:
        self.host = host
        self._users = users
        self._manifests = manifests
        self._api_flags = api_flags
        self._place: Place | None = None
        self._api_process: Process | None = None
        # Everything that ends and starts with the API server.
        self._controllers: list[Process] = []

    # --- its life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything; return when the API server is ready and has the manifests.

        Raises:
            LabError: binaries or openssl are missing, or a part did not start; with its words.
        """
        reason = binaries.why_no_binaries()
        if reason is not None:
            raise LabError(f"no control plane: it {reason}")
        self._place = Place(self.host)
        self._start_etcd()
        self._start_api_server()
        if self._manifests:
            self._apply_manifests()
        self._start_controllers()

    def close(self) -> None:
        """End every process and remove every file."""
        if self._place is not None:
            self._place.close()
            self._place = None

    # --- who and where ---------------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """Network, directory and processes of it. Raises LabError unless it was started."""
        if self._place is None:
            raise LabError("the control plane was not started")
        return self._place

    @property
    def address(self) -> str:
        """IPv4 address of the API server."""
        return self.place.address

    @cached_property
    def port(self) -> int:
        """TCP port of the API server; the same after it was stopped and started."""
        return self.place.free_port()

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://{self.address}:{self.port}"

    @cached_property
    def credentials(self) -> Credentials:
        """Certificates and tokens."""
        return Credentials(self.place.directory, self._users)

    @cached_property
    def api(self) -> Api:
        """The API as admin, without kubectl."""
        return self.api_as(ADMIN)

    def api_as(self, user: str, timeout_seconds: float = 15.0) -> Api:
        """Return the API as another user."""
        credentials = self.credentials
        certificate = credentials.authority.certificate
        token = credentials.token(user)
        return Api(self.place, self.server, certificate, token, timeout_seconds)

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """Return a kubeconfig for one of the users."""
        return self.credentials.kubeconfig(self.server, self.credentials.token(user), user)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig with a token of a ServiceAccount that exists."""
        words = ("create", "token", name, f"--namespace={namespace}", "--duration=24h")
        token = self.kubectl()(*words).strip()
        return self.credentials.kubeconfig(self.server, token, f"{namespace}.{name}")

    def kubectl(self, user: str = ADMIN, host: Host | None = None) -> Kubectl:
        """Return kubectl for one of the users, run on another host if one is given."""
        return Kubectl(self.kubeconfig(user), host or self.host)

    # --- what can go wrong with it ---------------------------------------------------------------

    def stop_api(self, *, at_once: bool = False) -> None:
        """Stop the API server in an orderly way, or kill it at once; etcd keeps everything.

        In an orderly way means for 10 s: with watches open it would wait for their end up to 60 s.

        The controllers end with it: left alone without a server, they would come back after it
        with pauses of up to half a minute between their attempts.
        """
        process = self._running_api()
        for each in self._controllers:
            each.kill()
        if not at_once:
            with contextlib.suppress(LabError):
                process.stop(_SECONDS_TO_STOP)
        process.kill()
        self._api_process = None

    def start_api(self) -> None:
        """Start the API server again and wait until it serves every kind; controllers follow."""
        if self._api_process is not None:
            raise LabError("the API server runs already")
        self._start_api_server()
        if self._controllers:
            self._start_controllers()

    def freeze_api(self) -> None:
        """Stop the API server's clock: connections are accepted and nothing is answered."""
        self._running_api().signal_all(signal.SIGSTOP)

    def thaw_api(self) -> None:
        """Let it go on."""
        self._running_api().signal_all(signal.SIGCONT)

    def compact(self) -> None:
        """Let etcd forget every revision but the present one.

        The API server still answers from its own cache: watches from before get 410 once it was
        restarted after this.
        """
        self._etcd.compact()

    def back_up(self) -> Path:
        """Return a backup of all there is now; the API server waits for etcd meanwhile."""
        self._etcd.stop()
        backup = self._etcd.copy()
        self._start_etcd()
        return backup

    def restore(self, backup: Path) -> None:
        """Go back to a backup, as it is done: with the API server stopped."""
        self.stop_api(at_once=True)
        self._etcd.stop()
        self._etcd.put_back(backup)
        self._start_etcd()
        self.start_api()

    def stop_controllers(self) -> None:
        """Kill the controllers: no garbage collection, no EndpointSlices any more."""
        for each in self._controllers:
            each.kill()
        self._controllers = []

    @property
    def running(self) -> bool:
        """Whether there is an API server that was not stopped; it may be frozen."""
        return self._api_process is not None

    def ready(self) -> bool:
        """Return whether the API server says that it is ready.

        For a moment after a start that is too early: it may not have read all roles (403) nor
        opened the storage of custom kinds (429) yet, so clients have to live with both.
        """
        with contextlib.suppress(ApiError, UnreachableError):
            return self.api.text("/readyz") == "ok"
        return False

    def last_words(self, lines: int = _LAST_LINES) -> str:
        """Return the last lines of every part's log."""
        if self._place is None:
            return "the control plane is not running"
        return "\n".join(
            f"--- {path.stem}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
            for path in sorted(self._place.directory.glob("*.log"))
        )

    # --- its parts -------------------------------------------------------------------------------

    @cached_property
    def _etcd(self) -> Etcd:
        return Etcd(self.place)

    def _start_etcd(self) -> None:
        self._await("etcd", self._etcd.start(), self._etcd.answers)

    def _start_api_server(self) -> None:
        process = self.place.start("kube-apiserver", self._api_command())
        self._api_process = process
        self._await("kube-apiserver", process, self.ready)
        self._await(
            "kube-apiserver for custom kinds", process, lambda: serves_custom_kinds(self.api)
        )
        self._await("kube-apiserver for its roles", process, self._knows_roles)

    def _api_command(self) -> list[str]:
        return [
            binaries.path("kube-apiserver"),
            f"--etcd-servers={self._etcd.url}",
            *(f"--bind-address={self.address}", f"--secure-port={self.port}"),
            *self._how_others_reach_it(),
            f"--tls-cert-file={self._serving.certificate}",
            f"--tls-private-key-file={self._serving.key}",
            f"--client-ca-file={self.credentials.authority.certificate}",
            f"--token-auth-file={self.credentials.token_file}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={_SERVICE_RANGES}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.credentials.service_account_key}",
            f"--service-account-signing-key-file={self.credentials.service_account_key}",
            "--allow-privileged=true",
            # Without it a server that is told to stop keeps open watches for a minute.
            "--shutdown-watch-termination-grace-period=1s",
            *self._api_flags,
        ]

    def _how_others_reach_it(self) -> list[str]:
        if self.host is not None:
            return [f"--advertise-address={self.address}"]
        # A loopback address must not be an endpoint of the Service `kubernetes`.
        return [f"--advertise-address={self.address}", "--endpoint-reconciler-type=none"]

    @cached_property
    def _serving(self) -> KeyPair:
        addresses = (self.address, LOOPBACK, _FIRST_SERVICE)
        return self.credentials.serving("kube-apiserver", addresses, _SERVER_NAMES)

    def _apply_manifests(self) -> None:
        kubectl = self.kubectl()
        files = [f"--filename={path}" for path in self._manifests]
        kubectl("apply", "--server-side", *files)
        crds = ("customresourcedefinitions", "--all", "--timeout=20s")
        kubectl("wait", "--for=condition=Established", *crds)
        process = self._running_api()
        self._await(
            "kube-apiserver for custom kinds", process, lambda: serves_custom_kinds(self.api)
        )

    def _knows_roles(self) -> bool:
        with contextlib.suppress(ApiError, UnreachableError):
            self.api_as(CONTROLLER_MANAGER).items(NODES)
            return True
        return False

    def _start_controllers(self) -> None:
        command = [
            binaries.path("kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig(CONTROLLER_MANAGER)}",
            f"--controllers={_CONTROLLERS}",
            f"--root-ca-file={self.credentials.authority.certificate}",
            f"--service-account-private-key-file={self.credentials.service_account_key}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            # With the default of 20 requests a second the first ServiceAccounts come seconds late.
            *("--kube-api-qps=500", "--kube-api-burst=500"),
            # Its own port would be one more to collide.
            "--secure-port=0",
        ]
        self._controllers = [self.place.start("kube-controller-manager", command)]

    def _running_api(self) -> Process:
        if self._api_process is None:
            raise LabError("the API server is stopped already")
        return self._api_process

    def _await(self, name: str, process: Process, look: Callable[[], bool]) -> None:
        """Wait until a part answers; if it ends or takes too long, say what it said last."""

        def answers_or_ended() -> bool:
            return not process.running or look()

        with contextlib.suppress(NotInTimeError):
            until(f"{name} to answer", answers_or_ended, _SECONDS_TO_START, every=0.1)
            if process.running:
                return
        raise LabError(f"{name} does not answer:\n{self.last_words()}")
