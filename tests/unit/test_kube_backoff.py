"""How long a back-off waits."""

from __future__ import annotations

import random

from vip_kube.backoff import Backoff


class Top(random.Random):
    """No luck at all: jitter takes nothing away."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_doubles_up_to_the_limit() -> None:
    """Without luck the waits are 0.5, 1, 2, 4, 8 and then 10 s for ever; reset begins anew."""
    backoff = Backoff(Top())
    assert [backoff.next_seconds() for _ in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]
    backoff.reset()
    assert backoff.next_seconds() == 0.5


def test_jitter() -> None:
    """Each wait lies between half of its step and the whole, and they are spread."""
    backoff = Backoff(random.Random(1), first_seconds=8, limit_seconds=8)
    waits = [backoff.next_seconds() for _ in range(200)]
    assert 4 <= min(waits) < 4.1
    assert 7.9 < max(waits) <= 8


def test_server_decides() -> None:
    """A server's wish for patience is met, up to a minute; a shorter one changes nothing."""
    backoff = Backoff(Top())
    assert backoff.next_seconds(3) == 3
    assert backoff.next_seconds(0.1) == 1
    assert backoff.next_seconds(86400) == 60
