"""One turn of the loop that drives elections: what comes before what. Pure.

The engine and the simulation both turn with this function, so that what the simulation finds is
what production does. The order (docs/protocol.md, "Duties of the engine"):

1. Adverts and renewals of Actives that are due and have not overslept. The peers count on these,
   and nothing that was heard changes that they were due. One that overslept finds it out here,
   before it could answer anything as if it were still Active. Where these alone take long, the
   turn ends with them, and the next one goes on with those that are left.
2. Adverts are received, for a limited time, each handed over with its time of arrival.
3. Answers of the kernel, links, verdicts, configuration, commands.
4. All other timers. Active_Down_Timer fires only if everything that arrived before its deadline
   has been heard. They fire for a limited time: the adverts that fall due meanwhile go first, and
   the timers that are left are due in the next turn.
5. What has ended is taken leave of, and the next turn is planned.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class DrivenRouter(Protocol):
    """One router with its election, its addresses and its announcements."""

    def advertise(self, now: int) -> None:
        """Send and renew what is due, if it is Active; find out whether it overslept."""

    def tick(self, now: int, heard_until_ns: int) -> None:
        """Act on every timer that is due; adverts up to `heard_until_ns` have been heard."""


RouterT = TypeVar("RouterT", bound=DrivenRouter)


class Driver(Protocol[RouterT]):
    """Sockets, kernel, clock and commands behind one turn."""

    def now_ns(self) -> int:
        """Return the time, now."""

    def due(self, now: int) -> Iterable[RouterT]:
        """Return the routers with a timer that is due."""

    def receive(self) -> None:
        """Hand over adverts that have arrived, oldest first, for a limited time."""

    def heard_until_ns(self, router: RouterT) -> int:
        """Return up to when every advert for a router that has arrived was handed over."""

    def take_events(self) -> None:
        """Hand over everything else that happened."""

    def has_time(self, since_ns: int) -> bool:
        """Whether more adverts, or timers, are to go in this turn, which began with them then."""

    def settle(self) -> None:
        """Put what is left in order and plan the next turn."""


def turn(driver: Driver[RouterT]) -> None:
    """Do what there is to do, once."""
    now = driver.now_ns()
    for router in driver.due(now):
        router.advertise(now)
        if not driver.has_time(now):
            # The rest of them before anything else: nobody hears what it might answer too early.
            driver.settle()
            return
    driver.receive()
    driver.take_events()
    now = driver.now_ns()
    for router in driver.due(now):
        router.tick(now, driver.heard_until_ns(router))
        if not driver.has_time(now):
            break
    driver.settle()
