"""Two routers of one node with one VRID on one link: adverts could not be told apart."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from support.engine_node import address, link, router, view
from support.paper_node import Scene
from vip_model.vocabulary import State
from vip_speaker.engine.fleet import Fleet
from vip_speaker.engine.router import Router
from vip_speaker.messages import Desired, DesiredRouter
from vip_speaker.vrrp.timers import SECOND_NS

FIRST = router("192.0.2.100", name="vip.default.first", display_name="default/first")
SECOND = router("192.0.2.101", name="vip.default.second", display_name="default/second")


def with_vrid(wanted: DesiredRouter, number: int) -> DesiredRouter:
    """Return the same with another VRID."""
    instances = [msgspec.structs.replace(one, virtual_router_id=number) for one in wanted.instances]
    return msgspec.structs.replace(wanted, instances=instances)


@dataclasses.dataclass
class Routers:
    """The routers of one engine."""

    fleet: Fleet

    def want(self, *routers: DesiredRouter) -> None:
        """Bring about what is desired, and nothing else."""
        self.fleet.apply(Desired(node="n1", routers=list(routers), complete=True))
        self.fleet.proceed(None)

    def __getitem__(self, wanted: DesiredRouter) -> Router:
        found = self.fleet.find(wanted.name)
        assert found is not None
        return found

    def vrid(self, wanted: DesiredRouter) -> int | None:
        """Return the VRID that a router speaks with, None while it waits."""
        instance = self[wanted].instances.at(0)
        return None if instance is None else instance.placed.virtual_router_id

    def retry(self, wanted: DesiredRouter) -> None:
        """Let the next try of a router that waits happen, which is not long in coming."""
        due_ns = self[wanted].deadline()
        assert due_ns is not None
        assert due_ns - self[wanted].since_ns < 5 * SECOND_NS
        self[wanted].tick(due_ns)


@pytest.fixture
def routers(scene: Scene) -> Routers:
    """None yet."""
    return Routers(Fleet(scene.node, set()))


def test_the_second_waits_and_says_for_what(routers: Routers) -> None:
    """It is in Initialize with the name of the first, which goes on undisturbed."""
    routers.want(FIRST)
    before = routers[FIRST].instances.at(0)
    routers.want(FIRST, SECOND)

    assert routers[SECOND].election is None
    assert routers[SECOND].obstacles.waits_for == (
        "VRID 51 is already used on eth0 by default/first: "
        "choose another virtualRouterID for one of them"
    )
    assert routers[FIRST].instances.at(0) is before
    election = routers[FIRST].election
    assert election is not None
    assert election.state is State.BACKUP
    routers.retry(SECOND)
    assert routers.vrid(SECOND) is None


def test_it_runs_when_the_first_has_gone(routers: Routers) -> None:
    """Within a few seconds, without any event of the network."""
    routers.want(FIRST, SECOND)
    routers.want(SECOND)
    routers.fleet.note_ended(list(routers.fleet))
    assert len(routers.fleet.remove_ended(1 << 62)) == 1
    routers.retry(SECOND)
    assert routers.vrid(SECOND) == 51
    assert not routers[SECOND].obstacles.waits_for


def test_it_runs_when_the_first_has_another(routers: Routers) -> None:
    """The same after an edit."""
    routers.want(FIRST, SECOND)
    routers.want(with_vrid(FIRST, 60), SECOND)
    routers.retry(SECOND)
    assert (routers.vrid(FIRST), routers.vrid(SECOND)) == (60, 51)


def test_an_edit_to_the_vrid_of_another_is_not_in_force(routers: Routers) -> None:
    """What it had before goes on."""
    routers.want(FIRST, with_vrid(SECOND, 60))
    routers.want(FIRST, SECOND)
    assert (routers.vrid(FIRST), routers.vrid(SECOND)) == (51, 60)
    assert "by default/first" in routers[SECOND].instances.not_in_force


def test_two_that_exchange_their_vrids(routers: Routers) -> None:
    """Neither waits for the other, since both are to leave what they have."""
    routers.want(FIRST, with_vrid(SECOND, 60))
    routers.want(with_vrid(FIRST, 60), SECOND)
    assert (routers.vrid(FIRST), routers.vrid(SECOND)) == (60, 51)


def test_a_new_name_need_not_wait_for_the_old_one(routers: Routers) -> None:
    """A VirtualIP that was renamed: the old router leaves, and is in nobody's way."""
    routers.want(FIRST)
    renamed = msgspec.structs.replace(FIRST, name="vip.default.other")
    routers.want(renamed)
    assert routers.vrid(renamed) == 51


def test_other_links_are_other_routers(scene: Scene, routers: Routers) -> None:
    """A VRID belongs to a link."""
    scene.monitor.view = view(
        link(2, "eth0"),
        link(3, "eth1"),
        addresses=(address(2, "192.0.2.11/24"), address(3, "198.51.100.11/24")),
    )
    elsewhere = router("198.51.100.100", name="vip.default.x", display_name="default/x")
    routers.want(FIRST, elsewhere)
    assert (routers.vrid(FIRST), routers.vrid(elsewhere)) == (51, 51)
