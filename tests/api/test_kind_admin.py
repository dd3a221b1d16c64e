"""How the cluster by kind becomes admin of an API server that gave it a kubeconfig only."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from vip_kube.kinds import NODES
from vip_lab.kind.control_plane import KindControlPlane
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.place import Place


@pytest.fixture
def place() -> Iterator[Place]:
    """Our own network."""
    place = Place()
    yield place
    place.close()


def _as_kind_writes_it(kubeconfig: Path, target: Path) -> Path:
    """Copy a kubeconfig with its certificate authority in it."""
    document = yaml.safe_load(kubeconfig.read_text())
    cluster = document["clusters"][0]["cluster"]
    authority = Path(cluster.pop("certificate-authority")).read_bytes()
    cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
    target.write_text(yaml.safe_dump(document))
    return target


def test_a_kubeconfig_becomes_a_token_of_an_admin(api: ControlPlane, place: Place) -> None:
    """With what kubectl may do the API is reached without it, as somebody who may do everything."""
    kubeconfig = _as_kind_writes_it(api.kubeconfig(), place.directory / "kubeconfig")
    plane = KindControlPlane("no-container", kubeconfig, place)
    try:
        assert plane.ready()
        assert plane.api.items(NODES) == []
        review = plane.api.ask(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}},
            },
        )
        assert review["status"]["allowed"]
    finally:
        for kind, namespace in (("clusterrolebinding", None), ("serviceaccount", "kube-system")):
            api.kubectl().delete(kind, "lab-admin", namespace)
