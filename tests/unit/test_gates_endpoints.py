"""The gate `endpoints`: ready endpoints of a Service that this node's traffic can reach."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from support.fake_surroundings import FakeSurroundings
from vip_model.resources.gate import Gate
from vip_model.vocabulary import GateState, Reason
from vip_speaker.gates import registry
from vip_speaker.gates.endpoints import judge
from vip_speaker.gates.registry import RunningGate
from vip_speaker.gates.surroundings import ServiceView, Site
from vip_speaker.messages import Verdict

PASSING, FAILING, UNKNOWN = GateState.PASSING, GateState.FAILING, GateState.UNKNOWN


@pytest.fixture
def surroundings() -> FakeSurroundings:
    """Nothing is known yet."""
    return FakeSurroundings()


class Told:
    """A gate of Service web in namespace shop, and every verdict that it reported."""

    def __init__(self, surroundings: FakeSurroundings) -> None:
        self.verdicts: list[Verdict] = []
        spec = msgspec.convert({"name": "g", "endpoints": {"serviceRef": {"name": "web"}}}, Gate)
        self.gate: RunningGate = registry.create(spec, self._note, Site("shop", surroundings))

    def _note(self) -> None:
        self.verdicts.append(self.gate.verdict)


@pytest.mark.parametrize(
    ("view", "state", "reason"),
    [
        (ServiceView(exists=False), FAILING, "Service web does not exist"),
        (
            ServiceView(exists=False, ready_here=1, ready_anywhere=1),
            FAILING,
            "Service web does not exist",
        ),
        (
            ServiceView(exists=True, local=True, ready_here=2, ready_anywhere=5),
            PASSING,
            "2 ready endpoints of Service web on this node",
        ),
        (
            ServiceView(exists=True, local=True, ready_here=1, ready_anywhere=1),
            PASSING,
            "1 ready endpoint of Service web on this node",
        ),
        (
            ServiceView(exists=True, local=True, ready_here=0, ready_anywhere=5),
            FAILING,
            "no ready endpoint of Service web on this node (externalTrafficPolicy Local)",
        ),
        (
            ServiceView(exists=True, ready_here=0, ready_anywhere=5),
            PASSING,
            "5 ready endpoints of Service web",
        ),
        (
            ServiceView(exists=True, ready_here=1, ready_anywhere=1),
            PASSING,
            "1 ready endpoint of Service web",
        ),
        (ServiceView(exists=True), FAILING, "no ready endpoint of Service web"),
    ],
)
def test_verdict_of_a_view(view: ServiceView, state: GateState, reason: str) -> None:
    """With policy Local only endpoints of this node count, otherwise all of them do."""
    assert judge("web", view) == Verdict(state=state, reason=reason)


@pytest.mark.parametrize("count", [1, 2])
def test_local_endpoints_that_are_terminating_and_serve(count: int) -> None:
    """They fail in part: better than nothing, worse than one that is ready."""
    view = ServiceView(exists=True, local=True, ready_anywhere=1, serving_here=count)
    serving = (
        "1 terminating endpoint still serves"
        if count == 1
        else ("2 terminating endpoints still serve")
    )
    assert judge("web", view) == Verdict(
        state=FAILING,
        reason=f"no ready endpoint of Service web on this node, but {serving} "
        "(externalTrafficPolicy Local)",
        partial=True,
    )
    ready = replace(view, ready_here=1)
    assert judge("web", ready).state is PASSING


def test_such_endpoints_elsewhere_do_not_count_with_policy_local() -> None:
    """This node forwards to none of them."""
    view = ServiceView(exists=True, local=True, serving_anywhere=2)
    assert judge("web", view) == Verdict(
        state=FAILING,
        reason="no ready endpoint of Service web on this node (externalTrafficPolicy Local)",
    )


def test_such_endpoints_with_policy_cluster() -> None:
    """They count as long as none is ready anywhere, on every node alike."""
    serving = ServiceView(exists=True, serving_anywhere=2)
    assert judge("web", serving) == Verdict(
        state=PASSING,
        reason="no ready endpoint of Service web, but 2 terminating endpoints still serve",
    )
    assert judge("web", replace(serving, ready_anywhere=1)).reason == (
        "1 ready endpoint of Service web"
    )


def test_ready_endpoints_that_name_no_node() -> None:
    """They count with policy Cluster only, as for kube-proxy; the reason has a word of its own."""
    view = ServiceView(exists=True, local=True, ready_anywhere=3, ready_nameless=3)
    assert judge("web", view) == Verdict(
        state=FAILING,
        reason="no ready endpoint of Service web on this node: 3 ready endpoints without "
        "nodeName, which externalTrafficPolicy Local does not count",
        cause=Reason.ENDPOINT_NAMES_NO_NODE,
    )
    assert judge("web", replace(view, ready_here=1)).state is PASSING
    assert judge("web", replace(view, local=False)).state is PASSING


async def test_unknown_until_the_service_is_known(surroundings: FakeSurroundings) -> None:
    """Before the first complete list there is no verdict; with it there is one at once."""
    told = Told(surroundings)
    told.gate.start()
    assert told.gate.verdict.state is UNKNOWN
    assert told.verdicts == []

    surroundings.set_service(ServiceView(exists=False))

    assert [verdict.state for verdict in told.verdicts] == [FAILING]


async def test_a_service_that_is_known_is_judged_at_the_start(
    surroundings: FakeSurroundings,
) -> None:
    """A gate that begins while its Service is watched already has its verdict at once."""
    surroundings.set_service(ServiceView(exists=True, ready_anywhere=1))
    told = Told(surroundings)

    told.gate.start()

    assert [verdict.state for verdict in told.verdicts] == [PASSING]


async def test_the_verdict_follows_the_service_within_its_change(
    surroundings: FakeSurroundings,
) -> None:
    """Endpoints, the policy and the Service itself come and go, and each is told at once."""
    told = Told(surroundings)
    told.gate.start()
    states = []
    for view in (
        ServiceView(exists=True, local=True, ready_here=1, ready_anywhere=3),
        ServiceView(exists=True, local=True, ready_here=0, ready_anywhere=2),
        ServiceView(exists=True, local=False, ready_here=0, ready_anywhere=2),
        ServiceView(exists=False),
    ):
        surroundings.set_service(view)
        states.append(told.gate.verdict.state)

    assert states == [PASSING, FAILING, PASSING, FAILING]
    assert [verdict.state for verdict in told.verdicts] == states


async def test_only_another_verdict_or_reason_is_reported(surroundings: FakeSurroundings) -> None:
    """A change elsewhere that alters neither verdict nor reason is not reported."""
    told = Told(surroundings)
    told.gate.start()
    surroundings.set_service(ServiceView(exists=True, local=True, ready_here=1, ready_anywhere=1))
    surroundings.set_service(ServiceView(exists=True, local=True, ready_here=1, ready_anywhere=9))
    assert len(told.verdicts) == 1

    surroundings.set_service(ServiceView(exists=True, local=True, ready_here=2, ready_anywhere=9))

    assert [verdict.reason for verdict in told.verdicts] == [
        "1 ready endpoint of Service web on this node",
        "2 ready endpoints of Service web on this node",
    ]


async def test_other_services_do_not_matter(surroundings: FakeSurroundings) -> None:
    """A Service of the same name in another namespace, or another beside it, decides nothing."""
    told = Told(surroundings)
    told.gate.start()

    surroundings.set_service(ServiceView(exists=True, ready_anywhere=1), namespace="bank")
    surroundings.set_service(ServiceView(exists=True, ready_anywhere=1), name="mail")

    assert told.gate.verdict.state is UNKNOWN


async def test_a_stopped_gate_is_told_nothing(surroundings: FakeSurroundings) -> None:
    """After stop the Service is not watched any more and the verdict stands."""
    told = Told(surroundings)
    told.gate.start()
    assert list(surroundings.service_listeners) == [("shop", "web")]
    surroundings.set_service(ServiceView(exists=True, ready_anywhere=1))

    await told.gate.stop()
    surroundings.set_service(ServiceView(exists=False))

    assert not surroundings.is_watched()
    assert [verdict.state for verdict in told.verdicts] == [PASSING]


async def test_a_gate_that_never_ran_can_be_stopped(surroundings: FakeSurroundings) -> None:
    """Stopping is safe at any time, and there are no counts behind the verdict."""
    told = Told(surroundings)

    await told.gate.stop()

    assert told.gate.tally is None
    assert not surroundings.is_watched()
