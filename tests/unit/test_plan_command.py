"""The command `vip-operator plan`: what it prints, and its exit status."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.resources import lan, vip, vip_document
from support.rings import ROOT
from vip_model.__about__ import __version__
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import plan
from vip_operator.cli import main

EXAMPLE = str(ROOT / "examples/bare-metal/vip.yaml")


def manifest(*documents: object) -> str:
    """Return the text of a manifest; JSON is YAML."""
    return "\n---\n".join(json.dumps(document) for document in documents) + "\n"


def write(directory: Path, name: str, *documents: object) -> str:
    """Write a manifest; return its path."""
    path = directory / name
    path.write_text(manifest(*documents))
    return str(path)


def test_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    """The example's nodes are listed in rank order, each with its priority and the reason."""
    assert main(["plan", "-f", EXAMPLE]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "default/web: 192.0.2.100",
        "  VRID 51, adverts every 1000 ms, preemption Never, gates web",
        "  RANK  NODE       PRIORITY  WHY",
        "  1     n1         254       placement.preferredNodes[0]",
        "  2     n2         251       placement.preferredNodes[1]",
        "  3     n3         248       placement.preferredNodes[2]",
        "  -     any other  155-245   slot drawn by hash of its name",
    ]


@pytest.mark.parametrize(
    ("node", "line"),
    [
        ("n2", "  n2 has priority 251 (slot 1)"),
        ("n9", "  n9 has priority 164 (slot 30, drawn by hash)"),
    ],
)
def test_one_node(node: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With --node it is said what that node would be."""
    assert main(["plan", "-f", EXAMPLE, "--node", node]) == 0
    assert line in capsys.readouterr().out.splitlines()


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is refused comes with file, object, field and way out, beside what is accepted."""
    path = write(
        tmp_path,
        "vip.yaml",
        vip_document("a", placement={"preferredNodes": ["n1"]}, vrrp={"virtualRouterID": 51}),
        vip_document("b", addresses=["192.0.2.101"], vrrp={"virtualRouterID": 51}),
        vip_document("c", addresses=["127.0.0.1"]),
        vip_document("d", spec={}),
    )
    assert main(["plan", "-f", path]) == 1
    out = capsys.readouterr().out
    assert "shop/a: 192.0.2.100" in out
    assert f"{path}, document 2: VirtualIP shop/b: spec.vrrp.virtualRouterID: 51 is taken by" in out
    assert f"{path}, document 3: VirtualIP shop/c: spec.addresses[0]: 127.0.0.1 is a loop" in out
    assert f"{path}, document 4: VirtualIP shop/d: spec.spec: there is no such field" in out
    assert "keeps its last good set until this is mended" in out


def test_warnings_and_other_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings and ignored documents are listed and do not change the exit status."""
    path = write(
        tmp_path,
        "vip.yaml",
        vip_document(serviceRef={"name": "nginx"}),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nginx", "namespace": "shop"}},
    )
    assert main(["plan", "-f", path]) == 0
    out = capsys.readouterr().out
    assert "  -     any node  155-254   slot drawn by hash of its name" in out
    assert "Warnings:" in out
    assert "spec.serviceRef: without a cluster it does not count (NotApplicable)" in out
    assert f"  Service shop/nginx ({path}, document 2)" in out


def test_several_files_and_directories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files, and the manifests of directories in order of name, are one set."""
    vrrp = {"virtualRouterID": 51}
    first = write(tmp_path, "x.yaml", vip_document("a", vrrp=vrrp))
    directory = tmp_path / "more"
    directory.mkdir()
    write(directory, "b.yaml", vip_document("b", addresses=["2001:db8::1"], vrrp=vrrp))
    write(directory, "a.json", vip_document("c", addresses=["192.0.2.3"], group="front"))
    (directory / "notes.txt").write_text("not a manifest")
    assert main(["plan", "-f", first, str(directory)]) == 0
    out = capsys.readouterr().out
    assert "group shop/front (shop/c): 192.0.2.3" in out
    assert "shop/b: 2001:db8::1" in out


def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-f -` reads standard input, as from kubectl get -o yaml."""
    listed = {"apiVersion": "v1", "kind": "List", "items": [vip_document()]}
    content = io.TextIOWrapper(io.BytesIO(manifest(listed).encode()))
    monkeypatch.setattr(sys, "stdin", content)
    assert main(["plan", "-f", "-"]) == 0
    assert "shop/web: 192.0.2.100" in capsys.readouterr().out


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json has statuses, elections, problems, warnings and the place of a node."""
    path = write(
        tmp_path,
        "vip.yaml",
        vip_document("a", placement={"preferredNodes": ["n1"]}),
        vip_document("b"),
    )
    assert main(["plan", "-f", path, "--json", "--node", "n1"]) == 1
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["accepted"], each["reason"]) for each in found["virtualIPs"]] == [
        ("shop/a", True, "Accepted"),
        ("shop/b", False, "AddressInUse"),
    ]
    assert found["virtualRouters"][0]["metadata"]["name"] == "vip.shop.a"
    assert found["places"] == {"vip.shop.a": {"slot": 0, "priority": 254, "hashed": False}}
    assert found["problems"] == [
        {
            "origin": f"{path}, document 2",
            "object": "VirtualIP shop/b",
            "field": "spec.addresses[0]",
            "message": "192.0.2.100 is an address of shop/a too: remove it from one of them",
        }
    ]


def test_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With Speakers and VirtualRouters among the documents it is the plan of that cluster."""
    virtual_ip = vip(placement={"preferredNodes": ["n2"]})
    before = plan(PlanInputs(virtual_ips=[virtual_ip], speakers=lan(2))).virtual_routers
    gone = plan(PlanInputs(virtual_ips=[vip("old", addresses=["192.0.2.9"])], speakers=lan(1)))
    path = write(
        tmp_path,
        "all.json",
        vip_document(placement={"preferredNodes": ["n2"]}),
        *json.loads(msgspec.json.encode((*lan(3), *before, *gone.virtual_routers))),
    )
    assert main(["plan", "-f", path, "--node", "n9"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "shop/old is being retired: no VirtualIP asks for it any more" in out
    assert "  1     n2    254       placement.preferredNodes[0]" in out
    assert "  2     n1    251       keeps the slot it has" in out
    assert "  3     n3    248       by hash of VirtualIP and node" in out
    assert "  n9 takes no part" in out


def test_a_cluster_that_refuses_an_edit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An election whose VirtualIP is refused is shown as staying as it is."""
    before = plan(PlanInputs(virtual_ips=[vip()], speakers=lan(1))).virtual_routers
    path = write(
        tmp_path,
        "all.json",
        vip_document(addresses=["127.0.0.1"]),
        *json.loads(msgspec.json.encode((*lan(1), *before))),
    )
    assert main(["plan", "-f", path]) == 1
    out = capsys.readouterr().out
    assert "stays as it is, since what is asked for is refused" in out
    assert "last good set" not in out


def test_a_cluster_without_candidates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that no node could hold is accepted and said to have no node."""
    path = write(
        tmp_path,
        "all.json",
        vip_document(addresses=["10.0.0.1"]),
        *json.loads(msgspec.json.encode(lan(1))),
    )
    assert main(["plan", "-f", path]) == 0
    assert "no node can hold it: none reports an interface" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "Cannot read {path}: No such file or directory"),
        ("a: [", "{path}, line "),
        ("a: 1\na: 2\n", "{path}, line 2, column 1: the key a comes twice"),
        (b"\xff\xfe\x00", "{path} is UTF-16: save it as UTF-8"),
        ("", "{path} is empty, as if it were being written"),
    ],
)
def test_what_cannot_be_read(
    content: str | bytes | None, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is missing or no YAML is told in one sentence, and the exit status is 2."""
    path = tmp_path / "vip.yaml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content)
    assert main(["plan", "-f", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert part.format(path=path) in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_an_empty_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory without manifests is told as such."""
    assert main(["plan", "-f", str(tmp_path)]) == 2
    assert "holds no manifest" in capsys.readouterr().err


def test_no_virtual_ip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Manifests without any VirtualIP are probably the wrong ones."""
    path = write(tmp_path, "x.yaml", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}})
    assert main(["plan", "-f", path]) == 1
    assert capsys.readouterr().err == f"There is no VirtualIP in {path}\n"


@pytest.mark.parametrize("arguments", [[], ["plan"], ["plan", "-f"], ["fly"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage ends with status 2 and a line of usage."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: vip-operator" in capsys.readouterr().err


def test_version() -> None:
    """The installed command prints its version."""
    command = Path(sys.executable).parent / "vip-operator"
    run = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"vip-operator {__version__}\n"


def load_balancer(name: str, families: tuple[str, ...] = ("IPv4",), **spec: Any) -> dict[str, Any]:
    """Return a Service of our class as a file has it."""
    fields = {
        "type": "LoadBalancer",
        "loadBalancerClass": "vip-operator.io/vip",
        "ipFamilies": list(families),
        **spec,
    }
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": fields}


def test_what_services_are_to_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the plan of a cluster our Services are listed with their addresses; others are not."""
    path = write(
        tmp_path,
        "cluster.yaml",
        vip_document(addresses=["192.0.2.100", "2001:db8::100"], serviceRef={"name": "nginx"}),
        load_balancer("nginx"),
        load_balancer("idle"),
        load_balancer("other", loadBalancerClass="example.com/other"),
        *msgspec.to_builtins(lan(2)),
    )
    assert main(["plan", "-f", path]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("Services:")
    assert lines[place + 1 : place + 4] == [
        "  shop/nginx shows 192.0.2.100",
        "  shop/idle shows no address",
        "",
    ]
    assert any("Service nginx does not show 2001:db8::100" in each for each in lines)
    assert main(["plan", "--json", "-f", path]) == 0
    assert json.loads(capsys.readouterr().out)["services"] == [
        {"name": "shop/nginx", "addresses": ["192.0.2.100"]},
        {"name": "shop/idle", "addresses": []},
    ]


def test_services_are_nothing_to_hosts_without_kubernetes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without Speakers a Service is a document of another kind."""
    path = write(tmp_path, "vip.yaml", vip_document(), load_balancer("nginx"))
    main(["plan", "-f", path])
    out = capsys.readouterr().out
    assert "Services:" not in out
    assert "Service shop/nginx" in out
