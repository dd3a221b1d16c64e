"""The commands docker and kind, and why they cannot be used where they cannot."""

from __future__ import annotations

import os
import shutil
import subprocess

from vip_lab.kubernetes import binaries
from vip_lab.namespaces import run

_SECONDS_TO_ANSWER = 20.0


def docker(*words: str) -> str:
    """Run docker and return its output. Raises LabError with its own words if it fails."""
    return run("docker", *words)


def kind(*words: str, network: str | None = None) -> str:
    """Run kind and return its output. Raises LabError with its own words if it fails.

    Args:
        words: of the command.
        network: Docker network for nodes that it makes; None: kind's own choice.
    """
    # Podman is the other provider, and what reaches into nodes here speaks to Docker.
    variables = ["KIND_EXPERIMENTAL_PROVIDER=docker"]
    if network is not None:
        variables.append(f"KIND_EXPERIMENTAL_DOCKER_NETWORK={network}")
    return run("env", *variables, "kind", *words)


def why_no_kind() -> str | None:
    """Return why no cluster can be made by kind here, None if it can."""
    if shutil.which("docker") is None:
        return "needs Docker: install Docker Engine (on Debian and Ubuntu the package docker.io)"
    silence = _why_docker_is_silent()
    if silence is not None:
        return f"needs a Docker daemon that answers: start it; `docker version` says: {silence}"
    if shutil.which("kind") is None:
        return "needs kind: install it, a single program, somewhere on PATH"
    if not os.access(binaries.path("kubectl"), os.X_OK):
        return "needs kubectl: `make kube-binaries` finds or builds it"
    if os.geteuid() != 0:
        return "needs root to enter the networks of nodes: run it as root or with sudo"
    return None


def _why_docker_is_silent() -> str | None:
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_SECONDS_TO_ANSWER
        )
    except subprocess.TimeoutExpired:
        return f"nothing for {_SECONDS_TO_ANSWER:g} s"
    return None if done.returncode == 0 else (done.stderr or done.stdout).strip()
