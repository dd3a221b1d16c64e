"""A process on a host or beside us: its output in a file, ended with its children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from vip_lab.namespaces import LabError, inside
from vip_lab.wait import until

_SECONDS_TO_END = 30.0
_PREFERRED = -10


class Process:
    """One command and its descendants, in a process group of their own.

    Args:
        namespace: network namespace to run in; None: the one we are in.
        command: program and arguments.
        output: file that gets its standard output and error, appended.
        environment: variables on top of our own.
        preferred: give it, and all it starts, the processor before others where we may.
    """

    def __init__(
        self,
        namespace: str | None,
        command: Sequence[str],
        output: Path,
        environment: Mapping[str, str] | None = None,
        *,
        preferred: bool = False,
    ) -> None:
        self.output = output
        self._command = list(command)
        # nsenter becomes the command, so the process id is the command's own.
        entering = inside(namespace) if namespace is not None else []
        with output.open("ab") as file:
            self._popen = subprocess.Popen(
                [*entering, *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        if preferred:
            with contextlib.suppress(PermissionError, ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, self._popen.pid, _PREFERRED)
        # A program that was just loaded shows no command line for a moment, and whoever looks for
        # its processes by their words (the guard, a test) would take it for somebody else's. While
        # nsenter still shows its own, that moment is to come once more.
        not_yet = {b"", _as_shown([*entering, *command]) if entering else b""}
        try:
            until(
                "its command line",
                lambda: not self.running or self._words() not in not_yet,
                _SECONDS_TO_END,
                every=0.002,
            )
        except BaseException:
            # Nobody else knows of it yet.
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """Process id of the command, also the id of its group."""
        return self._popen.pid

    @property
    def exit_status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._popen.poll()

    @property
    def running(self) -> bool:
        """Whether the command itself is still there."""
        return self.exit_status is None

    def text(self) -> str:
        """Return everything it and earlier commands with the same file have printed."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def signal_all(self, number: int) -> None:
        """Send a signal to the command and everything it started."""
        if self._is_id_of_another:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def group(self) -> dict[int, list[str]]:
        """Return the command line of each living process of the group, by process id."""
        if self._is_id_of_another:
            return {}
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or not _is_alive_in_group(entry, self.pid):
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                found[int(entry.name)] = [word.decode(errors="replace") for word in words]
        return found

    @property
    def _is_id_of_another(self) -> bool:
        """The command has ended, and the kernel has given its id, and the group's, away.

        It does so once the group is empty, and within minutes where tests start thousands.
        """
        return not self.running and Path(f"/proc/{self.pid}").exists()

    def _words(self) -> bytes:
        return Path(f"/proc/{self.pid}/cmdline").read_bytes()

    def wait(self, timeout_seconds: float = _SECONDS_TO_END) -> int:
        """Return the exit status once the command has ended. Raises LabError if it does not."""
        try:
            return self._popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired as error:
            what = " ".join(self._command)
            raise LabError(f"`{what}` still runs after {timeout_seconds} s") from error

    def stop(self, timeout_seconds: float = _SECONDS_TO_END) -> int:
        """End the command with SIGTERM and return its exit status."""
        if self.running:
            self._popen.send_signal(signal.SIGTERM)
        return self.wait(timeout_seconds)

    def kill(self) -> None:
        """End the command and everything it started, at once; return when all of it is gone."""
        self.signal_all(signal.SIGKILL)
        self._popen.wait()
        until("the killed processes to be gone", lambda: not self.group(), _SECONDS_TO_END)


def _as_shown(command: Sequence[str]) -> bytes:
    """Return a command line as /proc shows it."""
    return b"".join(os.fsencode(word) + b"\0" for word in command)


def _is_alive_in_group(entry: Path, group: int) -> bool:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" and int(fields[2]) == group
