"""What each part of an installation may ask of the API server: all that it asks, and no more.

The API ring compares this with what operator and agent really ask there.
"""

from __future__ import annotations

from support.chart import Right

_OURS = "vip-operator.io"
_FOLLOW = ("list", "watch")


def _each(group: str, resources: str, *verbs: str) -> set[Right]:
    return {(group, resource, verb) for resource in resources.split() for verb in verbs}


OPERATOR_IN_CLUSTER = (
    _each(_OURS, "virtualips virtualippools speakers virtualrouters", *_FOLLOW)
    | _each(_OURS, "virtualrouters", "create", "patch", "delete")
    | _each(_OURS, "virtualips/status", "patch")
    | _each("", "nodes services", *_FOLLOW)
    | _each("", "services/status", "patch")
    | _each("discovery.k8s.io", "endpointslices", *_FOLLOW)
    | _each("events.k8s.io", "events", "create")
    | _each("apiextensions.k8s.io", "customresourcedefinitions", "get")
)
OPERATOR_IN_NAMESPACE = (
    _each("coordination.k8s.io", "leases", "get", *_FOLLOW, "create", "update")
    | _each("", "configmaps", *_FOLLOW)
    | _each("apps", "daemonsets", *_FOLLOW, "create", "update")
    | _each("events.k8s.io", "events", *_FOLLOW)
)
AGENT_IN_CLUSTER = (
    _each(_OURS, "virtualrouters speakers", *_FOLLOW)
    | _each(_OURS, "speakers", "create")
    | _each(_OURS, "speakers/status", "patch")
    | _each("", "nodes services", *_FOLLOW)
    | _each("discovery.k8s.io", "endpointslices", *_FOLLOW)
)
AGENT_IN_NAMESPACE = _each("coordination.k8s.io", "leases", "get", "create", "update")
POD_GATES = _each("", "pods", *_FOLLOW)
CLEANUP_IN_CLUSTER = (
    _each(_OURS, "virtualrouters speakers", "list", "delete")
    | _each(_OURS, "virtualips", "list")
    | _each(_OURS, "virtualips/status", "patch")
    | _each("", "nodes services", "list")
    | _each("", "services/status", "patch")
)
CLEANUP_IN_NAMESPACE = (
    _each("apps", "deployments/scale", "patch")
    | _each("apps", "daemonsets", "delete")
    | _each("", "pods", "list")
    | _each("coordination.k8s.io", "leases", "list", "delete")
)
