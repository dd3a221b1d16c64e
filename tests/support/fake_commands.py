"""Small programs that stand in for docker, kind and others: they note their words and answer.

What the real ones answer was seen with Docker 20.10 and read in kind 0.30; that the real ones do
what is asked of them is for a run of the cluster ring with kind to prove.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from vip_lab.kubernetes import binaries

_SCRIPT = """\
#!/bin/sh
printf '%s\\n' "{name} $*" >>{log}
cd {state}
case "$*" in
{cases}
esac
"""


class FakeCommands:
    """Programs in a directory of their own, which is the first on PATH.

    Args:
        directory: for programs, notes, and the files that their answers share.
        monkeypatch: restores PATH.
        alone: nothing else is on PATH.
    """

    def __init__(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, *, alone: bool = False
    ) -> None:
        self.directory = directory / "programs"
        self.state = directory / "state"
        self._log = directory / "called"
        self.directory.mkdir()
        self.state.mkdir()
        rest = [] if alone else [os.environ["PATH"]]
        monkeypatch.setenv("PATH", os.pathsep.join([str(self.directory), *rest]))

    def add(self, name: str, answers: Mapping[str, str] | None = None) -> None:
        """Make a program, or make it anew.

        Args:
            name: of the program.
            answers: a pattern of the shell for its words to what it then runs, in `state`; words
                that fit none are answered with nothing and success.
        """
        cases = [f"{_pattern(each)}) {script} ;;" for each, script in (answers or {}).items()]
        text = _SCRIPT.format(
            name=name,
            log=shlex.quote(str(self._log)),
            state=shlex.quote(str(self.state)),
            cases="\n".join([*cases, "*) ;;"]),
        )
        program = self.directory / name
        program.write_text(text)
        program.chmod(0o755)

    def called(self, *beginnings: str) -> list[str]:
        """Return every call in order, one that begins with one of these words if any are given."""
        calls = self._log.read_text().splitlines() if self._log.exists() else []
        return [each for each in calls if not beginnings or each.startswith(beginnings)]


def machine_with_kind(directory: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCommands:
    """Make this a machine of root's that has docker, kind and kubectl, and no other command."""
    fakes = FakeCommands(directory, monkeypatch, alone=True)
    for name in ("docker", "kind", "kubectl"):
        fakes.add(name)
    monkeypatch.setattr(binaries, "DIRECTORY", fakes.directory)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return fakes


def _pattern(words: str) -> str:
    """Quote everything but the stars."""
    return "*".join(shlex.quote(part) if part else "" for part in words.split("*"))
