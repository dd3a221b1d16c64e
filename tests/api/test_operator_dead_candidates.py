"""Candidates that fall silent, on a real API server: what waits for them, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from support.operator_stand import Stand, operator_stand
from vip_common.kinds import SPEAKERS, VIRTUAL_ROUTERS
from vip_kube.kinds import NODES
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.wait import throughout, until

# A Lease is missed after 25 s, and an operator that was replaced begins to count anew.
SECONDS = 90.0


@pytest.fixture
def stand(api: ControlPlane, namespace: str) -> Iterator[Stand]:
    """An operator that leads, and a VirtualIP web on three nodes."""
    with operator_stand(api, namespace) as stand:
        stand.operator.start_and_wait()
        stand.apply("web")
        stand.await_router("web")
        stand.speakers.acknowledge()
        yield stand


def await_beside(stand: Stand, what: str, is_so: Callable[[], object], *living: str) -> None:
    """Wait for something while only some speakers renew their Leases, and apply what they see."""

    def looked() -> object:
        stand.speakers.acknowledge(*living)
        return is_so()

    until(what, looked, SECONDS, every=1.0, show=stand.describe)


def unreachable(router: JsonObject | None) -> Sequence[str]:
    """Return the candidates that are marked as unreachable."""
    candidates = (router or {"spec": {}})["spec"].get("candidates", ())
    return [each["node"] for each in candidates if each.get("unreachable")]


def test_a_move_with_a_dead_candidate(stand: Stand) -> None:
    """Into a group: standby first, then the dead one has ended, then it runs; operators change."""
    group = f"group.{stand.namespace}.front"

    def spec_of_group() -> JsonObject:
        found = stand.api.find(VIRTUAL_ROUTERS, group)
        return dict(found["spec"]) if found else {}

    stand.edit("web", group="front")
    await_beside(stand, "the standby", lambda: spec_of_group().get("standby"), "n1", "n2")
    stand.operator.stop()
    stand.operator.start_and_wait()
    await_beside(stand, "the mark", lambda: "n3" in unreachable(stand.router("web")), "n1", "n2")
    assert stand.condition("web", "Accepted") == ("False", "Moving")
    router = stand.router("web")
    assert router is not None
    assert not router["spec"].get("retired")
    assert spec_of_group()["standby"]
    stand.speakers.watch("n3", heard=False, by=["n1", "n2"])
    await_beside(stand, "the end of the old one", lambda: stand.router("web") is None, "n1", "n2")
    await_beside(stand, "the start", lambda: not spec_of_group().get("standby"), "n1", "n2")
    stand.await_condition("web", "Accepted", "True")


def test_a_holder_that_is_cut_off(stand: Stand) -> None:
    """Its Node, and with it its Speaker, may be deleted: nothing is released while it is heard."""
    stand.speakers.claim("n2", stand.router_name("web"))
    stand.await_condition("web", "Bound", "True")
    await_beside(stand, "the mark", lambda: "n2" in unreachable(stand.router("web")), "n1", "n3")
    stand.speakers.watch("n2", heard=True, by=["n1", "n3"])
    unknown = ("Unknown", "HolderUnreachable")
    await_beside(
        stand, "the reason", lambda: stand.condition("web", "Bound") == unknown, "n1", "n3"
    )
    stand.api.delete(NODES, "n2")
    await_beside(stand, "no Speaker", lambda: stand.api.find(SPEAKERS, "n2") is None, "n1", "n3")
    stand.delete("web")
    stand.await_retired("web")
    stand.speakers.acknowledge("n1", "n3")
    throughout("it is heard", lambda: stand.router("web"), 5.0, every=0.5)
    stand.speakers.watch("n2", heard=False, by=["n1", "n3"])
    await_beside(stand, "the end", lambda: stand.router("web") is None, "n1", "n3")
