"""The nodes that have something behind the gates of an election. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vip_model.planning.drafts import Draft
from vip_model.planning.inputs import PlanInputs, Pod, ServiceEndpoints
from vip_model.planning.selectors import matches
from vip_model.resources.gate import EndpointsCondition, Gate, LabelSelector, ServiceReference
from vip_model.resources.virtual_ip import VirtualIP


class Backends:
    """Pods and endpoints by the node they are on."""

    def __init__(self, inputs: PlanInputs) -> None:
        self._pods: dict[str, list[Pod]] | None = None
        if inputs.pods is not None:
            self._pods = {}
            for pod in inputs.pods:
                self._pods.setdefault(pod.namespace, []).append(pod)
        self._hidden = inputs.hidden_pods
        self._endpoints: dict[tuple[str, str], ServiceEndpoints] | None = None
        if inputs.endpoints is not None:
            self._endpoints = {(one.namespace, one.name): one for one in inputs.endpoints}
        self._services = {(one.namespace, one.name): one for one in inputs.services or ()}
        self._services_known = inputs.services is not None
        self._ready: dict[object, frozenset[str]] = {}

    def nodes(self, draft: Draft, gates: Iterable[Gate]) -> frozenset[str] | None:
        """Return the nodes that satisfy every such gate; None where none tells nodes apart."""
        namespace = draft.members[0].namespace
        found = None
        for gate in gates:
            ready = self._behind(namespace, gate)
            if ready is not None:
                found = ready if found is None else found & ready
        return found

    def missing_service(self, virtual_ip: VirtualIP) -> str | None:
        """Return the name of a Service that serviceRef names and that does not exist."""
        reference = virtual_ip.spec.service_ref
        if reference is None or not self._services_known:
            return None
        known = (virtual_ip.namespace, reference.name) in self._services
        return None if known else reference.name

    def nameless_endpoints(self, virtual_ip: VirtualIP) -> Iterator[str]:
        """Yield the Services behind gates whose ready endpoints count nowhere.

        With externalTrafficPolicy Local these are those that name no node.
        """
        gates = (*virtual_ip.spec.gates, *service_gates([virtual_ip]))
        names = {gate.endpoints.service_ref.name for gate in gates if gate.endpoints is not None}
        for name in sorted(names):
            key = (virtual_ip.namespace, name)
            service, found = self._services.get(key), (self._endpoints or {}).get(key)
            if service is not None and service.local and found is not None and found.nameless:
                yield name

    def _behind(self, namespace: str, gate: Gate) -> frozenset[str] | None:
        if gate.pods is not None and self._pods is not None and namespace not in self._hidden:
            return self._with_pods(namespace, gate.pods.selector)
        if gate.endpoints is not None and self._endpoints is not None:
            key = (namespace, gate.endpoints.service_ref.name)
            service = self._services.get(key)
            if service is not None and service.local:
                found = self._endpoints.get(key)
                return found.ready_nodes if found is not None else frozenset()
        return None

    def _with_pods(self, namespace: str, selector: LabelSelector) -> frozenset[str]:
        key = (namespace, tuple(sorted(selector.match_labels.items())), selector.match_expressions)
        ready = self._ready.get(key)
        if ready is None:
            pods = (self._pods or {}).get(namespace, ())
            ready = frozenset(p.node for p in pods if p.ready and matches(selector, p.labels))
            self._ready[key] = ready
        return ready


def service_gates(virtual_ips: Iterable[VirtualIP]) -> tuple[Gate, ...]:
    """Return the gates that serviceRef brings with it; no gate of a user can have such a name."""
    names = {each.spec.service_ref.name for each in virtual_ips if each.spec.service_ref}
    return tuple(
        Gate(
            name=service_gate_name(name),
            endpoints=EndpointsCondition(service_ref=ServiceReference(name=name)),
        )
        for name in sorted(names)
    )


def service_gate_name(service: str) -> str:
    """Return the name of the gate that serviceRef brings with it, by name of the Service."""
    return f"service/{service}"
