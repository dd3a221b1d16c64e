"""The command `vip-speaker check`: what it prints, and its exit status."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.manifests import http_gate, virtual_ip
from vip_speaker import cli


def check(tmp_path: Path, text: str, node: str = "n1") -> int:
    """Run `vip-speaker check` on one file."""
    file = tmp_path / "vip.yaml"
    file.write_text(text)
    return cli.main(["check", "--manifests", str(file), "--node", node, "--offline"])


def test_check_shows_what_a_node_would_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Valid manifests end with 0 and a table of this node's virtual routers."""
    gates = [http_gate(80), {"name": "uplink", "interface": {"name": "eth1"}}]

    assert check(tmp_path, virtual_ip(gates=gates)) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == "Node n1 would run:"
    assert shown.out.splitlines()[-1].split() == [
        "shop/web", "IPv4", "51", "by", "subnet", "192.0.2.100", "254", "(slot", "0)",
        "1000", "ms", "http,uplink",
    ]  # fmt: skip
    assert shown.err == ""


def test_check_of_a_node_that_is_not_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A node outside of preferredNodes is told that its place is drawn by hash."""
    assert check(tmp_path, virtual_ip(), node="n7") == 0
    shown = capsys.readouterr()
    assert "by hash" in shown.out
    assert "Warning: " in shown.err
    assert "n7" in shown.err


def test_check_of_a_host_without_any_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A host that would run nothing, mostly since its name is another, makes the check fail."""
    text = virtual_ip(placement={"preferredNodes": ["n1", "n2"], "maxCandidates": 2})

    assert check(tmp_path, text, node="n7") == 1
    assert "Problem: " in (shown := capsys.readouterr().err)
    assert "this host, n7, takes no part, since no others than n1, n2 do" in shown
    assert check(tmp_path, text, node="N2.example.test") == 0
    assert check(tmp_path, text + virtual_ip("b", "192.0.2.2", vrrp={}), node="n7") == 0
    assert "Warning: " in capsys.readouterr().err


def test_check_lists_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Invalid manifests end with 1 and one line for each problem, with file, object and field."""
    text = virtual_ip("a", "192.0.2.999", 51) + virtual_ip("b", "192.0.2.2", 256)

    assert check(tmp_path, text) == 1
    shown = capsys.readouterr()
    problems = [line for line in shown.err.splitlines() if line.startswith("Problem: ")]
    assert shown.out == ""
    assert len(problems) == 2
    for problem, (name, field) in zip(
        problems,
        [("shop/a", "spec.addresses"), ("shop/b", "spec.vrrp.virtualRouterID")],
        strict=True,
    ):
        assert str(tmp_path / "vip.yaml") in problem
        assert name in problem
        assert field in problem


def test_check_refuses_a_collision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a first start would leave out is a problem here."""
    assert check(tmp_path, virtual_ip("a") + virtual_ip("b", "192.0.2.2")) == 1
    assert "shop/b" in capsys.readouterr().err


def test_check_takes_a_file_with_and_without_its_option(tmp_path: Path) -> None:
    """`check vip.yaml` is `check --manifests vip.yaml`; neither or both are wrong usage."""
    file = tmp_path / "vip.yaml"
    file.write_text(virtual_ip())

    assert cli.main(["check", str(file), "--node", "n1"]) == 0
    for words in ([], [str(file), "--manifests", str(file)]):
        with pytest.raises(SystemExit, match="2"):
            cli.main(["check", *words])


def test_check_of_a_device_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """What has no end is refused for its size."""
    assert cli.main(["check", "/dev/zero"]) == 1
    assert "Problem: /dev/zero is larger than 4 MiB" in capsys.readouterr().err


def test_check_names_what_it_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A FIFO in the directory is a warning and holds nobody up."""
    (tmp_path / "vip.yaml").write_text(virtual_ip())
    os.mkfifo(tmp_path / "fifo.yaml")

    assert cli.main(["check", str(tmp_path), "--node", "n1"]) == 0
    assert f"Warning: Skipped {tmp_path}/fifo.yaml: it is a FIFO" in capsys.readouterr().err


def test_check_without_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there is one sentence."""
    missing = tmp_path / "nothing.yaml"

    assert cli.main(["check", "--manifests", str(missing)]) == 1
    assert f"Cannot read {missing}: No such file" in capsys.readouterr().err
