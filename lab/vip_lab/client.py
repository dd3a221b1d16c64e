"""What a client on the LAN does: fetch a page, and probe addresses while something happens."""

from __future__ import annotations

import itertools
import json
import socket
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from vip_lab.host import Host
from vip_lab.namespaces import LabError
from vip_lab.record import ProbeResult
from vip_lab.wait import until

_SECONDS_TO_START = 20.0
_numbers = itertools.count(1)


class Probing:
    """Probes go out while the block runs; afterwards `results` has the figures by target.

    Args:
        host: where the client is.
        targets: `icmp:ADDRESS` or `tcp:ADDRESS:PORT`.
        rate: probes per second to each target, up to 1000.
    """

    def __init__(self, host: Host, targets: Sequence[str], rate: int) -> None:
        self._targets = list(targets)
        self._command = [sys.executable, "-m", "vip_lab.prober", str(rate), *targets]
        self._host = host
        self.results: dict[str, ProbeResult] = {}

    def __enter__(self) -> Self:
        self._process = self._host.start(f"prober-{next(_numbers)}", self._command, preferred=True)
        until("the prober to start", self._is_ready, _SECONDS_TO_START)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._process.kill()
            return
        self._process.stop()
        last_line = self._process.text().splitlines()[-1]
        try:
            figures = json.loads(last_line)
        except ValueError as problem:
            raise LabError(f"the prober ended with: {last_line}") from problem
        self.results = {target: ProbeResult(**figures[target]) for target in self._targets}

    @property
    def result(self) -> ProbeResult:
        """The figures of the only target."""
        (result,) = self.results.values()
        return result

    def _is_ready(self) -> bool:
        if not self._process.running:
            raise LabError(f"the prober ended with: {self._process.text()}")
        return self._process.text().startswith("ready")


def get(
    host: Host, address: str, port: int, path: str, timeout_seconds: float = 1.0
) -> tuple[int, str]:
    """Return status and body of `http://ADDRESS:PORT/PATH` as the host gets it.

    Raises OSError if nobody answers in time.
    """
    version = ip_address(address).version
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with host.open_socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_seconds)
        connection.connect((address, port))
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _separator, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/"):
        raise ConnectionResetError(f"{address} port {port} gave no HTTP answer")
    return int(head.split()[1]), body.decode()


def fetch(host: Host, address: str, port: int = 80, timeout_seconds: float = 1.0) -> str:
    """Return the page at `http://ADDRESS:PORT/`. Raises OSError if nobody answers in time."""
    return get(host, address, port, "/", timeout_seconds)[1].strip()


def answers(host: Host, address: str, port: int = 80) -> str | None:
    """Return what `fetch` returns, or None if nobody answers within a quarter of a second."""
    try:
        return fetch(host, address, port, timeout_seconds=0.25)
    except OSError:
        return None
