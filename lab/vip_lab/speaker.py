"""A vip-speaker on a host: started, asked, and hurt in every way that the tests need."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vip_lab.host import Host
from vip_lab.namespaces import LabError, inside
from vip_lab.process import Process
from vip_lab.wait import until

ROLES = ("supervisor", "engine", "agent")

_ANSWER_SECONDS = 1.0
_COMMAND_SECONDS = 20.0
_SECONDS_TO_START = 20.0

JsonObject = dict[str, Any]


class Speaker:
    """One speaker of one host, with its own manifest, state and socket.

    Args:
        host: where it runs; its name is the node's name.
        options: further words for the command line.
        kubeconfig: how to reach the cluster that it follows; None: it follows its manifest.
    """

    def __init__(self, host: Host, *options: str, kubeconfig: Path | None = None) -> None:
        self.host = host
        self.manifest = host.directory / "vip.yaml"
        self.state_directory = host.directory / "state"
        self.socket = host.directory / "engine.sock"
        self._options = options
        self._kubeconfig = kubeconfig
        self._process: Process | None = None

    # --- its life --------------------------------------------------------------------------------

    def write(self, manifest: str) -> None:
        """Replace the manifest in one step, as an editor or a configuration tool does."""
        scratch = self.manifest.with_suffix(".new")
        scratch.write_text(manifest)
        scratch.replace(self.manifest)

    def start(self, prefix: Sequence[str] = ()) -> None:
        """Start it; `prefix` are words before the command, such as those of setpriv."""
        self._process = self.host.start("speaker", [*prefix, *self._run_command()], preferred=True)

    def start_and_wait(self) -> None:
        """Start it and wait until it answers."""
        self.start()
        until(f"the speaker of {self.host.name} to answer", self.try_status, _SECONDS_TO_START)

    def stop(self) -> int:
        """Stop it in an orderly way and return its exit status."""
        return self._running_process().stop()

    def begin_stop(self) -> None:
        """Ask it to stop and do not wait."""
        os.kill(self._running_process().pid, signal.SIGTERM)

    def wait(self, timeout_seconds: float) -> int:
        """Return its exit status once it has ended by itself."""
        return self._running_process().wait(timeout_seconds)

    def kill(self) -> None:
        """Kill all of it at once."""
        self._running_process().kill()

    def freeze(self) -> None:
        """Stop the clock for all of it, as a virtual machine's pause would."""
        self._running_process().signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running_process().signal_all(signal.SIGCONT)

    def end(self) -> None:
        """Leave nothing of it behind, whatever state it is in."""
        if self._process is not None:
            self._process.signal_all(signal.SIGCONT)
            self._process.kill()
            self._process = None

    @property
    def program(self) -> str:
        """Path of the command `vip-speaker`."""
        return str(Path(sys.executable).with_name("vip-speaker"))

    @property
    def running(self) -> bool:
        """Whether its supervisor is there."""
        return self._process is not None and self._process.running

    # --- its processes ---------------------------------------------------------------------------

    def pid(self, role: str) -> int | None:
        """Return the process id of a role, None while there is no such process."""
        assert role in ROLES
        group = self._running_process().group()
        found = [pid for pid, words in group.items() if words[-1] == role]
        if len(found) > 1:
            raise LabError(f"{self.host.name} has {len(found)} processes of the role {role}")
        return found[0] if found else None

    def kill_role(self, role: str) -> int:
        """Kill one of its processes and return the process id that it had."""
        pid = self.pid(role)
        if pid is None:
            raise LabError(f"{self.host.name} has no {role}")
        os.kill(pid, signal.SIGKILL)
        return pid

    def await_new(self, role: str, old_pid: int, seconds: float = 5.0) -> int:
        """Return the process id of the role's next life."""

        def look() -> int | None:
            pid = self.pid(role)
            return pid if pid != old_pid else None

        new_pid = until(f"a new {role} on {self.host.name}", look, seconds)
        assert new_pid is not None
        return new_pid

    # --- what it says ----------------------------------------------------------------------------

    def status(self) -> JsonObject:
        """Return its status, asked over the socket. Raises OSError or ValueError if silent."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(self.socket))
            connection.sendall(b'{"type":"status","version":1}\n')
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline())
        assert isinstance(answer, dict)
        return answer

    def try_status(self) -> JsonObject | None:
        """Return its status, or None if it does not answer."""
        with contextlib.suppress(OSError, ValueError):
            return self.status()
        return None

    def routers(self) -> list[JsonObject]:
        """Return the virtual routers of its status; none if it does not answer."""
        status = self.try_status()
        return [] if status is None else list(status["virtualRouters"])

    def router(self, name: str, family: str = "IPv4") -> JsonObject | None:
        """Return the virtual router NAMESPACE/NAME of one family, None if it has none."""
        found = [one for one in self.routers() if (one["name"], one["family"]) == (name, family)]
        return found[0] if found else None

    def state(self, name: str, family: str = "IPv4") -> str | None:
        """Return Initialize, Backup or Active; None if it does not know the router."""
        router = self.router(name, family)
        return None if router is None else str(router["state"])

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `vip-speaker WORDS` on the host to its end."""
        return subprocess.run(
            [*inside(self.host.namespace), self.program, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
        )

    def status_command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `vip-speaker status` against this speaker."""
        return self.command("status", *words, "--socket", str(self.socket))

    def log(self) -> str:
        """Return everything that it has printed in all its lives."""
        path = self.host.directory / "speaker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # ---------------------------------------------------------------------------------------------

    def _run_command(self) -> list[str]:
        return [
            *(self.program, "run", *self._what_to_follow()),
            *("--node", self.host.name, "--state-directory", str(self.state_directory)),
            *("--socket", str(self.socket), *self._options),
        ]

    def _what_to_follow(self) -> list[str]:
        if self._kubeconfig is not None:
            return ["--cluster", "--kubeconfig", str(self._kubeconfig)]
        return ["--manifests", str(self.manifest)]

    def _running_process(self) -> Process:
        if self._process is None:
            raise LabError(f"the speaker of {self.host.name} was not started")
        return self._process
