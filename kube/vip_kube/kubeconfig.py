"""Reading a kubeconfig, with the official client, which is imported only when one is read."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vip_kube.errors import AccessError

DEFAULT_PATH = "~/.kube/config"


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """What one context of a kubeconfig says, paths made absolute.

    Attributes:
        server: URL of the API server.
        namespace: of the context.
        ca_file: certificates to trust; None: the system's.
        token: bearer token; None: there is none.
        certificate_file: client certificate.
        key_file: its key.
        verify: False: insecure-skip-tls-verify.
    """

    server: str
    namespace: str
    ca_file: Path | None
    token: str | None
    certificate_file: Path | None
    key_file: Path | None
    verify: bool


def read(path: str | None, context: str | None) -> Kubeconfig:
    """Return what the context says; defaults: KUBECONFIG or ~/.kube/config, its current one.

    Raises:
        AccessError: it cannot be had; the text names the file.
    """
    # The package reads KUBECONFIG when it is imported, which may be too early: we do it now.
    paths = path or os.environ.get("KUBECONFIG") or DEFAULT_PATH
    if not any(Path(part).expanduser().is_file() for part in paths.split(os.pathsep) if part):
        raise AccessError(f"there is no kubeconfig at {paths}")
    client, config = _official_client()
    loaded = client.Configuration()
    loaded.proxy = None  # it would be taken from the environment, which we never use
    try:
        config.load_kube_config(
            paths, context=context, client_configuration=loaded, persist_config=False
        )
        contexts, current = config.list_kube_config_contexts(paths)
        namespace = _namespace(contexts, current, context)
    # The package lets through whatever a malformed file makes it stumble over.
    except Exception as error:
        raise AccessError(f"the kubeconfig {paths} cannot be used: {error}") from error
    _refuse_unsupported(loaded, paths)
    return Kubeconfig(
        server=loaded.host,
        namespace=namespace,
        ca_file=_path(loaded.ssl_ca_cert),
        token=_token(loaded.api_key.get("BearerToken")),
        certificate_file=_path(loaded.cert_file),
        key_file=_path(loaded.key_file),
        verify=loaded.verify_ssl,
    )


def _official_client() -> tuple[Any, Any]:
    try:
        return importlib.import_module("kubernetes.client"), importlib.import_module(
            "kubernetes.config"
        )
    except ImportError as error:
        raise AccessError(
            "reading a kubeconfig needs the package kubernetes:"
            " pip install 'vip-operator[kubeconfig]'"
        ) from error


def _namespace(contexts: list[Any], current: Any, wanted: str | None) -> str:
    chosen = next((each for each in contexts if each["name"] == wanted), current)
    return str(chosen["context"].get("namespace") or "default")


def _refuse_unsupported(loaded: Any, paths: str) -> None:
    """Say what we cannot do rather than go to the wrong place, or as nobody."""
    unsupported = {
        "tls-server-name": loaded.tls_server_name,
        "proxy-url": loaded.proxy,
        "username and password": str(loaded.api_key.get("BearerToken", "")).startswith("Basic "),
    }
    for field, value in unsupported.items():
        if value:
            raise AccessError(f"the kubeconfig {paths} uses {field}, which is not supported")


def _token(header: str | None) -> str | None:
    return header.removeprefix("Bearer ").strip() if header else None


def _path(name: str | None) -> Path | None:
    return Path(name).absolute() if name else None
