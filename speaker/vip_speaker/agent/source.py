"""Where an agent learns what its node is to run: from manifests, or from a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from vip_speaker.agent.desired import GateKey, WantedGate
from vip_speaker.agent.report import Configuration
from vip_speaker.gates.registry import RunningGate
from vip_speaker.messages import Desired, FromEngine, Status


@dataclass(frozen=True, slots=True)
class Orders:
    """What engine and agent are to do from now on.

    Attributes:
        desired: for the engine.
        gates: for the agent.
        display_names: how people know each router, by its name.
    """

    desired: Desired
    gates: Mapping[GateKey, WantedGate]
    display_names: Mapping[str, str]


Apply = Callable[[Orders], Awaitable[None]]
AskEngine = Callable[[], Awaitable[Status | None]]


class Source(Protocol):
    """One of the two."""

    @property
    def configuration(self) -> Configuration:
        """What is in force, and what is wrong."""

    def create_gate(self, wanted: WantedGate, on_change: Callable[[], None]) -> RunningGate:
        """Return a gate that has not been started."""

    def read_again(self) -> None:
        """Look at everything anew, as far as it is not followed anyway."""

    async def run(self) -> None:
        """Give orders until cancelled."""

    def hear(self, message: FromEngine) -> None:
        """Listen to the engine."""

    def told_verdicts(self) -> None:
        """Verdicts were sent to the engine: its report may change."""

    async def farewell(self) -> None:
        """The engine has left: say so to whom it may concern, within a second."""
