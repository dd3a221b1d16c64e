"""Keys, certificates and tokens of a control plane that lives as long as a test run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from vip_lab.namespaces import LabError

ADMIN = "admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"

_DAYS = "30"
_REQUEST = """\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = {name}
[extensions]
subjectKeyIdentifier = hash
"""
_AUTHORITY = """\
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
"""
_SERVER = """\
basicConstraints = critical, CA:FALSE
authorityKeyIdentifier = keyid
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {alternatives}
"""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a static token.

    Attributes:
        name: as RBAC knows it.
        groups: likewise.
    """

    name: str
    groups: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """Its bearer token; no secret, as the server is ours alone and gone after the run."""
        return f"token-of-{self.name.replace(':', '-')}"


# Nobody but admin may do anything before a test binds roles, as in any cluster.
USERS = (
    User("operator", ("vip-operators",)),
    User("operator-2", ("vip-operators",)),
    *(User(f"speaker:n{number}", ("vip-speakers",)) for number in range(1, 10)),
    User("nobody"),
)
_OWN_USERS = (User(ADMIN, ("system:masters",)), User(CONTROLLER_MANAGER))


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Credentials:
    """Makes what the parts of a control plane show each other. Needs the command `openssl`.

    Args:
        directory: for the files.
        users: who gets a token, besides admin and the parts themselves.
    """

    def __init__(self, directory: Path, users: Sequence[User] = USERS) -> None:
        self._directory = directory
        self._users = {user.name: user for user in (*_OWN_USERS, *users)}
        self.authority = self._certificate("ca", _AUTHORITY)
        self.service_account_key = self._key("service-accounts")
        self.token_file = self._write_tokens()

    def serving(self, name: str, addresses: Iterable[str], names: Iterable[str] = ()) -> KeyPair:
        """Return a server's certificate for these addresses and DNS names."""
        alternatives = [f"IP:{address}" for address in addresses]
        alternatives += [f"DNS:{each}" for each in names]
        extensions = _SERVER.format(alternatives=", ".join(dict.fromkeys(alternatives)))
        return self._certificate(name, extensions, signed_by=self.authority)

    def token(self, user: str) -> str:
        """Return the token of a user. Raises LabError for one that the API server does not know."""
        if user not in self._users:
            known = ", ".join(self._users)
            raise LabError(f"user {user} has no token: name it in `users`, or take one of {known}")
        return self._users[user].token

    def kubeconfig(self, server: str, token: str, name: str) -> Path:
        """Write a kubeconfig for a server's URL and a token; it is called NAME.kubeconfig."""
        path = self._directory / f"{name.replace(':', '-')}.kubeconfig"
        cluster = {"server": server, "certificate-authority": str(self.authority.certificate)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
            "current-context": "lab",
        }
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    # ---------------------------------------------------------------------------------------------

    def _write_tokens(self) -> Path:
        path = self._directory / "tokens.csv"
        lines = [
            f'{user.token},{user.name},{user.name},"{",".join(user.groups)}"\n'
            for user in self._users.values()
        ]
        path.write_text("".join(lines))
        return path

    def _key(self, name: str) -> Path:
        path = self._directory / f"{name}.key"
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(path))
        return path

    def _certificate(self, name: str, extensions: str, signed_by: KeyPair | None = None) -> KeyPair:
        made = KeyPair(self._directory / f"{name}.crt", self._key(name))
        request = self._directory / f"{name}.cnf"
        request.write_text(_REQUEST.format(name=name) + extensions)
        signer = []
        if signed_by is not None:
            signer = ["-CA", str(signed_by.certificate), "-CAkey", str(signed_by.key)]
        _openssl(
            *("req", "-x509", "-new", "-days", _DAYS, "-config", str(request)),
            *("-key", str(made.key), "-out", str(made.certificate), *signer),
        )
        return made


def _openssl(*words: str) -> None:
    try:
        done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise LabError("there is no command openssl: `make setup` installs it on Debian") from error
    if done.returncode != 0:
        raise LabError(f"`openssl {' '.join(words)}` failed: {done.stderr.strip()}")
