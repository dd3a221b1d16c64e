"""Which ring a test belongs to, and why a ring cannot run where it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from vip_lab.cluster.packages import why_no_cluster
from vip_lab.kubernetes import binaries

RINGS = ("unit", "conformance", "simulation", "api", "network", "cluster")
TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent

# Set where making what nodes need was tried and failed; the fixtures would only try again.
CLUSTER_FAILURE = "VIP_CLUSTER_FAILURE"
_NETWORK_TOOLS = ("ip", "ping", "nsenter")


def ring_of(path: Path) -> str | None:
    """Return the ring whose folder holds this test file, None for a file elsewhere."""
    path = path.resolve()
    folders = path.relative_to(TESTS).parts[:-1] if path.is_relative_to(TESTS) else ()
    return folders[0] if folders and folders[0] in RINGS else None


def why_no_api_ring() -> str | None:
    """Return why no Kubernetes API server can be started here, None if it can."""
    if shutil.which("openssl") is None:
        return "needs the command openssl: `make setup` installs it on Debian"
    return binaries.why_no_binaries()


def why_no_cluster_ring() -> str | None:
    """Return why no cluster of real nodes can be started here, None if it can."""
    return why_no_network_ring() or why_no_cluster() or os.environ.get(CLUSTER_FAILURE)


def why_no_network_ring() -> str | None:
    """Return why processes in network namespaces cannot be tested here, None if they can."""
    if os.geteuid() != 0:
        return "needs root for network namespaces: run `make test` as root or with sudo at hand"
    missing = [tool for tool in _NETWORK_TOOLS if shutil.which(tool) is None]
    if missing:
        return f"needs the commands {', '.join(missing)}: `make setup` installs them on Debian"
    # Root in a container may still lack the right to mount, which named namespaces need.
    name = f"rings-probe-{os.getpid()}"
    attempt = subprocess.run(
        ["ip", "netns", "add", name], capture_output=True, text=True, check=False, timeout=30
    )
    if attempt.returncode != 0:
        return f"this root may not make network namespaces: {attempt.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", name], check=True, timeout=30)
    return None
