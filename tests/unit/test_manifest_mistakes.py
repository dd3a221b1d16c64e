"""A mistake in a manifest is explained in the same words by operator and speaker."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.manifests import virtual_ip
from vip_operator import cli as operator
from vip_speaker import cli as speaker
from vip_speaker.agent.manifests.files import Snapshot, Watcher

MISTAKES = {
    "empty": b"",
    "tab": b"spec:\n\taddresses: []\n",
    "open-bracket": b"spec: {addresses: [192.0.2.1\n",
    "open-quote": b"kind: 'VirtualIP\n",
    "no-blank": b"kind: VirtualIP\nspec:\n  group:web\n  addresses: []\n",
    "key-twice": b"kind: VirtualIP\nkind: Node\n",
    "keepalived": b"vrrp_instance VI_1 {\n    state MASTER\n}\n",
    "list-of-nothing": b"kind: List\nitems: 7\n",
    "part-of-itself": b"a: &a [*a]\n",
    "deep": b"[" * 200,
    "control-character": b"kind: \x00\n",
    "latin-1": b"kind: V\xefrtualIP\n",
    "utf-16": "kind: VirtualIP\n".encode("utf-16"),
    "large": b"#" * ((4 << 20) + 1),
}


def by_operator(source: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what `vip-operator plan` says of manifests that it cannot read."""
    assert operator.main(["plan", "-f", str(source)]) == 2
    return capsys.readouterr().err.splitlines()


def by_speaker(source: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what `vip-speaker check` says of them."""
    assert speaker.main(["check", str(source), "--node", "n1", "--offline"]) == 1
    return [line.removeprefix("Problem: ") for line in capsys.readouterr().err.splitlines()]


def by_agent(source: Path) -> list[str]:
    """Return what the agent says of them once they have come to rest."""
    watcher = Watcher(source)
    found: Snapshot | None = None
    for _ in range(3):  # a file that was just written is read at the second look
        found = found or watcher.poll()
    assert found is not None
    return list(found.problems)


@pytest.mark.parametrize("content", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each one is a single sentence that names the file, the same from every command."""
    path = tmp_path / "vip.yaml"
    path.write_bytes(content)
    (problem,) = by_operator(path, capsys)
    assert problem.startswith(str(path))
    assert by_speaker(path, capsys) == [problem]
    assert by_agent(path) == [problem]


def test_a_file_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So is what keeps a file from being read at all."""
    path = tmp_path / "vip.yaml"
    path.symlink_to("elsewhere.yaml")
    problems = by_operator(path, capsys)
    assert problems == [
        f"Cannot read {path}: it is a symbolic link to elsewhere.yaml, which does not exist"
    ]
    assert by_speaker(path, capsys) == by_agent(path) == problems


def test_a_directory_of_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file with a mistake is named, each on a line of its own."""
    for name, content in MISTAKES.items():
        (tmp_path / f"{name}.yaml").write_bytes(content)
    problems = by_operator(tmp_path, capsys)
    assert len(problems) == len(MISTAKES)
    assert by_speaker(tmp_path, capsys) == by_agent(tmp_path) == problems


def test_what_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is skipped in a directory is a warning, the same from every command."""
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    file = tmp_path / "vip.yaml"
    file.write_text(virtual_ip())
    skipped = [
        f"Skipped {tmp_path}/device.yaml: it is a device, not a file",
        f"Skipped {tmp_path}/fifo.yaml: it is a FIFO, not a file",
    ]

    assert operator.main(["plan", "-f", str(tmp_path)]) == 0
    _plan, _headline, warnings = capsys.readouterr().out.partition("Warnings:\n")
    assert [line.strip() for line in warnings.splitlines()] == skipped
    assert operator.main(["plan", "--json", "-f", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == skipped
    assert speaker.main(["check", str(tmp_path), "--node", "n1", "--offline"]) == 0
    said = [line.removeprefix("Warning: ") for line in capsys.readouterr().err.splitlines()]
    assert said == skipped

    file.write_text("# no VirtualIP\n")
    assert operator.main(["plan", "-f", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines()[1:] == skipped
