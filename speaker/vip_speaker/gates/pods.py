"""The gate `pods`: passes if a pod that the selector chooses is ready on this node.

Pods are those of the VirtualIP's namespace; one that is being deleted does not count, whatever it
says of itself. Readiness has no thresholds here: kubelet has counted already.

With a `probe` a pod must pass that, too (`vip_speaker.gates.pod_probe`). One pod that is ready and
passes is enough; otherwise one whose probe fails makes the gate fail. While none of the ready pods
has a verdict of its probe, the gate keeps the state that it had: a fresh pod alone neither brings
an address to a node nor takes it away, and a gate that has just begun stays Unknown.

The right to read pods is given by namespace; without it the gate is Unknown and says so. A verdict
stands where the right is missing later, as an API server that has just started may say for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from vip_model.planning.selectors import in_words, matches
from vip_model.resources.gate import Gate, PodsCondition
from vip_model.vocabulary import GateState, Reason
from vip_speaker.gates.pod_probe import PodProbers
from vip_speaker.gates.surroundings import LocalPod, Site, Subscription, Surroundings
from vip_speaker.gates.watched import WatchedGate
from vip_speaker.messages import Verdict

KIND = "pods"

ProbedPod = tuple[str, Verdict]  # name of a pod, what its probe says


def create(gate: Gate, on_change: Callable[[], None], site: Site) -> PodsGate:
    """Return a gate of this kind."""
    assert gate.pods is not None
    assert site.surroundings is not None
    return PodsGate(gate.pods, site.surroundings, site.namespace, on_change)


class PodsGate(WatchedGate):
    """Follows the pods of this node in one namespace."""

    def __init__(
        self,
        condition: PodsCondition,
        surroundings: Surroundings,
        namespace: str,
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(on_change)
        self._selector = condition.selector
        self._surroundings = surroundings
        self._namespace = namespace
        self._probers = PodProbers(condition.probe, self._look) if condition.probe else None

    async def stop(self) -> None:
        """End the watch and every probe."""
        await super().stop()
        if self._probers is not None:
            await self._probers.stop()

    def _watch(self) -> Subscription:
        return self._surroundings.watch_pods(self._namespace, self._look)

    def _judge(self) -> Verdict | None:
        pods = self._surroundings.pods(self._namespace)
        if pods is None:
            return self._why_unknown()
        chosen = sorted(
            (pod for pod in pods if matches(self._selector, pod.labels)), key=lambda pod: pod.name
        )
        ready = [pod for pod in chosen if pod.ready and not pod.terminating]
        if self._probers is not None:
            self._probers.follow(ready)
        if not ready:
            return _failing(self._why_none(chosen))
        if self._probers is None:
            return _passing(f"pod {ready[0].name} is ready")
        probed = [(pod.name, self._probers.verdict(pod)) for pod in ready]
        return judge_probed(probed, self.verdict.state)

    def _why_unknown(self) -> Verdict | None:
        """Return why the pods are not known, if time alone does not mend it."""
        if not self._surroundings.pods_are_forbidden(self._namespace):
            return None
        reason = (
            f"the speaker may not read pods in namespace {self._namespace}: add it to "
            "podGates.namespaces of the chart"
        )
        return Verdict(state=GateState.UNKNOWN, reason=reason, cause=Reason.PODS_FORBIDDEN)

    def _why_none(self, chosen: Iterable[LocalPod]) -> str:
        """Return why no pod is ready; one that may become ready tells more than one that goes."""
        for pod in sorted(chosen, key=lambda pod: pod.terminating):
            return f"pod {pod.name} is {'terminating' if pod.terminating else 'not ready'}"
        words = in_words(self._selector)
        if words:
            return f"no pod matches {words} on this node"
        return f"no pod of namespace {self._namespace} is on this node"


def judge_probed(ready: Sequence[ProbedPod], before: GateState) -> Verdict:
    """Return the verdict on pods that are ready and are probed.

    Args:
        ready: the pods, at least one.
        before: the state of the gate until now, which stays while no probe has a verdict.
    """
    for name, verdict in ready:
        if verdict.state is GateState.PASSING:
            return _passing(f"pod {name} is ready, {verdict.reason}")
    for name, verdict in ready:
        if verdict.state is GateState.FAILING:
            return _failing(f"pod {name} is ready, but {verdict.reason}")
    name, verdict = ready[0]
    return Verdict(state=before, reason=f"pod {name} is ready, but {verdict.reason}")


def _passing(reason: str) -> Verdict:
    return Verdict(state=GateState.PASSING, reason=reason)


def _failing(reason: str) -> Verdict:
    return Verdict(state=GateState.FAILING, reason=reason)
