"""How the API server is found, and with whose token."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from vip_kube import access
from vip_kube.access import Access, find, from_kubeconfig, in_cluster
from vip_kube.errors import AccessError, UnreachableError
from vip_kube.tokens import REREAD_AFTER_SECONDS, TokenSource


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide what this machine has: it is no pod, and its user has no kubeconfig."""
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pod's service account; the environment says where the API server is."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    directory = tmp_path / "account"
    directory.mkdir()
    (directory / "token").write_text("secret\n")
    (directory / "ca.crt").write_text("no certificate\n")
    (directory / "namespace").write_text("vip-system")
    return directory


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "tls.crt", folder / "tls.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    subprocess.run(
        [*command.split(), "-subj", "/CN=test", "-out", certificate, "-keyout", key],
        check=True,
        capture_output=True,
    )
    return certificate, key


def kubeconfig(file: Path, user: dict[str, Any], **cluster: Any) -> Path:
    """Write a kubeconfig with the contexts one (current, namespace red) and two."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1:6443/"} | cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "red"}},
            {"name": "two", "context": {"cluster": "c", "user": "u"}},
        ],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    return file


def test_pod(account: Path) -> None:
    """A pod's access comes from its service account and environment."""
    assert in_cluster(account) == Access(
        server="https://10.96.0.1:443",
        namespace="vip-system",
        ca_file=account / "ca.crt",
        token_file=account / "token",
    )


def test_pod_in_ipv6_cluster(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An IPv6 address of the API server is put in brackets."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert in_cluster(account).server == "https://[fd00::1]:443"


def test_pod_without_namespace_file(account: Path) -> None:
    """A projected volume that leaves out the namespace is good enough."""
    (account / "namespace").unlink()
    assert in_cluster(account).namespace == "default"


def test_pod_without_token(account: Path) -> None:
    """A pod whose token is not mounted is told which file is missing and how to get it."""
    (account / "token").unlink()
    with pytest.raises(AccessError, match=r"there is no .*account/token.*projected"):
        in_cluster(account)


def test_unusable_certificates(account: Path) -> None:
    """A file without a certificate is named when TLS is set up."""
    with pytest.raises(AccessError, match=r"ca\.crt cannot be used for certificates to trust"):
        in_cluster(account).ssl_context()


def test_tls(certificate: tuple[Path, Path]) -> None:
    """TLS is verified unless told otherwise, and http:// has none."""
    crt, key = certificate
    strict = Access(
        server="https://a", ca_file=crt, certificate_file=crt, key_file=key
    ).ssl_context()
    assert strict is not None
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(strict.get_ca_certs()) == 1
    lax = Access(server="https://a", verify=False).ssl_context()
    assert lax is not None
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)
    assert Access(server="http://a").ssl_context() is None


def test_kubeconfig_with_inline_certificates(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    """Certificates written in a kubeconfig are usable for as long as the process runs."""
    crt, key = (base64.b64encode(file.read_bytes()).decode() for file in certificate)
    user = {"client-certificate-data": crt, "client-key-data": key}
    file = kubeconfig(tmp_path / "config", user, **{"certificate-authority-data": crt})
    found = from_kubeconfig(str(file))
    assert (found.server, found.namespace) == ("https://192.0.2.1:6443", "red")
    assert found.token is None
    assert found.certificate_file is not None
    assert found.certificate_file.read_bytes() == certificate[0].read_bytes()
    assert found.ssl_context() is not None


def test_kubeconfig_with_token(tmp_path: Path) -> None:
    """A token and the context that is asked for are taken from a kubeconfig."""
    user = {"token": "secret"}
    file = kubeconfig(tmp_path / "config", user, **{"insecure-skip-tls-verify": True})
    found = from_kubeconfig(str(file), context="two")
    assert (found.token, found.namespace, found.verify) == ("secret", "default", False)


def test_kubeconfig_with_token_file(tmp_path: Path) -> None:
    """The line end of a token file is no part of the token."""
    (tmp_path / "token").write_text("secret\n")
    file = kubeconfig(tmp_path / "config", {"tokenFile": "token"})
    assert from_kubeconfig(str(file)).token == "secret"


def test_kubeconfig_with_plugin(tmp_path: Path) -> None:
    """A token that a plugin prints is taken."""
    version = "client.authentication.k8s.io/v1"
    printed = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": "secret"}}
    plugin = {"apiVersion": version, "command": "echo", "args": [json.dumps(printed)]}
    file = kubeconfig(tmp_path / "config", {"exec": plugin | {"interactiveMode": "Never"}})
    assert from_kubeconfig(str(file)).token == "secret"


def test_kubeconfig_of_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBECONFIG counts as it is now, also where the official client was imported before."""
    file = kubeconfig(tmp_path / "mine", {"token": "secret"})
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none{os.pathsep}{file}")
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.9:3128")
    assert from_kubeconfig().token == "secret"


@pytest.mark.parametrize(
    ("user", "cluster", "field"),
    [
        ({"token": "x"}, {"tls-server-name": "a"}, "tls-server-name"),
        ({"token": "x"}, {"proxy-url": "http://192.0.2.9"}, "proxy-url"),
        ({"username": "a", "password": "b"}, {}, "username and password"),
    ],
)
def test_kubeconfig_unsupported(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], field: str
) -> None:
    """What we cannot do is said with the name of the field."""
    file = kubeconfig(tmp_path / "config", user, **cluster)
    with pytest.raises(AccessError, match=f"config uses {field}"):
        from_kubeconfig(str(file))


@pytest.mark.parametrize("text", ["", "a: [", "current-context: x", "- 1", "contexts: 7"])
def test_kubeconfig_malformed(tmp_path: Path, text: str) -> None:
    """Whatever is wrong with a kubeconfig, the file is named."""
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(AccessError, match=f"the kubeconfig {file} cannot be used"):
        from_kubeconfig(str(file))


def test_kubeconfig_needs_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the official client the text says what to install."""
    file = kubeconfig(tmp_path / "config", {"token": "x"})
    monkeypatch.setitem(sys.modules, "kubernetes.config", None)
    with pytest.raises(AccessError, match=r"pip install 'vip-operator\[kubeconfig\]'"):
        from_kubeconfig(str(file))


def test_import_is_light() -> None:
    """What runs in a pod never imports the official client."""
    script = "import sys, vip_kube.reflector; print('kubernetes' in sys.modules)"
    seen = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    assert seen.stdout.strip() == "False"


def test_find_prefers_what_is_named(
    account: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named kubeconfig comes before the pod, the pod before ~/.kube/config."""
    monkeypatch.setattr(access.in_cluster, "__defaults__", (account,))
    named = kubeconfig(tmp_path / "named", {"token": "named"})
    kubeconfig(tmp_path / "home" / ".kube" / "config", {"token": "home"})
    assert find(str(named)).token == "named"
    assert find().server == "https://10.96.0.1:443"
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert find().token == "home"


def test_find_nothing() -> None:
    """Where there is nothing, the text says what was looked for and what to do."""
    with pytest.raises(AccessError, match=r"SERVICE_HOST.*\.kube/config.*--kubeconfig"):
        find()


def test_token_follows_its_file(tmp_path: Path) -> None:
    """A projected token is exchanged by a link; the very next request has the new one."""
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        (tmp_path / number / "token").write_text(f"token-{number}")
    data = tmp_path / "data"
    data.symlink_to("1")
    source = TokenSource(Access(server="http://a", token_file=data / "token"))
    assert source.token() == "token-1"
    (tmp_path / "new").symlink_to("2")
    (tmp_path / "new").rename(data)
    assert source.token() == "token-2"


def test_token_is_read_again(tmp_path: Path) -> None:
    """A change that the file's time does not tell is seen after a minute, or after a 401."""
    file, now = tmp_path / "token", [0.0]
    file.write_text("one")
    written = file.stat().st_mtime_ns
    source = TokenSource(Access(server="http://a", token_file=file), clock=lambda: now[0])

    def change(text: str) -> None:
        file.write_text(text)
        os.utime(file, ns=(written, written))

    assert source.token() == "one"
    change("two")
    assert source.token() == "one"
    now[0] = REREAD_AFTER_SECONDS
    assert source.token() == "two"
    change("six")
    assert source.distrust()
    assert source.token() == "six"


def test_token_outlives_its_file(tmp_path: Path) -> None:
    """A file that is away or empty for a moment leaves the old token in force."""
    file = tmp_path / "token"
    source = TokenSource(Access(server="http://a", token_file=file))
    with pytest.raises(UnreachableError, match="token file cannot be read"):
        source.token()
    file.write_text("")
    with pytest.raises(UnreachableError, match="is empty"):
        source.token()
    file.write_text("one")
    assert source.token() == "one"
    file.write_text("")
    assert source.token() == "one"
    file.unlink()
    assert source.token() == "one"


def test_fixed_token() -> None:
    """A token without a file does not change, and a 401 cannot help it."""
    source = TokenSource(Access(server="http://a", token="fixed"))
    assert source.token() == "fixed"
    assert not source.distrust()
