"""The gate `endpoints`: passes if traffic that arrives at this node reaches a ready endpoint.

What counts is what kube-proxy forwards to. With externalTrafficPolicy Local these are the ready
endpoints on this node, those that name no node left out; where there is none, those on this node
that are terminating and still serve: then the gate fails, but only in part, so that the address
stays until a node with a ready endpoint takes it. With Cluster these are the ready endpoints
anywhere, and those that are terminating and serve where none is ready.

With policy Local a pass after anything else waits until kube-proxy forwards to the endpoints
(`vip_speaker.gates.forwarding`); until then the gate keeps the verdict that it had. It is asked for
ready endpoints only: its word is no to those that are terminating, though it forwards to them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from vip_model.resources.gate import Gate
from vip_model.vocabulary import GateState, Reason
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
        return msgspec.structs.replace(self.verdict, reason=reason)


def judge(service: str, view: ServiceView) -> Verdict:
    """Return the verdict on a Service of that name."""
    if not view.exists:
        return Verdict(state=GateState.FAILING, reason=f"Service {service} does not exist")
    return _judge_local(service, view) if view.local else _judge_cluster(service, view)


def _judge_local(service: str, view: ServiceView) -> Verdict:
    where = f"Service {service} on this node"
    if view.ready_here:
        reason = f"{_endpoints(view.ready_here, 'ready')} of {where}"
        return Verdict(state=GateState.PASSING, reason=reason)
    if view.serving_here:
        serving = _still_serve(view.serving_here)
        reason = f"no ready endpoint of {where}, but {serving} (externalTrafficPolicy Local)"
        return Verdict(state=GateState.FAILING, reason=reason, partial=True)
    if view.ready_nameless:
        reason = (
            f"no ready endpoint of {where}: {_endpoints(view.ready_nameless, 'ready')} without "
            "nodeName, which externalTrafficPolicy Local does not count"
        )
        return Verdict(state=GateState.FAILING, reason=reason, cause=Reason.ENDPOINT_NAMES_NO_NODE)
    reason = f"no ready endpoint of {where} (externalTrafficPolicy Local)"
    return Verdict(state=GateState.FAILING, reason=reason)


def _judge_cluster(service: str, view: ServiceView) -> Verdict:
    if view.ready_anywhere:
        reason = f"{_endpoints(view.ready_anywhere, 'ready')} of Service {service}"
        return Verdict(state=GateState.PASSING, reason=reason)
    none = f"no ready endpoint of Service {service}"
    if view.serving_anywhere:
        reason = f"{none}, but {_still_serve(view.serving_anywhere)}"
        return Verdict(state=GateState.PASSING, reason=reason)
    return Verdict(state=GateState.FAILING, reason=none)


def _endpoints(count: int, kind: str) -> str:
    return f"{count} {kind} {'endpoint' if count == 1 else 'endpoints'}"


def _still_serve(count: int) -> str:
    return f"{_endpoints(count, 'terminating')} still {'serves' if count == 1 else 'serve'}"
