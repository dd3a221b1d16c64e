"""`vip-operator plan`, given the objects of a cluster, shows what becomes of the dead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.mortal_cluster import MortalCluster, cluster_of
from support.planned_cluster import declared
from vip_operator.cli import main


def lease(node: str, renewed: str, revision: int) -> dict[str, Any]:
    """Return the Lease of a speaker."""
    metadata = {
        "name": f"vip-speaker-{node}",
        "namespace": "vip-operator",
        "annotations": {"vip-operator.io/applied-revision": str(revision)},
    }
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {"renewTime": renewed},
    }


def objects(cluster: MortalCluster, leases: list[dict[str, Any]], path: Path) -> str:
    """Write all objects of a cluster as kubectl lists them; return the file."""
    items = [
        msgspec.to_builtins(each)
        for each in (
            *cluster.virtual_ips,
            *cluster.routers.values(),
            *cluster.speakers,
            *cluster.nodes,
        )
    ]
    content = {"apiVersion": "v1", "kind": "List", "items": [*items, *leases]}
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize(
    ("renewed", "heard", "lines"),
    [
        ("10:00:30", None, ["shop/web is being retired: no VirtualIP asks for it any more"]),
        ("10:00:02", None, ["  waits for n2"]),
        ("10:00:02", True, ["  waits for n2"]),
        ("10:00:02", False, ["shop/web is over, and its VirtualRouter is deleted"]),
    ],
)
def test_a_retired_election_with_a_silent_candidate(
    renewed: str,
    heard: bool | None,
    lines: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Leases say who is silent, and Speakers whether neighbours hear it."""
    cluster = cluster_of(3, virtual_ips=[declared()])
    cluster.pass_seconds(15)
    cluster.die("n2")
    cluster.virtual_ips = []
    cluster.reports = dict.fromkeys(("n1", "n3"))
    cluster.pass_seconds(40)
    cluster.reports = dict.fromkeys(("n1", "n3"), heard)
    for name in cluster.reachable:
        cluster.turn(name)
    leases = [
        lease(node, f"2026-11-29T{renewed if node == 'n2' else '10:00:31'}.000000Z", revision)
        for node, revision in cluster.applied.items()
    ]
    cluster.virtual_ips = [declared("other", addresses=["192.0.2.110"])]
    main(["plan", "-f", objects(cluster, leases, tmp_path / "all.json")])
    out = capsys.readouterr().out
    assert "Ignored" not in out
    for line in lines:
        assert line in out.splitlines()


def test_an_election_on_standby(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said what it waits for, and which nodes do not know it yet."""
    cluster = cluster_of(3, virtual_ips=[declared()])
    cluster.pass_seconds(15)
    cluster.virtual_ips = [declared(group="front")]
    cluster.cut.add("n2")
    cluster.pass_seconds(2)
    leases = [
        lease(node, "2026-11-29T10:00:30.000000Z", revision)
        for node, revision in cluster.applied.items()
    ]
    assert main(["plan", "-f", objects(cluster, leases, tmp_path / "all.json")]) == 1
    lines = capsys.readouterr().out.splitlines()
    place = lines.index(
        "group shop/front (shop/web) runs once another election has let go of 192.0.2.100"
    )
    assert lines[place + 1] == "  waits for n2"
