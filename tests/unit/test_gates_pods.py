"""The gate `pods`: a pod that the selector chooses is ready on this node."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.fake_surroundings import FakeSurroundings, pod
from vip_model.planning.selectors import in_words, matches
from vip_model.resources.gate import Gate, LabelSelector
from vip_model.vocabulary import GateState, Reason
from vip_speaker.gates import registry
from vip_speaker.gates.pods import ProbedPod, judge_probed
from vip_speaker.gates.surroundings import LocalPod, Site
from vip_speaker.messages import Verdict

PASSING, FAILING, UNKNOWN = GateState.PASSING, GateState.FAILING, GateState.UNKNOWN
WEB: dict[str, Any] = {"matchLabels": {"app": "web"}}


class Scene:
    """A gate of namespace shop that runs, and every verdict that it reported."""

    def __init__(self, selector: dict[str, Any]) -> None:
        self.surroundings = FakeSurroundings()
        self.verdicts: list[Verdict] = []
        spec = msgspec.convert({"name": "g", "pods": {"selector": selector}}, Gate)
        self.gate = registry.create(spec, self._note, Site("shop", self.surroundings))

    @property
    def states(self) -> list[GateState]:
        """The states that were reported."""
        return [verdict.state for verdict in self.verdicts]

    def _note(self) -> None:
        self.verdicts.append(self.gate.verdict)


@pytest.fixture
def scene() -> Scene:
    """A gate on app=web that has begun; no pod is known yet."""
    found = Scene(WEB)
    found.gate.start()
    return found


@pytest.mark.parametrize(
    ("pods", "state", "reason"),
    [
        pytest.param([], FAILING, "no pod matches app=web on this node", id="none"),
        pytest.param(
            [pod("db-a", labels={"app": "db"}), pod("bare", labels={})],
            FAILING,
            "no pod matches app=web on this node",
            id="others",
        ),
        pytest.param(
            [pod(namespace="bank")],
            FAILING,
            "no pod matches app=web on this node",
            id="another namespace",
        ),
        pytest.param([pod()], PASSING, "pod web-a is ready", id="ready"),
        pytest.param([pod(ready=False)], FAILING, "pod web-a is not ready", id="not ready"),
        pytest.param(
            [pod(terminating=True)], FAILING, "pod web-a is terminating", id="ready and going"
        ),
        pytest.param(
            [pod(ready=False, terminating=True)],
            FAILING,
            "pod web-a is terminating",
            id="not ready and going",
        ),
        pytest.param(
            [pod("web-a", terminating=True), pod("web-b", ready=False)],
            FAILING,
            "pod web-b is not ready",
            id="one that may become ready is named first",
        ),
        pytest.param(
            [pod("web-a", terminating=True), pod("web-b", ready=False), pod("web-c")],
            PASSING,
            "pod web-c is ready",
            id="one is enough",
        ),
        pytest.param(
            [pod("web-b"), pod("web-a")], PASSING, "pod web-a is ready", id="first by name"
        ),
        pytest.param([pod(address="")], PASSING, "pod web-a is ready", id="without an address"),
    ],
)
async def test_verdict_on_pods(
    scene: Scene, pods: list[LocalPod], state: GateState, reason: str
) -> None:
    """One ready pod that is not being deleted is enough, and the reason names it."""
    scene.surroundings.set_pods(*pods)

    assert scene.verdicts == [Verdict(state=state, reason=reason)]


async def test_unknown_until_the_pods_are_known(scene: Scene) -> None:
    """Before the first complete list there is no verdict, rather than one on no pods."""
    assert scene.gate.verdict.state is UNKNOWN
    assert scene.verdicts == []


async def test_pods_that_are_known_are_judged_at_the_start() -> None:
    """A gate that begins while the pods are watched already has its verdict at once."""
    scene = Scene(WEB)
    scene.surroundings.set_pods(pod())

    scene.gate.start()

    assert scene.verdicts == [Verdict(state=PASSING, reason="pod web-a is ready")]


async def test_each_change_is_judged_within_it(scene: Scene) -> None:
    """When the change of a pod has been told, the verdict on it is there."""
    scene.surroundings.set_pods()
    found = [scene.gate.verdict.reason]
    for change in (
        pod(ready=False),
        pod(),
        pod(ready=False),
        pod(),
        pod(terminating=True),
    ):
        scene.surroundings.put_pod(change)
        found.append(scene.gate.verdict.reason)
    scene.surroundings.remove_pod("web-a")
    found.append(scene.gate.verdict.reason)

    assert found == [
        "no pod matches app=web on this node",
        "pod web-a is not ready",
        "pod web-a is ready",
        "pod web-a is not ready",
        "pod web-a is ready",
        "pod web-a is terminating",
        "no pod matches app=web on this node",
    ]
    assert [verdict.reason for verdict in scene.verdicts] == found


async def test_only_another_verdict_or_reason_is_reported(scene: Scene) -> None:
    """Changes that leave verdict and reason are not reported; a new reason alone is."""
    scene.surroundings.set_pods(pod("web-a"))
    scene.surroundings.put_pod(pod("web-b"))
    scene.surroundings.put_pod(pod("db", labels={}, ready=False))
    assert scene.states == [PASSING]

    scene.surroundings.remove_pod("web-a")

    assert [verdict.reason for verdict in scene.verdicts] == [
        "pod web-a is ready",
        "pod web-b is ready",
    ]


async def test_without_the_right_to_read_pods_the_gate_says_what_to_do(scene: Scene) -> None:
    """It is Unknown, names the namespace and the chart's value, and follows when that is mended.

    A verdict that is there already stands, as through any other trouble with the API server.
    """
    scene.surroundings.forbid_pods()
    verdict = scene.gate.verdict
    assert (verdict.state, verdict.cause) == (UNKNOWN, Reason.PODS_FORBIDDEN)
    assert "in namespace shop" in verdict.reason
    assert "add it to podGates.namespaces of the chart" in verdict.reason

    scene.surroundings.forbid_pods(forbidden=False)
    scene.surroundings.set_pods(pod())
    assert scene.states == [UNKNOWN, PASSING]
    scene.surroundings.forbid_pods()
    assert scene.states == [UNKNOWN, PASSING]


async def test_a_label_that_is_taken_off_counts(scene: Scene) -> None:
    """A pod that the selector chooses no more does not hold the address, ready or not."""
    scene.surroundings.set_pods(pod())
    scene.surroundings.put_pod(pod(labels={"app": "quarantine"}))

    assert scene.states == [PASSING, FAILING]


async def test_a_stopped_gate_is_told_nothing(scene: Scene) -> None:
    """After stop nothing is watched any more and the verdict stands."""
    scene.surroundings.set_pods(pod())
    assert scene.surroundings.is_watched()

    await scene.gate.stop()
    scene.surroundings.set_pods()

    assert not scene.surroundings.is_watched()
    assert scene.states == [PASSING]


async def test_what_is_told_to_a_stopped_gate_is_not_reported(scene: Scene) -> None:
    """A change that was on its way when the gate ended comes too late."""
    scene.surroundings.set_pods(pod())
    (listener,) = scene.surroundings.pod_listeners["shop"]
    await scene.gate.stop()

    scene.surroundings.set_pods()
    listener()

    assert scene.states == [PASSING]


async def test_a_gate_that_never_ran_can_be_stopped() -> None:
    """Stopping is safe at any time, and there are no counts behind the verdict."""
    scene = Scene(WEB)

    await scene.gate.stop()

    assert scene.gate.tally is None


async def test_an_empty_selector_is_any_pod_of_the_namespace() -> None:
    """Without conditions every pod of the namespace counts, and the reason says what is missing."""
    scene = Scene({})
    scene.gate.start()
    scene.surroundings.set_pods(pod(namespace="bank"))
    assert scene.gate.verdict.reason == "no pod of namespace shop is on this node"

    scene.surroundings.put_pod(pod("any", labels={}))

    assert scene.gate.verdict == Verdict(state=PASSING, reason="pod any is ready")


# --- what probes say -----------------------------------------------------------------------------

NOT_YET = Verdict(state=UNKNOWN, reason="its probe has no verdict yet")
FINE = Verdict(state=PASSING, reason="HTTP 200")
BAD = Verdict(state=FAILING, reason="HTTP 503")


@pytest.mark.parametrize("before", [UNKNOWN, PASSING, FAILING])
@pytest.mark.parametrize(
    ("ready", "state", "reason"),
    [
        ([("a", FINE)], PASSING, "pod a is ready, HTTP 200"),
        ([("a", BAD), ("b", NOT_YET), ("c", FINE)], PASSING, "pod c is ready, HTTP 200"),
        ([("a", BAD)], FAILING, "pod a is ready, but HTTP 503"),
        ([("a", NOT_YET), ("b", BAD)], FAILING, "pod b is ready, but HTTP 503"),
        ([("a", NOT_YET)], None, "pod a is ready, but its probe has no verdict yet"),
        (
            [("a", NOT_YET), ("b", NOT_YET)],
            None,
            "pod a is ready, but its probe has no verdict yet",
        ),
    ],
)
def test_verdict_on_several_probes(
    ready: list[ProbedPod], state: GateState | None, reason: str, before: GateState
) -> None:
    """A pass decides before a failure, and where nothing is decided (None) the state stays."""
    assert judge_probed(ready, before) == Verdict(state=state or before, reason=reason)


# --- selectors ----------------------------------------------------------------------------------

IN = {"key": "tier", "operator": "In", "values": ["front", "edge"]}
NOT_IN = {"key": "tier", "operator": "NotIn", "values": ["back"]}
EXISTS = {"key": "tier", "operator": "Exists"}
DOES_NOT_EXIST = {"key": "old", "operator": "DoesNotExist"}


def selector(*expressions: dict[str, Any], **labels: str) -> LabelSelector:
    """Return a selector as the manifest spells it."""
    return msgspec.convert(
        {"matchLabels": labels, "matchExpressions": list(expressions)}, LabelSelector
    )


@pytest.mark.parametrize(
    ("wanted", "labels", "expected"),
    [
        (selector(), {}, True),
        (selector(), {"app": "web"}, True),
        (selector(app="web"), {"app": "web", "more": "x"}, True),
        (selector(app="web"), {"app": "db"}, False),
        (selector(app="web"), {}, False),
        (selector(app="web", tier="edge"), {"app": "web"}, False),
        (selector(app=""), {}, False),
        (selector(IN), {"tier": "edge"}, True),
        (selector(IN), {"tier": "back"}, False),
        (selector(IN), {}, False),
        (selector(NOT_IN), {"tier": "edge"}, True),
        (selector(NOT_IN), {"tier": "back"}, False),
        (selector(NOT_IN), {}, True),
        (selector(EXISTS), {"tier": ""}, True),
        (selector(EXISTS), {}, False),
        (selector(DOES_NOT_EXIST), {}, True),
        (selector(DOES_NOT_EXIST), {"old": ""}, False),
        (selector(IN, DOES_NOT_EXIST, app="web"), {"app": "web", "tier": "front"}, True),
        (selector(IN, DOES_NOT_EXIST, app="web"), {"app": "web", "tier": "x"}, False),
        (
            selector(IN, DOES_NOT_EXIST, app="web"),
            {"app": "web", "tier": "front", "old": "1"},
            False,
        ),
    ],
)
def test_what_a_selector_chooses(
    wanted: LabelSelector, labels: dict[str, str], expected: bool
) -> None:
    """All labels and all expressions must hold, each with the meaning that Kubernetes gives it."""
    assert matches(wanted, labels) is expected


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (selector(), ""),
        (selector(tier="edge", app="web"), "app=web,tier=edge"),
        (
            selector(IN, NOT_IN, EXISTS, DOES_NOT_EXIST, app="web"),
            "app=web,tier in (front,edge),tier notin (back),tier,!old",
        ),
    ],
)
def test_a_selector_reads_as_for_kubectl(wanted: LabelSelector, words: str) -> None:
    """The words of a reason can be given to kubectl with -l."""
    assert in_words(wanted) == words


async def test_expressions_decide_the_gate() -> None:
    """A gate asks matchExpressions too and names them when nothing matches."""
    scene = Scene({"matchExpressions": [IN, DOES_NOT_EXIST]})
    scene.gate.start()
    scene.surroundings.set_pods(pod(labels={"tier": "back"}))
    assert scene.gate.verdict.reason == "no pod matches tier in (front,edge),!old on this node"

    scene.surroundings.put_pod(pod(labels={"tier": "edge"}))

    assert scene.gate.verdict == Verdict(state=PASSING, reason="pod web-a is ready")
