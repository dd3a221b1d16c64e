"""helm with one kubeconfig, from one network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from vip_lab.host import Host
from vip_lab.kubernetes.kubectl import Outcome
from vip_lab.namespaces import LabError, inside

_SECONDS = 180.0


def find_helm() -> str | None:
    """Return the path of helm: beside our Python, or else on PATH; None if there is none."""
    beside = Path(sys.executable).with_name("helm")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("helm")


def why_no_helm() -> str | None:
    """Return why no chart can be installed here, None if it can."""
    if find_helm() is None:
        return "needs helm: `make setup` installs it into .venv on x86_64; elsewhere put it on PATH"
    return None


class Helm:
    """Runs helm; its files lie beside the kubeconfig, nothing is read from the user's home.

    Args:
        kubeconfig: server and user.
        host: host to run it on, None for our own network.
    """

    def __init__(self, kubeconfig: Path, host: Host | None = None) -> None:
        self.kubeconfig = kubeconfig
        self._prefix = [] if host is None else inside(host.namespace)

    def run(self, *words: str, timeout_seconds: float = _SECONDS) -> Outcome:
        """Run a command to its end, whatever that is. Raises LabError if it does not end."""
        helm = find_helm()
        if helm is None:
            raise LabError(f"no helm: it {why_no_helm()}")
        home = self.kubeconfig.parent / "helm"
        places = {f"HELM_{kind}_HOME": str(home / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        try:
            done = subprocess.run(
                [*self._prefix, helm, f"--kubeconfig={self.kubeconfig}", *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_seconds,
                env={**os.environ, **places},
            )
        except subprocess.TimeoutExpired as error:
            what = " ".join(words)
            raise LabError(f"`helm {what}` still runs after {timeout_seconds} s") from error
        return Outcome(words, done.returncode, done.stdout, done.stderr)

    def __call__(self, *words: str) -> str:
        """Run a command that has to succeed and return what it printed. Raises LabError."""
        outcome = self.run(*words)
        if not outcome.ok:
            raise LabError(f"`helm {' '.join(words)}` failed: {outcome.stderr.strip()}")
        return outcome.stdout
