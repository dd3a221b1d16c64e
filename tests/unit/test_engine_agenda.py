"""The agenda knows who is due, and forgets what was replaced."""

from __future__ import annotations

from typing import cast

from vip_speaker.engine.agenda import Agenda
from vip_speaker.engine.router import Router


class Due:
    """Something with a deadline; all that an agenda asks of a router."""

    def __init__(self, at: int | None) -> None:
        self.at = at

    def deadline(self) -> int | None:
        """Return the deadline."""
        return self.at


def scheduled(agenda: Agenda, *deadlines: int | None) -> list[Router]:
    """Return routers with these deadlines, put on the agenda."""
    routers = [cast("Router", Due(at)) for at in deadlines]
    for router in routers:
        agenda.schedule(router)
    return routers


def test_the_earliest_comes_first() -> None:
    """Due routers are taken in the order of their deadlines, the others stay."""
    agenda = Agenda()
    late, early, later = scheduled(agenda, 20, 10, 30)
    assert agenda.next_ns() == 10
    assert agenda.take_due(20) == [early, late]
    assert agenda.take_due(20) == []
    assert agenda.next_ns() == 30
    assert agenda.take_due(30) == [later]


def test_a_later_deadline_replaces_an_earlier_one() -> None:
    """A re-armed timer does not fire at its old time, and only once at its new one."""
    agenda = Agenda()
    (router,) = scheduled(agenda, 10)
    cast("Due", router).at = 50
    agenda.schedule(router)
    agenda.schedule(router)
    assert agenda.take_due(49) == []
    assert agenda.take_due(50) == [router]
    assert agenda.take_due(1000) == []


def test_nothing_armed_is_nothing_due() -> None:
    """A router without a deadline is not on the agenda, also if it was."""
    agenda = Agenda()
    idle, stopped = scheduled(agenda, None, 10)
    cast("Due", stopped).at = None
    agenda.schedule(stopped)
    assert agenda.next_ns() is None
    assert agenda.take_due(1000) == []
    assert idle is not stopped


def test_a_forgotten_router_is_never_due() -> None:
    """One that ended is not ticked any more."""
    agenda = Agenda()
    gone, left = scheduled(agenda, 10, 20)
    agenda.forget(gone)
    assert agenda.take_due(1000) == [left]
