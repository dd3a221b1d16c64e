"""The project's image as a user of Docker builds it, and on the nodes."""

from __future__ import annotations

import sys

from vip_lab.cluster.images import project_name
from vip_lab.cluster.say import step
from vip_lab.kind.commands import kind
from vip_lab.kubernetes.binaries import ROOT
from vip_lab.namespaces import run

_SHORT_OF = "docker.io/library/"


def build() -> str:
    """Build the image from this checkout by `hack/image` and return Docker's name for it."""
    name = project_name().removeprefix(_SHORT_OF)
    settings = (f"PYTHON={sys.executable}", "BUILDER=docker")
    with step(f"building the image {name}", "60 s"):
        run("env", *settings, str(ROOT / "hack/image"), name)
    return name


def load(cluster: str, name: str) -> None:
    """Load an image of Docker's onto every node, where it is called `project_name()`."""
    with step(f"loading {name} onto the nodes", "10 s"):
        kind("load", "docker-image", name, f"--name={cluster}")
