"""S1: addresses are bound if and only if the sub-state is one that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from support.simulation.checker import Checker
from support.simulation.node import Node
from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import Action, BindAddresses, ReleaseAddresses

if TYPE_CHECKING:
    from support.simulation.world import World


class Holding(Checker):
    """Compares what the election asked for, what it says of itself, and what the kernel has."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._held: dict[str, bool] = {}

    def booted(self, node: Node, *, adopted: bool) -> None:
        self._held[node.name] = adopted

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        held = self._held[node.name]
        for action in actions:
            if isinstance(action, BindAddresses):
                held = True
            elif isinstance(action, ReleaseAddresses):
                if not held:
                    raise self.violated("S1", f"{node.name} released twice, on {event}")
                held = False
        self._held[node.name] = held
        may = may_hold(node)
        if held != may:
            is_so = "has not released" if held else "has not bound"
            raise self.violated("S1", f"{node.name} {is_so}, after {event} it is {_is(node)}")

    def turned(self, node: Node) -> None:
        if not node.worker.idle or node.election is None:
            return
        bound = node.kernel.addresses
        if bound and not may_hold(node):
            raise self.violated("S1", f"{node.name} has the addresses and is {_is(node)}")
        if node.state is not State.ACTIVE:
            return
        wanted = {
            address
            for position, one in enumerate(node.election.config.instances)
            if position not in node.election.missing
            for address in one.addresses
        }
        if bound != wanted:
            raise self.violated("S1", f"{node.name} is Active and has {len(bound)} addresses")


def may_hold(node: Node) -> bool:
    """Whether a node's election says that it may have the addresses."""
    election = node.election
    return election is not None and election.holds_addresses


def _is(node: Node) -> str:
    assert node.election is not None
    return node.election.substate.value
