"""The lab's operator: what it says of itself is what it said, not that it said nothing."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from vip_lab.kubernetes.operator import Operator


def test_metrics_that_were_not_answered_are_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator that could not answer in time has not said that it does not lead."""
    unanswered = CompletedProcess([], 1, "", "timed out")
    page = "# HELP vip_operator_leader Leads.\nvip_operator_leader 1.0\n\n"
    answers = iter([unanswered, unanswered, CompletedProcess([], 0, page, "")])
    monkeypatch.setattr(Operator, "_get", lambda _self, _path: next(answers))
    with Operator(tmp_path / "kubeconfig", "vip-system") as operator:
        assert operator.metrics() == {"vip_operator_leader": 1.0}
