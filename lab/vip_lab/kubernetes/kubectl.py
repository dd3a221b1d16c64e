"""kubectl with one kubeconfig, from one network."""

from __future__ import annotations

import json
from collections.abc import Iterable

import yaml

from vip_lab.kubernetes import binaries
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.tool import Tool


class Kubectl(Tool):
    """Runs kubectl."""

    name = "kubectl"
    seconds = 60.0

    def program(self) -> list[str]:
        """Return where it is and where it keeps what it knows of the API."""
        cache = self.kubeconfig.parent / "kubectl-cache"
        return [binaries.path("kubectl"), f"--cache-dir={cache}"]

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
