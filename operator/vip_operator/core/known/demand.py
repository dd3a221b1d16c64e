"""What VirtualIPs ask to know of Pods and Services: nothing else of them is watched. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vip_model.resources.virtual_ip import VirtualIP
from vip_operator.core.known.decode import Place


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for.

    Attributes:
        pod_namespaces: whose Pods.
        services: namespace and name of Services, with their EndpointSlices.
    """

    pod_namespaces: frozenset[str] = frozenset()
    services: frozenset[Place] = frozenset()


def demand_of(virtual_ips: Iterable[VirtualIP]) -> Demand:
    """Return what these VirtualIPs ask for, by their gates and their serviceRef."""
    namespaces, services = set(), set()
    for virtual_ip in virtual_ips:
        namespace, spec = virtual_ip.namespace, virtual_ip.spec
        if spec.service_ref is not None:
            services.add((namespace, spec.service_ref.name))
        for gate in spec.gates:
            if gate.pods is not None:
                namespaces.add(namespace)
            if gate.endpoints is not None:
                services.add((namespace, gate.endpoints.service_ref.name))
    return Demand(frozenset(namespaces), frozenset(services))
