"""One etcd on loopback, which can forget its history and go back to a backup."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

from vip_lab.kubernetes import binaries
from vip_lab.kubernetes.place import LOOPBACK, Place
from vip_lab.namespaces import LabError
from vip_lab.process import Process

_SECONDS_TO_STOP = 10.0


class Etcd:
    """The store of a control plane; started by whoever makes it.

    Args:
        place: where it runs and keeps its files.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._process: Process | None = None
        self._backups = 0

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://{LOOPBACK}:{self._port}"

    def start(self) -> Process:
        """Start it and do not wait; it goes on with the data that is there."""
        peers = f"http://{LOOPBACK}:{self._peer_port}"
        command = [
            binaries.path("etcd"),
            f"--data-dir={self._data}",
            *(f"--listen-client-urls={self.url}", f"--advertise-client-urls={self.url}"),
            *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"),
            f"--initial-cluster=default={peers}",
            # A test run that loses power has lost its data anyway.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        self._process = self._place.start("etcd", command)
        return self._process

    def stop(self) -> None:
        """Stop it in an orderly way; the data stays."""
        if self._process is None:
            raise LabError("etcd is stopped already")
        self._process.stop(_SECONDS_TO_STOP)
        self._process = None

    def answers(self) -> bool:
        """Return whether it serves."""
        with contextlib.suppress(OSError, http.client.HTTPException, LabError):
            self.ask("/v3/kv/range", {"key": "AA=="})
            return True
        return False

    def compact(self) -> None:
        """Forget every revision but the present one."""
        revision = self.ask("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
        self.ask("/v3/kv/compaction", {"revision": revision, "physical": True})

    def copy(self) -> Path:
        """Return a copy of the data; while it is stopped."""
        self._backups += 1
        backup = self._place.directory / f"etcd-backup-{self._backups}"
        shutil.copytree(self._data, backup)
        return backup

    def put_back(self, backup: Path) -> None:
        """Replace the data by a copy from before; while it is stopped."""
        shutil.rmtree(self._data)
        shutil.copytree(backup, self._data)

    def ask(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        """Return what it answers to a question in JSON."""
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=10)
        connection.sock = self._place.open_socket()
        try:
            connection.sock.settimeout(10)
            connection.sock.connect((LOOPBACK, self._port))
            connection.request("POST", path, json.dumps(question))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise LabError(f"etcd answers {path} with {answer.status}: {content.decode()}")
        found: dict[str, Any] = json.loads(content)
        return found

    @property
    def _data(self) -> Path:
        return self._place.directory / "etcd"

    @cached_property
    def _port(self) -> int:
        return self._place.free_port()

    @cached_property
    def _peer_port(self) -> int:
        return self._place.free_port()
