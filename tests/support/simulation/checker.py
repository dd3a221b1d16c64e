"""What every checker of invariants is: an observer that stays outside.

A checker overrides the hooks that it needs and raises `ViolationError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from support.simulation.trace import ViolationError
from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import Action
from vip_speaker.vrrp.timers import SECOND_NS

if TYPE_CHECKING:
    from support.simulation.node import Node
    from support.simulation.world import World

HOOKS = ("booted", "acted", "turned", "announced", "ending", "kernel_changed", "anything")


class Checker:
    """Watches one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def booted(self, node: Node, *, adopted: bool) -> None:
        """A process was started; `adopted` says that addresses were bound already."""

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        """An election acted; its actions are not carried out yet."""

    def turned(self, node: Node) -> None:
        """A process has done all that there was to do."""

    def announced(self, node: Node) -> None:
        """A node tells the client that it has the addresses."""

    def ending(self, node: Node) -> None:
        """A process is about to be killed."""

    def kernel_changed(self, node: Node, why: str) -> None:
        """The addresses in a kernel changed."""

    def anything(self) -> None:
        """Something happened, and time may have passed."""

    def violated(self, rule: str, text: str) -> ViolationError:
        """Return the error to raise."""
        return ViolationError(rule, f"at {self.world.now_ns / SECOND_NS:.6f} s: {text}")
