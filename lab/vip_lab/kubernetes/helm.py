"""helm with one kubeconfig, from one network."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from vip_lab.kubernetes.tool import Tool
from vip_lab.namespaces import LabError


def find_helm() -> str | None:
    """Return the path of helm: beside our Python, or else on PATH; None if there is none."""
    beside = Path(sys.executable).with_name("helm")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("helm")


def why_no_helm() -> str | None:
    """Return why no chart can be installed here, None if it can."""
    if find_helm() is None:
        return "needs helm: `make setup` installs it into .venv on x86_64; elsewhere put it on PATH"
    return None


class Helm(Tool):
    """Runs helm."""

    name = "helm"
    seconds = 180.0

    def program(self) -> list[str]:
        """Return where it is. Raises LabError if it is not there."""
        helm = find_helm()
        if helm is None:
            raise LabError(f"no helm: it {why_no_helm()}")
        return [helm]

    def environment(self) -> dict[str, str]:
        """Return where it keeps its caches and settings."""
        home = self.kubeconfig.parent / "helm"
        return {f"HELM_{kind}_HOME": str(home / kind) for kind in ("CACHE", "CONFIG", "DATA")}
