"""kubectl with one kubeconfig, from one network."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vip_lab.host import Host
from vip_lab.kubernetes import binaries
from vip_lab.namespaces import LabError, inside

JsonObject = dict[str, Any]

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed and how it ended.

    Attributes:
        command: its words after `kubectl`.
        status: exit status.
        stdout: its answer.
        stderr: its complaints.
    """

    command: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.status == 0


class Kubectl:
    """Runs kubectl; its caches lie beside the kubeconfig.

    Args:
        kubeconfig: server and user.
        host: host to run it on, None for our own network.
    """

    def __init__(self, kubeconfig: Path, host: Host | None = None) -> None:
        self.kubeconfig = kubeconfig
        self._prefix = [] if host is None else inside(host.namespace)

    def run(self, *words: str, input_text: str = "", timeout_seconds: float = _SECONDS) -> Outcome:
        """Run a command to its end, whatever that is. Raises LabError if it does not end."""
        options = [
            f"--kubeconfig={self.kubeconfig}",
            f"--cache-dir={self.kubeconfig.parent / 'kubectl-cache'}",
        ]
        command = [*self._prefix, binaries.path("kubectl"), *options, *words]
        try:
            done = subprocess.run(
                command,
                input=input_text,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_seconds,
            )
        except subprocess.TimeoutExpired as error:
            what = " ".join(words)
            raise LabError(f"`kubectl {what}` still runs after {timeout_seconds} s") from error
        return Outcome(words, done.returncode, done.stdout, done.stderr)

    def __call__(self, *words: str, input_text: str = "") -> str:
        """Run a command that has to succeed and return what it printed. Raises LabError."""
        outcome = self.run(*words, input_text=input_text)
        if not outcome.ok:
            raise LabError(f"`kubectl {' '.join(words)}` failed: {outcome.stderr.strip()}")
        return outcome.stdout

    def apply(self, manifest: str | JsonObject | Iterable[JsonObject], *words: str) -> str:
        """Apply a manifest, an object or several; `words` are further options."""
        return self("apply", "-f", "-", *words, input_text=manifest_text(manifest))

    def get(self, kind: str, name: str, namespace: str | None = None) -> JsonObject:
        """Return one object."""
        return self._json("get", kind, name, *_in(namespace))

    def items(self, kind: str, namespace: str | None = None) -> list[JsonObject]:
        """Return every object of a kind, of one namespace or of all."""
        words = _in(namespace) or ["--all-namespaces"]
        found: list[JsonObject] = self._json("get", kind, *words)["items"]
        return found

    def delete(self, kind: str, name: str, namespace: str | None = None, *words: str) -> str:
        """Delete an object and wait until it is gone; one that is gone already is no error."""
        return self("delete", kind, name, "--ignore-not-found", *_in(namespace), *words)

    def patch(
        self,
        kind: str,
        name: str,
        patch: JsonObject,
        namespace: str | None = None,
        *words: str,
    ) -> str:
        """Merge into an object; `words` may be --subresource=status, --type=json and so on."""
        kind_of_patch = [] if any(word.startswith("--type") for word in words) else ["--type=merge"]
        return self(
            "patch", kind, name, f"--patch={json.dumps(patch)}",
            *kind_of_patch, *_in(namespace), *words,
        )  # fmt: skip

    def _json(self, *words: str) -> JsonObject:
        answer = json.loads(self(*words, "--output=json"))
        assert isinstance(answer, dict)
        return answer


def manifest_text(manifest: str | JsonObject | Iterable[JsonObject]) -> str:
    """Return what kubectl reads."""
    if isinstance(manifest, str):
        return manifest
    documents = [manifest] if isinstance(manifest, dict) else list(manifest)
    return yaml.safe_dump_all(documents, sort_keys=False)


def _in(namespace: str | None) -> list[str]:
    return [] if namespace is None else [f"--namespace={namespace}"]
