"""How the API server is reached and how we prove who we are."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

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
        raise NotImplementedError


def in_cluster(directory: Path = SERVICE_ACCOUNT) -> Access:
    """Return the access of a pod, from its service account and environment.

    Raises:
        AccessError: this is no pod, or it has no token.
    """
    raise NotImplementedError


def from_kubeconfig(path: str | None = None, context: str | None = None) -> Access:
    """Return the access that a kubeconfig describes (default: KUBECONFIG, then ~/.kube/config).

    Raises:
        AccessError: there is none, it cannot be read, or the package `kubernetes` is missing.
    """
    raise NotImplementedError


def find(kubeconfig: str | None = None) -> Access:
    """Return the access of the kubeconfig if one is named, else of the pod, else the default one.

    Raises:
        AccessError: none of them is there; the text lists what was tried.
    """
    raise NotImplementedError
