"""One turn of the loop that drives elections: what comes before what, and for how long. Pure.

The engine and the simulation both turn with this function, so that what the simulation finds is
what production does. The order (docs/protocol.md, "Duties of the engine"):

1. Adverts and renewals of Actives that are due and have not overslept. The peers count on these,
   and nothing that was heard changes that they were due. One that overslept finds it out here,
   before it could answer anything as if it were still Active. Where these alone take long, the
   turn ends with them, and the next one goes on with those that are left.
2. Adverts are received, for a limited time, each handed over with its time of arrival.
3. Answers of the kernel, links, verdicts, configuration, commands.
4. All other timers. Active_Down_Timer fires only if everything that arrived before its deadline
   has been heard.
5. What has ended is taken leave of, and the next turn is planned.

A whole turn has one budget of time, which begins with it: 3 to 5 get what 1 and 2 have left of it,
and a single step each where nothing is left. What had to wait comes first in the next turn, after
the adverts that have fallen due meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from vip_speaker.vrrp.timers import MILLISECOND_NS

TURN_NS = 8 * MILLISECOND_NS
# Of these: for adverts that are due, and for receiving.
ADVERTS_NS = 4 * MILLISECOND_NS
RECEIVE_NS = 4 * MILLISECOND_NS


class DrivenRouter(Protocol):
    """One router with its election, its addresses and its announcements."""

    def advertise(self, now: int) -> None:
        """Send and renew what is due, if it is Active; find out whether it overslept."""

    def tick(self, now: int, heard_until_ns: int) -> None:
        """Act on every timer that is due; adverts up to `heard_until_ns` have been heard."""


RouterT = TypeVar("RouterT", bound=DrivenRouter)


class Driver(Protocol[RouterT]):
    """Sockets, kernel, clock and commands behind one turn.

    What is given a time to end by does one step at least, and no other after that time.
    """

    def now_ns(self) -> int:
        """Return the time, now."""

    def due(self, now: int) -> Iterable[RouterT]:
        """Return the routers with a timer that is due, first those that were postponed."""

    def postpone(self, routers: Iterable[RouterT]) -> None:
        """Note which routers had to wait for the next turn, instead of those noted before."""

    def receive(self, until_ns: int) -> None:
        """Hand over adverts that have arrived, oldest first."""

    def heard_until_ns(self, router: RouterT) -> int:
        """Return up to when every advert for a router that has arrived was handed over."""

    def take_events(self, until_ns: int) -> None:
        """Hand over everything else that happened."""

    def settle(self, until_ns: int) -> None:
        """Put what is left in order and plan the next turn."""


def turn(driver: Driver[RouterT]) -> None:
    """Do what there is to do, once."""
    now = began_ns = driver.now_ns()
    until_ns = began_ns + TURN_NS
    waiting = iter(driver.due(now))
    for router in waiting:
        router.advertise(now)
        if driver.now_ns() >= began_ns + ADVERTS_NS:
            # The rest of them before anything else: nobody hears what it might answer too early.
            driver.postpone(waiting)
            driver.settle(until_ns)
            return
    driver.receive(driver.now_ns() + RECEIVE_NS)
    driver.take_events(share(driver.now_ns(), until_ns, 2))
    now = driver.now_ns()
    waiting = iter(driver.due(now))
    for router in waiting:
        router.tick(now, driver.heard_until_ns(router))
        if driver.now_ns() >= until_ns:
            break
    driver.postpone(waiting)
    driver.settle(until_ns)


def share(now: int, until_ns: int, kinds: int) -> int:
    """Return until when the first of so many kinds of work may go on; what it leaves is theirs."""
    return now + max(0, until_ns - now) // kinds
