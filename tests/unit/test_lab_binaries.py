"""Where the binaries of a control plane are, and what is said where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from vip_lab.kubernetes import binaries


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without links on a machine without binaries."""
    monkeypatch.setattr(binaries, "DIRECTORY", tmp_path / "bin")
    monkeypatch.setenv("VIP_OPERATOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


def test_missing_binaries_are_named(empty_machine: Path) -> None:
    """Without binaries the reason names them and the command that builds them."""
    reason = binaries.why_no_binaries()
    assert reason is not None
    assert "etcd" in reason
    assert "make kube-binaries" in reason
    assert "kube-binaries: " not in reason


def test_binaries_that_are_there(empty_machine: Path) -> None:
    """With each of them in place there is no reason not to start."""
    (empty_machine / "bin").mkdir()
    for name in binaries.CONTROL_PLANE:
        (empty_machine / "bin" / name).touch(mode=0o755)
        assert binaries.path(name) == str(empty_machine / "bin" / name)
    assert binaries.why_no_binaries() is None
