"""What the agent knows at one moment, for /status, /readyz and /metrics."""

from __future__ import annotations

from typing import Any

import msgspec

from vip_model.vocabulary import GateState
from vip_speaker import status_command as engine_status
from vip_speaker.messages import Status


class Configuration(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The manifests or VirtualRouters in force, and what is wrong with their newest version.

    Attributes:
        source: file or directory, or the API server.
        revision: of the set that is in force; 0 while there is none, and in an empty cluster.
        loaded: when that set was read (RFC 3339), empty while there is none.
        problems: why the newest version is not in force, or not wholly; one sentence each.
        warnings: what does not hinder but should be known.
        trouble: what does not work between agent and API server now, one sentence each; None
            in static mode.
    """

    source: str
    revision: int = 0
    loaded: str = ""
    problems: list[str] = []
    warnings: list[str] = []
    trouble: list[str] | None = None

    @property
    def in_force(self) -> bool:
        """There is a set that is in force."""
        return bool(self.loaded)

    @property
    def valid(self) -> bool:
        """The newest version is in force as a whole."""
        return self.in_force and not self.problems


class GateDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One gate as the agent sees it.

    Attributes:
        router: display name of its router.
        name: name of the gate.
        kind: httpGet, tcpSocket, …
        state: verdict.
        reason: why.
        since: since when the verdict stands (RFC 3339), empty while it is unknown.
        last_outcome: what the newest probe found.
        in_a_row: how many of the newest probes agree with it.
    """

    router: str
    name: str
    kind: str
    state: GateState
    reason: str
    since: str = ""
    last_outcome: str = ""
    in_a_row: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at one moment; `engine` is None while no engine answers."""

    node: str
    engine: Status | None
    configuration: Configuration
    gates: list[GateDetail]

    def hindrances(self) -> list[str]:
        """Return why this speaker is not ready; nothing if it is."""
        configuration = self.configuration
        if not configuration.in_force:
            why = [*configuration.problems, *(configuration.trouble or ())]
            return ["No valid configuration was found yet", *why]
        if self.engine is None:
            return ["The engine does not answer"]
        if self.engine.revision != configuration.revision:
            return ["The engine has not applied the configuration yet"]
        return []

    def document(self) -> dict[str, Any]:
        """Return what `vip-speaker status --json` prints, and what only the agent knows."""
        if self.engine is None:
            told: dict[str, Any] = {"node": self.node, "virtualRouters": []}
        else:
            told = engine_status.document(self.engine)
        return {
            **told,
            "engineConnected": self.engine is not None,
            "configuration": {
                "valid": self.configuration.valid,
                **msgspec.to_builtins(self.configuration),
            },
            "gates": msgspec.to_builtins(self.gates),
        }
