"""A proxy in front of the API server that fails on demand and remembers who asked for what.

with FaultProxy(plane) as proxy:
start_the_operator(proxy.kubeconfig("operator"))
proxy.answer(503)
...
proxy.pass_through()
"""

from __future__ import annotations

import json
import re
import socket
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from vip_lab.host import Host
from vip_lab.kubernetes.api import Api
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.credentials import ADMIN
from vip_lab.kubernetes.fault_rules import Answer
from vip_lab.kubernetes.fault_server import Config, Record
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.kubernetes.place import Place
from vip_lab.namespaces import LabError
from vip_lab.process import Process
from vip_lab.running import Running
from vip_lab.wait import until

_SECONDS_TO_START = 30.0
_SECONDS_TO_OBEY = 10.0


class FaultProxy(Running):
    """One proxy in front of one control plane; a context manager that leaves nothing behind.

    Every command replaces the one before, except that several `answer`s add up until
    `pass_through`. None but `refuse` and `cut_watches` touches what is open already: a watch that
    was let through stays so until it is cut (or stalled by `hang`).

    Args:
        plane: control plane whose API server is behind it.
        host: host to run on; None: where the control plane runs.
    """

    def __init__(self, plane: ControlPlane, host: Host | None = None) -> None:
        self._plane = plane
        self._host = host or plane.host
        self._place: Place | None = None
        self._process: Process | None = None
        self._answers: list[Answer] = []

    def start(self) -> None:
        """Start it; it lets everything through. Raises LabError if it does not come up."""
        self._place = Place(self._host)
        config = self._place.directory / "config.json"
        config.write_text(json.dumps(asdict(self._config)))
        command = [sys.executable, "-m", "vip_lab.kubernetes.fault_server", str(config)]
        self._process = self._place.start("fault-proxy", command)
        until("the fault proxy to obey", self._obeys, _SECONDS_TO_START, show=self.log)

    def close(self) -> None:
        """End it and remove its files."""
        if self._place is not None:
            self._place.close()
            self._place = None

    # --- for those who are to go through it ------------------------------------------------------

    @property
    def place(self) -> Place:
        """Network, directory and process of it. Raises LabError unless it was started."""
        if self._place is None:
            raise LabError("the fault proxy was not started")
        return self._place

    @property
    def server(self) -> str:
        """URL to use instead of the API server's."""
        return f"https://{self.place.address}:{self._config.port}"

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """Return a kubeconfig that goes through the proxy."""
        credentials = self._plane.credentials
        name = f"{user}-by-proxy-{self._config.port}"
        return credentials.kubeconfig(self.server, credentials.token(user), name)

    def api_as(self, user: str = ADMIN, timeout_seconds: float = 15.0) -> Api:
        """Return the API through the proxy."""
        credentials = self._plane.credentials
        certificate = credentials.authority.certificate
        return Api(self.place, self.server, certificate, credentials.token(user), timeout_seconds)

    def kubectl(self, user: str = ADMIN, host: Host | None = None) -> Kubectl:
        """Return kubectl through the proxy."""
        return Kubectl(self.kubeconfig(user), host or self._host)

    # --- what goes wrong -------------------------------------------------------------------------

    def pass_through(self) -> None:
        """Let everything through; what hung goes on."""
        self._answers.clear()
        self._set("pass")

    def refuse(self) -> None:
        """Refuse connections and reset those that are open, as where no server runs."""
        self._answers.clear()
        self._set("refuse")

    def hang(self) -> None:
        """Accept connections and requests and answer nothing; open watches say nothing either."""
        self._answers.clear()
        self._set("hang")

    def answer(
        self,
        status: int,
        retry_after_seconds: int | None = None,
        *,
        path: str = "",
        verb: str | None = None,
        in_stream: bool = False,
    ) -> None:
        """Answer requests with an error; others still pass. See `fault_rules.Answer`."""
        self._answers.append(Answer(status, retry_after_seconds, path, verb, in_stream))
        self._set("pass")

    def cut_watches(self) -> None:
        """Reset every open connection; new ones are accepted."""
        self._tell({"do": "cut"})

    # --- what was asked --------------------------------------------------------------------------

    def requests(
        self, *, verb: str | None = None, path: str = "", user_agent: str = ""
    ) -> list[Record]:
        """Return the requests that came, oldest first: of a verb, path and sender if given.

        `path` and `user_agent` are regular expressions that are searched for.
        """
        found = (Record(**each) for each in self._tell({"do": "requests"})["requests"])
        return [
            record
            for record in found
            if verb in {None, record.verb}
            and re.search(path, record.path)
            and re.search(user_agent, record.user_agent)
        ]

    def counts(self, *, without: Collection[str] = ()) -> Counter[tuple[str, str]]:
        """Return how many requests of each verb and path came, without these verbs."""
        return Counter(
            (record.verb, record.path) for record in self.requests() if record.verb not in without
        )

    def clear(self) -> None:
        """Forget the requests that came so far."""
        self._tell({"do": "clear"})

    def log(self) -> str:
        """Return what its process has printed."""
        return "" if self._process is None else self._process.text()

    # ---------------------------------------------------------------------------------------------

    @cached_property
    def _config(self) -> Config:
        place, credentials = self.place, self._plane.credentials
        port = place.free_port()
        own = credentials.serving(
            f"fault-proxy-{port}", (place.address, "127.0.0.1"), ["localhost"]
        )
        return Config(
            address=place.address,
            port=port,
            upstream=self._plane.server,
            ca_file=str(credentials.authority.certificate),
            certificate_file=str(own.certificate),
            key_file=str(own.key),
            control_socket=str(place.directory / "control.sock"),
        )

    def _set(self, mode: str) -> None:
        answers = [asdict(answer) for answer in self._answers]
        self._tell({"do": "set", "mode": mode, "answers": answers})

    def _obeys(self) -> bool:
        if self._process is not None and not self._process.running:
            raise LabError(f"the fault proxy ended: {self.log()}")
        try:
            self._tell({"do": "clear"})
        except OSError:
            return False
        return True

    def _tell(self, command: dict[str, Any]) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS_TO_OBEY)
            connection.connect(self._config.control_socket)
            connection.sendall(json.dumps(command).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
        if "error" in answer:
            raise LabError(f"the fault proxy refuses: {answer['error']}")
        return answer
