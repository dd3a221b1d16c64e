"""How a speaker's log looks in a terminal and in the journal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vip_common.log import is_journal

_PROGRAM = """
import os, sys
if sys.argv[1] == "journal":
    found = os.fstat(2)
    os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
from vip_common import log
import logging
log.configure("debug", "engine")
logger = logging.getLogger("engine")
logger.debug("a")
logger.info("b")
logger.warning("c")
try:
    raise ValueError("e")
except ValueError:
    logger.exception("d")
"""


def _logged(where: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, where], capture_output=True, text=True, check=True
    )
    return done.stderr.splitlines()


def test_in_the_journal_each_line_has_its_priority() -> None:
    """Also those of a traceback, which would be of another priority otherwise."""
    lines = _logged("journal")
    assert lines[:4] == ["<7>engine: a", "<6>engine: b", "<4>engine: c", "<3>engine: d"]
    assert len(lines) > 5
    assert all(line.startswith("<3>") for line in lines[4:])


def test_elsewhere_each_line_has_its_time_and_level() -> None:
    """So that the logs of several hosts can be merged."""
    lines = _logged("terminal")
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.\d{3}Z DEBUG engine: a", lines[0])


@pytest.mark.parametrize("stream", ["", "1:2", "nonsense"])
def test_an_inherited_variable_is_not_believed(stream: str, tmp_path: Path) -> None:
    """A service's child whose output goes into a file writes what a file should have."""
    with (tmp_path / "log").open("w") as file:
        assert not is_journal(file.fileno(), {"JOURNAL_STREAM": stream})
        found = os.fstat(file.fileno())
        named = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert is_journal(file.fileno(), named)
    assert not is_journal(-1, named)


_FLOOD = """
import logging, sys, time
from vip_common import log
log.configure("info", "engine", aside=True)
logger = logging.getLogger("engine")
longest = 0.0
for number in range(20_000):
    began = time.monotonic()
    logger.info("line %d", number)
    longest = max(longest, time.monotonic() - began)
print(longest, flush=True)
sys.stdin.readline()
time.sleep(0.5)
logger.info("the last")
"""


@pytest.fixture
def flooding() -> Iterator[subprocess.Popen[str]]:
    """A process that logs more than its pipe holds, while nobody reads it."""
    with subprocess.Popen(
        [sys.executable, "-c", _FLOOD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_nobody_waits_for_a_log_that_nobody_reads(flooding: subprocess.Popen[str]) -> None:
    """Neither who logs, nor the end of the process."""
    assert flooding.stdout is not None
    assert flooding.stdin is not None
    assert float(flooding.stdout.readline()) < 1.0
    flooding.stdin.close()
    assert flooding.wait(20) == 0


def test_lost_lines_are_counted(flooding: subprocess.Popen[str]) -> None:
    """What was kept comes in order, with how many lines are missing, and then what is new."""
    assert flooding.stdout is not None
    flooding.stdout.readline()
    _, log = flooding.communicate("go on\n", timeout=20)
    lines = [line.partition("engine: ")[2] for line in log.splitlines()]
    kept = [int(line.removeprefix("line ")) for line in lines if line.startswith("line ")]
    assert kept == sorted(kept)
    lost = sum(map(int, re.findall(r"Lost (\d+) lines of the log", log)))
    assert lost > 0
    assert len(kept) + lost == 20_000
    assert lines[-1] == "the last"
