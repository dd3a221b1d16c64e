"""Processes of the lab: they are known by their command line from the first moment."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from vip_lab import process as module
from vip_lab.process import Process
from vip_lab.wait import until


def test_a_process_shows_its_words_at_once(tmp_path: Path) -> None:
    """A process that is looked for by its words is found as soon as it was started."""
    command = [sys.executable, "-c", "import time; time.sleep(60)", str(tmp_path)]
    for _ in range(200):
        process = Process(None, command, tmp_path / "output")
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.kill()
        assert str(tmp_path).encode() in words


def test_a_process_on_a_host_shows_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What enters a host's network and then becomes the command is past that when it was started.

    `env` is here for `nsenter`, which would want root: both become the command they are given.
    """
    monkeypatch.setattr(module, "inside", lambda namespace: ["env", f"ENTERED={namespace}"])
    command = [sys.executable, "-c", "import time; time.sleep(60)", str(tmp_path)]
    for _ in range(100):
        process = Process("n1", command, tmp_path / "output")
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.kill()
        assert words.split(b"\0")[:-1] == [word.encode() for word in command]


def test_a_process_that_becomes_another_is_started(tmp_path: Path) -> None:
    """A command that becomes something else at once is there with whichever words it then has."""
    for command in (["env", "-i", "sleep", "60"], ["sh", "-c", "exec sleep 60"]):
        process = Process(None, command, tmp_path / "output")
        assert process.running
        process.kill()


def test_a_start_that_is_interrupted_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a process is being started ends it: nobody else could."""

    def interrupted(*words: object, **more: object) -> None:
        monkeypatch.setattr(module, "until", until)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "until", interrupted)
    process = Process.__new__(Process)
    with pytest.raises(KeyboardInterrupt):
        Process.__init__(process, None, ["sleep", "60"], tmp_path / "output")
    assert process.exit_status == -signal.SIGKILL


def test_a_process_that_ends_at_once_is_not_waited_for(tmp_path: Path) -> None:
    """A command that has ended before anybody could look is there, with its exit status."""
    process = Process(None, ["/bin/false"], tmp_path / "output")
    assert process.wait() == 1


def test_a_process_that_has_ended_kills_no_other_with_its_id(tmp_path: Path) -> None:
    """The kernel gives ids anew, and what it gives is somebody else's."""
    ended = Process(None, ["true"], tmp_path / "ended")
    ended.wait()
    other = Process(None, ["sleep", "60"], tmp_path / "other")
    try:
        ended._popen.pid = other.pid
        ended.kill()
        assert ended.group() == {}
        assert other.running
        assert other.group()
    finally:
        other.kill()


def test_what_a_process_that_has_ended_left_is_killed(tmp_path: Path) -> None:
    """A group outlives the command that began it."""
    process = Process(None, ["sh", "-c", "sleep 60 & exit"], tmp_path / "output")
    process.wait()
    assert [words[0] for words in process.group().values()] == ["sleep"]
    process.kill()
    assert process.group() == {}
