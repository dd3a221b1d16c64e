"""A program of the command line that speaks to one API server, from one network."""

from __future__ import annotations

import abc
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vip_lab.host import Host
from vip_lab.namespaces import LabError, inside


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed and how it ended.

    Attributes:
        command: its words after the name of the program.
        status: exit status.
        stdout: its answer.
        stderr: its complaints.
    """

    command: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.status == 0


class Tool(abc.ABC):
    """Runs one program; what it keeps lies beside the kubeconfig, not in the user's home.

    Args:
        kubeconfig: server and user.
        host: host to run it on, None for our own network.
    """

    name: ClassVar[str]
    seconds: ClassVar[float]

    def __init__(self, kubeconfig: Path, host: Host | None = None) -> None:
        self.kubeconfig = kubeconfig
        self._prefix = [] if host is None else inside(host.namespace)

    @abc.abstractmethod
    def program(self) -> list[str]:
        """Return its path and the options of every command. Raises LabError if there is none."""

    def environment(self) -> Mapping[str, str]:
        """Return its variables on top of our own."""
        return {}

    def run(
        self, *words: str, input_text: str = "", timeout_seconds: float | None = None
    ) -> Outcome:
        """Run a command to its end, whatever that is. Raises LabError if it does not end."""
        limit = self.seconds if timeout_seconds is None else timeout_seconds
        options = [*self.program(), f"--kubeconfig={self.kubeconfig}"]
        try:
            done = subprocess.run(
                [*self._prefix, *options, *words],
                input=input_text,
                capture_output=True,
                text=True,
                check=False,
                timeout=limit,
                env={**os.environ, **self.environment()},
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"`{self.name} {' '.join(words)}` still runs after {limit} s") from error
        return Outcome(words, done.returncode, done.stdout, done.stderr)

    def __call__(self, *words: str, input_text: str = "") -> str:
        """Run a command that has to succeed and return what it printed. Raises LabError."""
        outcome = self.run(*words, input_text=input_text)
        if not outcome.ok:
            raise LabError(f"`{self.name} {' '.join(words)}` failed: {outcome.stderr.strip()}")
        return outcome.stdout
