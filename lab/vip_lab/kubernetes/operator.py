"""A vip-operator as a real process, beside us or on a host of a LAN."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from vip_lab.host import Host
from vip_lab.kubernetes.place import Place
from vip_lab.namespaces import LabError, inside
from vip_lab.process import Process
from vip_lab.wait import until

_SECONDS_TO_START = 40.0
_SECONDS_TO_ANSWER = 20.0
_ASK = (
    "import sys, urllib.request, urllib.error\n"
    "try: print(urllib.request.urlopen(sys.argv[1], timeout=2).read().decode())\n"
    "except urllib.error.HTTPError as error: sys.exit(error.read().decode())\n"
    "except OSError as error: sys.exit(str(error))\n"
)


class Operator:
    """One operator; a context manager that leaves nothing behind.

    Args:
        kubeconfig: server and identity.
        namespace: where its Lease and the speakers' are.
        host: host of a LAN to run on; None: our own network.
        identity: tells two operators apart.
        options: further words for the command line.
    """

    def __init__(
        self,
        kubeconfig: Path,
        namespace: str,
        host: Host | None = None,
        *,
        identity: str = "operator",
        options: tuple[str, ...] = (),
    ) -> None:
        self._kubeconfig = kubeconfig
        self._namespace = namespace
        self._identity = identity
        self._options = options
        self._place = Place(host)
        self._http = f"127.0.0.1:{self._place.free_port()}"
        self._process: Process | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it and do not wait."""
        command = [
            *(str(Path(sys.executable).with_name("vip-operator")), "run"),
            f"--kubeconfig={self._own_kubeconfig()}",
            *(f"--namespace={self._namespace}", f"--identity={self._identity}"),
            *(f"--http={self._http}", *self._options),
        ]
        self._process = self._place.start("operator", command)

    def start_and_wait(self) -> None:
        """Start it and wait until it is ready."""
        self.start()
        self.await_ready()

    def await_ready(self, seconds: float = _SECONDS_TO_START) -> None:
        """Wait until /readyz says yes."""
        until("the operator to be ready", self.ready, seconds, every=0.1, show=self.why_not_ready)

    def ready(self) -> bool:
        """Return whether /readyz says yes."""
        return self._get("/readyz").returncode == 0

    def why_not_ready(self) -> str:
        """Return what /readyz says, and the end of the log."""
        return f"{self._get('/readyz').stderr}\n{self.log()[-2000:]}"

    def metrics(self) -> dict[str, float]:
        """Return every sample of /metrics once that is answered: name with labels to value."""
        answer = until(
            "/metrics to be answered",
            lambda: (seen := self._get("/metrics")).returncode == 0 and seen,
            _SECONDS_TO_START,
            every=0.1,
            show=self.log,
        )
        assert answer
        lines = answer.stdout.splitlines()
        samples = (line.rpartition(" ") for line in lines if line and line[0] != "#")
        return {name: float(value) for name, _blank, value in samples}

    def stop(self, seconds: float = 10.0) -> int:
        """Stop it in an orderly way and return its exit status."""
        return self._running().stop(seconds)

    def kill(self) -> None:
        """Kill it at once."""
        self._running().kill()

    def freeze(self) -> None:
        """Stop its clock."""
        self._running().signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running().signal_all(signal.SIGCONT)

    def wait(self, seconds: float) -> int:
        """Return its exit status once it has ended by itself."""
        return self._running().wait(seconds)

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.running

    def cpu_seconds(self) -> float:
        """Return how much processor time it has used."""
        fields = Path(f"/proc/{self._running().pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_memory_bytes(self) -> int:
        """Return the most memory that it has ever had in use (its resident set)."""
        lines = Path(f"/proc/{self._running().pid}/status").read_text().splitlines()
        (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
        return int(peak) * 1024

    def log(self) -> str:
        """Return everything that it has printed in all its lives."""
        path = self._place.directory / "operator.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        """Leave nothing of it behind."""
        if self._process is not None:
            self._process.signal_all(signal.SIGCONT)
        self._place.close()

    def _own_kubeconfig(self) -> Path:
        """Copy it, since the command line has to name our directory."""
        own = self._place.directory / "kubeconfig"
        own.write_text(self._kubeconfig.read_text())
        return own

    def _get(self, path: str) -> subprocess.CompletedProcess[str]:
        prefix = [] if self._place.namespace is None else inside(self._place.namespace)
        return subprocess.run(
            [*prefix, sys.executable, "-I", "-c", _ASK, f"http://{self._http}{path}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS_TO_ANSWER + 2,
        )

    def _running(self) -> Process:
        if self._process is None:
            raise LabError("the operator was not started")
        return self._process
