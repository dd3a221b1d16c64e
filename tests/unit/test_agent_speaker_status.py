"""What a node reports of its engine to the cluster."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.statuses import router_status, status
from vip_model.resources.speaker import AbnormalRouter, ActiveRouter, ReportedInterface
from vip_model.vocabulary import Family, GateState, Reason, State
from vip_speaker.agent.kubernetes.speaker_status import to_document, with_engine, without_engine
from vip_speaker.messages import GateStatus, InterfaceReport, NeighbourComplaint

FEATURES = ("gate/pods",)
ETH0 = InterfaceReport(
    name="eth0", mac="02:00:00:00:00:01", subnets=["192.0.2.1/24", "fe80::1/64"], carrier=True
)


def gate(state: GateState, reason: str = "HTTP 503", *, stale: bool = False) -> GateStatus:
    """Return a gate nginx."""
    return GateStatus(name="nginx", state=state, reason=reason, stale=stale)


def abnormal(**changes: Any) -> tuple[AbnormalRouter, ...]:
    """Return what is reported as abnormal of one router."""
    return with_engine(status(router_status(**changes)), FEATURES, {}).abnormal


def test_interfaces_and_features() -> None:
    """Interfaces with their hardware addresses and subnets, and what the speaker can do."""
    found = with_engine(status(interfaces=[ETH0]), FEATURES, {})

    assert found.interfaces == (
        ReportedInterface(
            name="eth0", mac="02:00:00:00:00:01", subnets=("192.0.2.1/24", "fe80::1/64")
        ),
    )
    assert found.features == FEATURES
    assert (found.active, found.abnormal, found.foreign) == ((), (), ())


def test_a_provisional_priority_is_one_report() -> None:
    """It rises every few seconds by itself: a quiet node writes nothing."""

    def reported(effective: int, **changes: Any) -> int:
        said = status(router_status(priority=254, effective_priority=effective, **changes))
        return with_engine(said, FEATURES, {}).active[0].effective_priority

    assert {reported(each) for each in range(145, 155)} == {145}
    assert reported(154, gates=[gate(GateState.FAILING)]) == 154
    assert reported(254) == 254


def test_who_else_has_the_address() -> None:
    """Another machine that uses it, and neighbours that announce it in another way, by router."""
    differs = NeighbourComplaint(
        name="shop/web",
        router="vip.shop.web",
        problem=Reason.ADDRESSES_DIFFER,
        family=Family.IPV4,
        interface="eth0",
        source="192.0.2.77",
        message="192.0.2.77 announces other addresses",
    )
    said = status(router_status(conflict="192.0.2.100 is also used by 02:00:00:00:00:99"))
    said = msgspec.structs.replace(said, neighbours=[differs])

    found = with_engine(said, FEATURES, {}).conflicts

    assert [(each.router, each.reason) for each in found] == [
        ("vip.shop.web", Reason.ADDRESS_CONFLICT),
        ("vip.shop.web", Reason.ADDRESSES_DIFFER),
    ]


def test_an_active_router() -> None:
    """It is claimed with the time and the reason, and is not abnormal."""
    found = with_engine(status(router_status(reason="ActiveDown")), FEATURES, {})

    assert found.active == (
        ActiveRouter(
            router="vip.shop.web",
            since="2026-01-01T00:00:00.500Z",
            reason="ActiveDown",
            effective_priority=254,
        ),
    )
    assert found.abnormal == ()


def test_a_gate_that_knows_why_it_fails() -> None:
    """Its reason says more than that a gate fails, also where another gate has none."""
    plain = gate(GateState.FAILING)
    why = GateStatus(name="web", state=GateState.FAILING, cause=Reason.ENDPOINT_NAMES_NO_NODE)
    (found,) = abnormal(state=State.BACKUP, gates=[plain, why])
    assert found.reason == Reason.ENDPOINT_NAMES_NO_NODE
    (found,) = abnormal(state=State.BACKUP, gates=[plain])
    assert found.reason == Reason.GATE_FAILING


def test_the_instances_of_a_router_are_one_claim() -> None:
    """A dual-stack router is reported once."""
    both = (router_status(), router_status(family=Family.IPV6))

    assert len(with_engine(status(*both), FEATURES, {}).active) == 1


def test_a_router_that_runs_in_part() -> None:
    """What has no place here does not hide that the rest is Active; the message says what it is."""
    lost = router_status(
        family=Family.IPV6,
        state=State.INITIALIZE,
        reason=Reason.NOT_PLACEABLE,
        message="IPv6 is off on eth0",
        missing=1,
    )
    serving = router_status(reason=Reason.ACTIVE_DOWN, missing=1)
    for instances in ((serving, lost), (lost, serving)):
        found = with_engine(status(*instances), FEATURES, {})
        assert [(each.reason, each.missing) for each in found.active] == [("ActiveDown", 1)]
    backup = router_status(state=State.BACKUP, missing=1)
    (trouble,) = with_engine(status(lost, backup), FEATURES, {}).abnormal
    assert (trouble.state, trouble.reason) == (State.BACKUP, Reason.PARTLY_PLACED)
    assert trouble.message == "IPv6 is off on eth0"


def test_an_edit_that_is_not_in_force() -> None:
    """A node that goes on with what ran before says so, whatever its state is."""
    changes = {"not_in_force": "192.0.2.9 is in no subnet", "gates": []}
    for state in (State.BACKUP, State.ACTIVE):
        (trouble,) = abnormal(state=state, **changes)
        assert (trouble.state, trouble.reason) == (state, Reason.NOT_IN_FORCE)
        assert trouble.message == "Its newest version is not in force: 192.0.2.9 is in no subnet"


def test_another_machine_that_uses_an_address() -> None:
    """The node that holds it serves on, and says who else answers."""
    words = "192.0.2.100 is also used by 02:00:00:00:00:99"
    (trouble,) = abnormal(state=State.ACTIVE, conflict=words, gates=[])
    assert (trouble.state, trouble.reason) == (State.ACTIVE, Reason.ADDRESS_CONFLICT)
    assert trouble.message == words


def test_an_active_router_with_a_failing_gate() -> None:
    """The claim names the gate; that is no trouble besides."""
    found = with_engine(status(router_status(gates=[gate(GateState.FAILING)])), FEATURES, {})

    assert found.active[0].failing_gates == ("nginx",)
    assert found.abnormal == ()


def test_a_healthy_backup_is_not_listed() -> None:
    """A cluster at rest writes nothing about those who stand by."""
    found = with_engine(status(router_status(state="Backup")), FEATURES, {})

    assert (found.active, found.abnormal) == ((), ())


FAILS = gate(GateState.FAILING)


@pytest.mark.parametrize(
    ("changes", "report"),
    [
        (
            {
                "state": State.INITIALIZE,
                "gates": [],
                "reason": Reason.NOT_PLACEABLE,
                "message": "Interface eth0 has no carrier",
                "missing": 1,
            },
            {"message": "Interface eth0 has no carrier", "missing": 1},
        ),
        ({"state": State.INITIALIZE, "gates": []}, {"reason": Reason.NOT_STARTED}),
        (
            {
                "state": State.INITIALIZE,
                "reason": Reason.WITHDRAWN,
                "withdrawn": True,
                "gates": [FAILS],
            },
            {
                "withdrawn": True,
                "failing_gates": ("nginx",),
                "message": "Gate nginx fails: HTTP 503",
            },
        ),
        (
            {"state": State.BACKUP, "yielding": True, "reason": Reason.GATE_FAILED, "gates": []},
            {"yielding": True},
        ),
        (
            {"state": State.BACKUP, "gates": [FAILS], "effective_priority": 144},
            {
                "reason": Reason.GATE_FAILING,
                "failing_gates": ("nginx",),
                "message": "Gate nginx fails: HTTP 503",
                "effective_priority": 144,
            },
        ),
        (
            {"state": State.BACKUP, "gates": [gate(GateState.UNKNOWN, "No verdict yet")]},
            {"reason": Reason.GATE_UNKNOWN, "message": "Gate nginx is unknown: No verdict yet"},
        ),
        *(
            (
                {"state": state, "gates": [gate(GateState.PASSING, "HTTP 200", stale=True)]},
                {
                    "reason": Reason.GATE_STALE,
                    "message": "Gate nginx is stale, it was Passing: HTTP 200",
                },
            )
            for state in (State.BACKUP, State.ACTIVE)
        ),
    ],
)
def test_what_is_abnormal(changes: dict[str, Any], report: dict[str, Any]) -> None:
    """Each trouble is reported in typed fields, with a word for it and sentences for people."""
    state = changes["state"]
    expected = {
        "reason": changes.get("reason", ""),
        "effective_priority": 0 if state is State.INITIALIZE else 254,
        **report,
    }
    (found,) = abnormal(**changes)
    assert found == AbnormalRouter(router="vip.shop.web", state=state, **expected)


def test_gates_that_do_not_count_are_no_trouble() -> None:
    """NotApplicable is as good as Passing."""
    assert abnormal(state="Backup", gates=[gate(GateState.NOT_APPLICABLE)]) == ()


def test_an_unreadable_version_is_trouble() -> None:
    """A node that runs an old version of a router is not one that would serve the new one."""
    backup = status(router_status(state="Backup"))
    found = with_engine(backup, FEATURES, {"vip.shop.web": "spec.x: wrong"})

    (trouble,) = found.abnormal
    assert trouble.reason == Reason.VERSION_UNREADABLE
    assert trouble.message == "Its newest version cannot be read: spec.x: wrong"


def test_without_an_engine_nothing_is_claimed() -> None:
    """Interfaces stay, claims end, and every router says why."""
    last = status(router_status(), interfaces=[ETH0])
    found = without_engine(last, ["vip.shop.web", "vip.shop.api"], FEATURES, Reason.STOPPED)

    assert [each.name for each in found.interfaces] == ["eth0"]
    assert found.active == ()
    assert [(each.router, each.state, each.reason) for each in found.abnormal] == [
        ("vip.shop.api", "Initialize", "Stopped"),
        ("vip.shop.web", "Initialize", "Stopped"),
    ]


def test_an_engine_that_never_answered() -> None:
    """There is nothing to report but that."""
    assert without_engine(None, [], FEATURES, Reason.STOPPED).interfaces == ()


def test_the_document_is_whole() -> None:
    """Empty lists are written too: a merge must leave nothing of the report before."""
    document = to_document(without_engine(None, [], (), Reason.STOPPED))

    assert document == {
        "interfaces": [],
        "features": [],
        "foreign": [],
        "active": [],
        "abnormal": [],
        "conflicts": [],
        "watched": [],
        "stopped": False,
    }
