"""The gate `endpoints`: passes if traffic that arrives at this node reaches a ready endpoint.

With externalTrafficPolicy Local these are the ready endpoints on this node, with Cluster those on
any node. Endpoints that are terminating do not count.

With policy Local a pass after anything else waits until kube-proxy forwards to the endpoints
(`vip_speaker.gates.forwarding`); until then the gate keeps the state that it had.
"""

from __future__ import annotations

from collections.abc import Callable

from vip_model.resources.gate import Gate
from vip_model.vocabulary import GateState
from vip_speaker.gates.forwarding import Forwarding
from vip_speaker.gates.surroundings import ServiceView, Site, Subscription, Surroundings
from vip_speaker.gates.watched import WatchedGate
from vip_speaker.messages import Verdict

KIND = "endpoints"


def create(gate: Gate, on_change: Callable[[], None], site: Site) -> EndpointsGate:
    """Return a gate of this kind."""
    assert gate.endpoints is not None
    assert site.surroundings is not None
    service = gate.endpoints.service_ref.name
    return EndpointsGate(site.surroundings, site.namespace, service, on_change)


class EndpointsGate(WatchedGate):
    """Follows one Service."""

    def __init__(
        self,
        surroundings: Surroundings,
        namespace: str,
        service: str,
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(on_change)
        self._surroundings = surroundings
        self._namespace = namespace
        self._service = service
        self._forwarding = Forwarding(self._look)

    async def stop(self) -> None:
        """End the watch, and the question to kube-proxy."""
        await super().stop()
        await self._forwarding.stop()

    def _watch(self) -> Subscription:
        return self._surroundings.watch_service(self._namespace, self._service, self._look)

    def _judge(self) -> Verdict | None:
        view = self._surroundings.service(self._namespace, self._service)
        if view is None:
            return None
        verdict = judge(self._service, view)
        if verdict.state is not GateState.PASSING or view.health_check is None:
            self._forwarding.forget()
            return verdict
        self._forwarding.ask(view.health_check)
        if self._forwarding.settled:
            return verdict
        reason = f"{verdict.reason}, to which kube-proxy does not forward yet"
        return Verdict(state=self.verdict.state, reason=reason)


def judge(service: str, view: ServiceView) -> Verdict:
    """Return the verdict on a Service of that name."""
    if not view.exists:
        return Verdict(state=GateState.FAILING, reason=f"Service {service} does not exist")
    where = " on this node" if view.local else ""
    ready = view.ready_here if view.local else view.ready_anywhere
    if ready:
        noun = "endpoint" if ready == 1 else "endpoints"
        reason = f"{ready} ready {noun} of Service {service}{where}"
        return Verdict(state=GateState.PASSING, reason=reason)
    why = " (externalTrafficPolicy Local)" if view.local else ""
    reason = f"no ready endpoint of Service {service}{where}{why}"
    return Verdict(state=GateState.FAILING, reason=reason)
