"""Speakers that start at the same instant: one of them runs, and the others say why not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest

from support import lock_contest
from vip_lab.lan import Lan
from vip_lab.namespaces import inside

CONTENDERS = 8
ROUNDS = 4

Contender = subprocess.Popen[str]


class Contest:
    """Processes that wait for a start in the network of one host."""

    def __init__(self, lan: Lan, stack: ExitStack) -> None:
        start, self._hold = os.pipe()
        stack.callback(self.end)
        self._contenders: list[Contender] = []
        for _ in range(CONTENDERS):
            command = [sys.executable, lock_contest.__file__, str(start), "supervisor"]
            self._contenders.append(
                subprocess.Popen(
                    [*inside(lan["n1"].namespace), *command],
                    stdout=subprocess.PIPE,
                    text=True,
                    pass_fds=[start],
                    start_new_session=True,
                )
            )
        os.close(start)
        for each in self._contenders:
            assert _line(each) == "open"

    def begin(self) -> list[str]:
        """Start all at once; return what each of them says."""
        os.close(self._hold)
        return [_line(each) for each in self._contenders]

    def end(self) -> None:
        """Leave nothing of them."""
        for each in self._contenders:
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGKILL)
            each.wait()
            assert each.stdout is not None
            each.stdout.close()


def _line(process: Contender) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_exactly_one_of_many_runs(lan: Lan, cleanup: ExitStack, number: int) -> None:
    """Whichever numbers the kernel has given to their locks, the others name a process."""
    said = Contest(lan, cleanup).begin()
    assert said.count("runs") == 1, said
    assert sum(line.startswith("Another speaker (") for line in said) == CONTENDERS - 1, said
