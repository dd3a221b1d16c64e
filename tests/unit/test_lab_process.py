"""Processes of the lab: they are known by their command line from the first moment."""

from __future__ import annotations

import sys
from pathlib import Path

from vip_lab.process import Process


def test_a_process_shows_its_words_at_once(tmp_path: Path) -> None:
    """Whoever looks for a process by its words finds it as soon as it was started."""
    command = [sys.executable, "-c", "import time; time.sleep(60)", str(tmp_path)]
    for _ in range(200):
        process = Process(None, command, tmp_path / "output")
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.kill()
        assert str(tmp_path).encode() in words


def test_a_process_that_ends_at_once_is_not_waited_for(tmp_path: Path) -> None:
    """A command that has ended before anybody could look is there, with its exit status."""
    process = Process(None, ["/bin/false"], tmp_path / "output")
    assert process.wait() == 1
