"""Two engines whose adverts must go on as if nothing happened, whatever happens beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from support.bare_engine import BareEngine, router
from support.network_manifests import VIP
from support.punctual import Control
from vip_lab.host import Host
from vip_lab.wait import until
from vip_speaker.messages import DesiredRouter

MILLISECONDS_MAX = 20
_CONTROL_MILLISECONDS_MAX = 5.0
_ATTEMPTS = 3
_SECOND_VIP = "192.0.2.101"
_WATCHED = {"default/fast": (VIP, 51, 100), "default/slow": (_SECOND_VIP, 52, 1000)}
_PRIORITIES = (254, 200)

# Does something, and returns in which respect that fell short of what was meant; else nothing.
Disturb = Callable[[], str]


class WatchedPair:
    """Two engines on two hosts: one router at 100 ms and one at 1 s, Active on the first.

    Attributes:
        engines: the Active Router's and the Backup Router's.
    """

    def __init__(self, first: Host, second: Host) -> None:
        self.engines = BareEngine(first), BareEngine(second)

    @property
    def hosts(self) -> list[Host]:
        """Where they run."""
        return [engine.host for engine in self.engines]

    def start(self) -> None:
        """Start both with the watched routers alone."""
        for engine, state in zip(self.engines, ("Active", "Backup"), strict=True):
            engine.start_and_wait()
            self._desire(engine, ())
            _await_states(engine, state)

    def end(self) -> None:
        """Leave nothing behind."""
        for engine in self.engines:
            engine.end()

    def desire(self, *others: DesiredRouter) -> None:
        """Say what is to run beside the watched routers, and wait until both engines took it."""
        for engine in self.engines:
            self._desire(engine, others)

    def assert_undisturbed(self, disturb: Disturb) -> str:
        """Assert that no watched router changes its state meanwhile, and that no turn is long.

        It is done again, three times at most, where the machine let nobody be on time, where turns
        were long though they used little of the processor, or where `disturb` says what it fell
        short of. The test is skipped if it did so each time.

        Returns what was measured, in words.
        """
        transitions = self._transitions()
        shortfalls, late = [], []
        for _ in range(_ATTEMPTS):
            before = [engine.status()["turns"] for engine in self.engines]
            with Control() as control:
                shortfalls.append(disturb())
            after = [engine.status()["turns"] for engine in self.engines]
            assert self._transitions() == transitions
            assert _count_long(before, after, "processor") == 0, after
            is_late = any(_count_long(before, after, what) for what in ("elapsed", "lateness"))
            is_punctual = control.latest_milliseconds < _CONTROL_MILLISECONDS_MAX
            late.append(is_late and is_punctual)
            if is_punctual and not is_late and not shortfalls[-1]:
                break
        assert not all(late), f"late three times while a thread beside it was not: {after}"
        if all(shortfalls):
            pytest.skip(f"This machine was too busy, and nothing moved: {'; '.join(shortfalls)}")
        return ", ".join(f"{what} up to {_longest(after, what):.1f} ms" for what in after[0])

    def _desire(self, engine: BareEngine, others: Iterable[DesiredRouter]) -> None:
        priority = _PRIORITIES[self.engines.index(engine)]
        watched = [
            router(
                address,
                name=f"vip.{name.replace('/', '.')}",
                display_name=name,
                priority=priority,
                virtual_router_id=virtual_router_id,
                advertisement_interval_milliseconds=interval,
            )
            for name, (address, virtual_router_id, interval) in _WATCHED.items()
        ]
        engine.desire(*watched, *others)

    def _transitions(self) -> dict[str, int]:
        return {
            f"{one['name']} on {engine.host.name}": one["counters"]["transitions"]
            for engine in self.engines
            for one in engine.status()["virtualRouters"]
            if one["name"] in _WATCHED
        }


def _await_states(engine: BareEngine, state: str) -> None:
    until(
        f"the watched routers to be {state} on {engine.host.name}",
        lambda: all(engine.state(name) == state for name in _WATCHED),
        10,
        show=engine.routers,
    )


def _count_long(before: list[dict[str, Any]], after: list[dict[str, Any]], what: str) -> int:
    """Return how many turns since then were longer than the limit, of all engines."""
    count = 0
    for then, now in zip(before, after, strict=True):
        first = now[what]["boundsMilliseconds"].index(MILLISECONDS_MAX) + 1
        count += sum(now[what]["counts"][first:]) - sum(then[what]["counts"][first:])
    return count


def _longest(turns: list[dict[str, Any]], what: str) -> float:
    return max(float(one[what]["longestMilliseconds"]) for one in turns)
