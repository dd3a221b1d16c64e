"""What every demo is made of: a stage, and acts that may cost so much and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, Protocol, TypeVar

from vip_lab.host import Host
from vip_lab.namespaces import LabError

ALLOWANCE_MS = 100  # what a busy machine may add to any bound
NOBODY = "nobody"


class NotAsItShouldError(LabError):
    """An act had another outcome than it should have; the text says which."""


class Stage(Protocol):
    """What the acts of a demo play on."""

    @property
    def client(self) -> Host:
        """The host that probes."""

    @property
    def address(self) -> str:
        """The address that it probes, at TCP port 80."""

    def holders(self) -> list[str]:
        """Return the hosts that have the address in their kernel."""

    def others(self, name: str) -> Sequence[str]:
        """Return all hosts that may hold the address but this one."""

    def await_holder(self, among: Sequence[str] | None = None, seconds: float = 5.0) -> str:
        """Return the one host that holds the address, once it is one of these (default: any)."""


StageT = TypeVar("StageT", bound=Stage)


@dataclass(frozen=True)
class Bound:
    """How long the address may be silent in an act, and how many probes may be lost.

    Attributes:
        ms: longest gap, in milliseconds.
        made_of: the sum, in words.
        lost_max: of each kind of probe; None if the gap alone counts.
        lost_icmp_max: of echo requests, where connects may suffer more; None if the same.
    """

    ms: float
    made_of: str
    lost_max: int | None = None
    lost_icmp_max: int | None = None

    @property
    def icmp_max(self) -> int | None:
        """How many echo requests may be lost."""
        return self.lost_max if self.lost_icmp_max is None else self.lost_icmp_max


class Ends(Enum):
    """Where the address shall be at the end of an act."""

    ELSEWHERE = auto()
    WHERE_IT_WAS = auto()
    NOWHERE = auto()


@dataclass(frozen=True)
class Act(Generic[StageT]):
    """One thing that happens while the client probes.

    Attributes:
        title: a few words for the table; {0} is the holder.
        story: what is done, why, and what to see; {0} is the holder.
        ends: where the address shall be afterwards.
        begin: waits until it can begin; returns the holder, or NOBODY.
        play: does it, waits for its end and returns what is worth telling.
        bound: what may be lost, given the holder; None: nobody probes.
        repair: brings back afterwards what it broke; returns what is worth telling.
    """

    title: str
    story: str
    ends: Ends
    begin: Callable[[StageT], str]
    play: Callable[[StageT, str], str]
    bound: Callable[[StageT, str], Bound] | None
    repair: Callable[[StageT, str], str] | None = None


def no_gap(_stage: object, _before: str) -> Bound:
    """Nothing may be lost; one probe in doubt is not held against a busy machine."""
    return Bound(ALLOWANCE_MS, f"no probe lost; {ALLOWANCE_MS} ms for a busy machine", 1)
