"""Whether a cluster can run here, and if not, why."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from pathlib import Path

from vip_lab.kubernetes import binaries
from vip_lab.kubernetes.binaries import ROOT

NODE_BINARIES = ("kubelet", "kube-proxy", "kube-scheduler")

_INSTALLER = ROOT / "hack/cluster-packages"
_FILE_SYSTEMS = Path("/proc/filesystems")
_SECONDS = 30


def missing_packages() -> list[str]:
    """Return the Debian packages that `hack/cluster-packages` would install."""
    done = subprocess.run(
        [_INSTALLER, "--missing"], capture_output=True, text=True, check=True, timeout=_SECONDS
    )
    return done.stdout.split()


def why_no_cluster() -> str | None:
    """Return why no cluster can be started here, None if it can."""
    reason = why_no_images() or binaries.why_no_binaries()
    if reason is not None:
        return reason
    lacking = [name for name in NODE_BINARIES if not os.access(binaries.path(name), os.X_OK)]
    if lacking:
        return f"needs {', '.join(lacking)}: `make kube-binaries` builds them"
    return None


def why_no_images() -> str | None:
    """Return why what nodes hold cannot be made here, or would be of no use; None if it can."""
    if os.geteuid() != 0:
        return "needs root for namespaces and mounts: run it as root or with sudo"
    if platform.machine() != "x86_64":
        return (
            f"needs an x86_64 machine, as its pause image is for that; this is {platform.machine()}"
        )
    packages = missing_packages()
    if packages:
        return f"needs the packages {', '.join(packages)}: `hack/cluster-packages` installs them"
    if not _has_overlayfs():
        return "needs a kernel with overlayfs"
    return None


def _has_overlayfs() -> bool:
    """Return whether overlayfs can be mounted, loading its module if that is what it takes."""
    if not _lists_overlayfs():
        # The kernel lists a module only once it is loaded, which the first mount would do.
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                ["modprobe", "-q", "overlay"], capture_output=True, check=False, timeout=_SECONDS
            )
    return _lists_overlayfs()


def _lists_overlayfs() -> bool:
    return "overlay" in _FILE_SYSTEMS.read_text().split()
