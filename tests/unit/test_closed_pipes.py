"""Commands that print end quietly when their reader has closed the pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.rings import ROOT

EXAMPLE = str(ROOT / "examples/bare-metal/vip.yaml")


@pytest.mark.parametrize(
    "words",
    [
        ("vip-operator", "plan", "--json", "-f", EXAMPLE),
        ("vip-speaker", "check", "--node", "n1", "--manifests", EXAMPLE),
    ],
    ids=["vip-operator", "vip-speaker"],
)
def test_a_closed_pipe_is_no_traceback(words: tuple[str, ...]) -> None:
    """`… | head -1` shows one line and no complaint."""
    program = Path(sys.executable).with_name(words[0])
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            [program, *words[1:]], stdout=write, stderr=subprocess.PIPE, check=False, timeout=30
        )
    finally:
        os.close(write)
    assert ended.stderr == b""
    assert ended.returncode == 1
