"""How the API server is reached and how we prove who we are."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vip_kube import kubeconfig as kubeconfigs
from vip_kube.errors import AccessError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One API server and one identity.

    Attributes:
        server: URL without a path at the end: https://192.0.2.1:6443.
        namespace: of the service account or of the kubeconfig's context.
        ca_file: certificates to trust; None: the system's.
        token_file: file that holds a bearer token, read again whenever it changes.
        token: a bearer token that does not change.
        certificate_file: client certificate, with `key_file`.
        key_file: its key.
        verify: False trusts any server (insecure-skip-tls-verify).
    """

    server: str
    namespace: str = "default"
    ca_file: Path | None = None
    token_file: Path | None = None
    token: str | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return how to speak TLS, None for http://. Raises AccessError for unusable files."""
        if self.server.startswith("http://"):
            return None
        # Not create_default_context(): from Python 3.13 on that refuses the certificates of many
        # real clusters, which lack a key identifier, as no other Kubernetes client does.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca_file is None:
            context.load_default_certs()
        self.load_certificates(context)
        return context

    def load_certificates(self, context: ssl.SSLContext) -> None:
        """Read the files into a context that may have read them before; they can be renewed.

        Raises:
            AccessError: a file cannot be read, or holds no certificate or key.
        """
        if self.ca_file is not None and self.verify:
            ca_file = self.ca_file
            _use("certificates to trust", ca_file, lambda: context.load_verify_locations(ca_file))
        if self.certificate_file is not None:
            certificate, key = self.certificate_file, self.key_file
            _use(
                "a client certificate and its key",
                certificate,
                lambda: context.load_cert_chain(certificate, key),
            )


def _use(what: str, file: Path, load: Callable[[], None]) -> None:
    try:
        load()
    except (OSError, ssl.SSLError) as error:
        raise AccessError(f"{file} cannot be used for {what}: {error}") from error


def in_cluster(directory: Path = SERVICE_ACCOUNT) -> Access:
    """Return the access of a pod, from its service account and environment.

    Raises:
        AccessError: this is no pod, or it has no token.
    """
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    port = os.environ.get("KUBERNETES_SERVICE_PORT") or "443"
    if not host:
        raise AccessError("this is not a pod: KUBERNETES_SERVICE_HOST is not set")
    token_file, ca_file = directory / "token", directory / "ca.crt"
    for file in (token_file, ca_file):
        if not file.is_file():
            raise AccessError(
                f"this pod has no service account: there is no {file}; give the pod a projected"
                " token there, or do not set automountServiceAccountToken to false"
            )
    return Access(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=_namespace(directory / "namespace"),
        ca_file=ca_file,
        token_file=token_file,
    )


def _namespace(file: Path) -> str:
    """Return the namespace that the file names; a projected volume need not have the file."""
    try:
        return file.read_text(encoding="utf-8").strip() or "default"
    except FileNotFoundError:
        return "default"
    except OSError as error:
        raise AccessError(f"{file} cannot be read: {error}") from error


def from_kubeconfig(path: str | None = None, context: str | None = None) -> Access:
    """Return the access that a kubeconfig describes (default: KUBECONFIG, then ~/.kube/config).

    Certificates that are written in the kubeconfig itself end up in temporary files, which live
    until this process ends. Tokens are taken once: one that a plugin (`exec`) or a `tokenFile`
    gives is not renewed, which is good enough for a person's commands, not for a service.

    Raises:
        AccessError: there is none, it cannot be read, or the package `kubernetes` is missing.
    """
    found = kubeconfigs.read(path, context)
    return Access(
        server=found.server,
        namespace=found.namespace,
        ca_file=found.ca_file,
        token=found.token,
        certificate_file=found.certificate_file,
        key_file=found.key_file,
        verify=found.verify,
    )


def find(kubeconfig: str | None = None) -> Access:
    """Return the access of the kubeconfig if one is named, else of the pod, else the default one.

    Raises:
        AccessError: none of them is there; the text lists what was tried.
    """
    if kubeconfig:
        return from_kubeconfig(kubeconfig)
    try:
        return in_cluster()
    except AccessError as no_pod:
        try:
            return from_kubeconfig()
        except AccessError as no_kubeconfig:
            raise AccessError(
                f"found no way to an API server: {no_pod}; {no_kubeconfig};"
                " name a kubeconfig with --kubeconfig"
            ) from no_kubeconfig
