"""The command line of `vip-operator run`, and its log."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from vip_common.log import Trouble
from vip_operator.cli import main


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--http", "8080"], "'8080' is not ADDRESS:PORT"),
        (["--http", "127.0.0.1:99999"], "is not ADDRESS:PORT"),
        (["--reserved-virtual-router-ids", "0"], "'0' is neither a VRID of 1-255 nor a range"),
        (["--reserved-virtual-router-ids", "1,60-51"], "the range '60-51' ends before it begins"),
        (["--reserved-virtual-router-ids", "1-256"], "'1-256' is neither"),
        (["--address-policy", "Some"], "invalid choice: 'Some'"),
        (["--namespace", ""], "must not be empty"),
        (["--speaker-template", " "], "must not be empty"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], words: list[str], complaint: str) -> None:
    """A value that cannot be meant is refused with 2, and the complaint names it."""
    with pytest.raises(SystemExit) as ended:
        main(["run", *words])
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_cleanup_wants_a_time(capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    """A timeout that is no time is refused with 2."""
    with pytest.raises(SystemExit) as ended:
        main(["cleanup", "--timeout", seconds])
    assert ended.value.code == 2
    assert f"{seconds!r} is no number of seconds above 0" in capsys.readouterr().err


def test_cleanup_without_a_way_to_an_api_server(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Where nothing can be cleaned up, a sentence says why, and the exit status is 1."""
    assert main(["cleanup", "--kubeconfig", str(tmp_path / "none")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "Not everything is cleaned up: " in line
    assert str(tmp_path / "none") in line


def test_plan_imports_nothing_heavy() -> None:
    """`plan` starts without kopf, aiohttp and asyncio: it is quick, and needs neither installed."""
    script = (
        "import sys; from vip_operator.cli import main; main(['plan', '-f', '/dev/null']);"
        "print([name for name in ('kopf', 'aiohttp', 'asyncio') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    assert run.stdout.splitlines()[-1] == "[]"


def test_trouble_is_a_line_at_each_end(caplog: pytest.LogCaptureFixture) -> None:
    """Trouble that repeats is one warning with its first reason, and its end one line."""
    caplog.set_level("INFO")
    trouble = Trouble(logging.getLogger("operator"), "reach the API server")
    trouble.ends()
    for number in range(5):
        trouble.begins(ConnectionError(f"attempt {number}"))
    assert str(trouble) == "could not reach the API server: attempt 0"
    trouble.ends()
    trouble.ends()
    assert str(trouble) == ""
    assert [each.getMessage() for each in caplog.records] == [
        "Could not reach the API server, trying again: attempt 0",
        "Could reach the API server again",
    ]
