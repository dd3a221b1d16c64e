"""Where the Kubernetes and etcd binaries are; `make kube-binaries` puts them there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DIRECTORY = ROOT / ".cache/kubernetes/bin"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")

_FINDER = ROOT / "hack/kube-binaries"
_FINDER_SECONDS = 30


def path(name: str) -> str:
    """Return the path of one binary; whether it is there is said by `why_no_binaries`."""
    return str(DIRECTORY / name)


def why_no_binaries() -> str | None:
    """Return why no control plane can be started here, None if it can.

    Binaries that are elsewhere on this machine are linked into `DIRECTORY`; nothing is built.
    """
    if all(os.access(DIRECTORY / name, os.X_OK) for name in CONTROL_PLANE):
        return None
    found = subprocess.run(
        [_FINDER, "--find"], capture_output=True, text=True, check=False, timeout=_FINDER_SECONDS
    )
    if found.returncode == 0:
        return None
    reason = found.stderr.strip().removeprefix("kube-binaries: ")
    return f"needs the Kubernetes and etcd binaries; {reason}"
