"""The CustomResourceDefinitions, made from the types. Pure; `make crds` writes them to crds/.

`python -m vip_model.schema.crd` prints them as JSON, one per line.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from vip_model.resources.base import GROUP, VERSION, Part
from vip_model.resources.pool import VirtualIPPool
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema import crd_rules
from vip_model.schema.fields import fields_of
from vip_model.schema.openapi import Rules, object_schema, rules_schema

_KUBERNETES_OWN = ("apiVersion", "kind", "metadata")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of `kubectl get`; wide ones only with -o wide."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def schema(self) -> dict[str, Any]:
        column = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return {**column, "priority": 1} if self.wide else column


@dataclass(frozen=True, slots=True)
class _Resource:
    """What a CRD says besides the type.

    Attributes:
        type: the type of the objects.
        plural: name in URLs.
        short_name: for kubectl.
        scope: Namespaced or Cluster.
        columns: of `kubectl get`.
        rules: CEL rules by path.
        by_users: users write the objects, not the system.
    """

    type: type[Part]
    plural: str
    short_name: str
    scope: str
    columns: tuple[_Column, ...]
    rules: Rules
    by_users: bool = False


_AGE = _Column("Age", ".metadata.creationTimestamp", "date")


def _condition(name: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{name}")].{field}'


_RESOURCES = (
    _Resource(
        VirtualIP,
        plural="virtualips",
        short_name="vip",
        scope="Namespaced",
        columns=(
            _Column("Address", ".status.addressSummary"),
            _Column("Active", ".status.activeNode"),
            _Column("Ready", _condition("Ready", "status")),
            _Column("Reason", _condition("Ready", "reason")),
            _AGE,
            _Column("Accepted", _condition("Accepted", "reason"), wide=True),
            _Column("Group", ".spec.group", wide=True),
            _Column("Service", ".spec.serviceRef.name", wide=True),
            _Column("VRID", ".status.routers[0].virtualRouterID", "integer", wide=True),
            _Column("Interface", ".status.routers[0].interface", wide=True),
            _Column("Candidates", ".status.candidates.total", "integer", wide=True),
            _Column("Standby", ".status.candidates.standby", "integer", wide=True),
        ),
        rules=crd_rules.VIRTUAL_IP,
        by_users=True,
    ),
    _Resource(
        VirtualIPPool,
        plural="virtualippools",
        short_name="vippool",
        scope="Cluster",
        columns=(_Column("Used", ".status.used", "integer"), _AGE),
        rules=crd_rules.VIRTUAL_IP_POOL,
        by_users=True,
    ),
    _Resource(
        VirtualRouter,
        plural="virtualrouters",
        short_name="viprouter",
        scope="Cluster",
        columns=(
            _Column("VRID", ".spec.instances[0].virtualRouterID", "integer"),
            _Column("First", ".spec.candidates[0].node"),
            _Column("Retired", ".spec.retired", "boolean"),
            _AGE,
            _Column("Network", ".spec.instances[0].network", wide=True),
            _Column(
                "Interval", ".spec.timing.advertisementIntervalMilliseconds", "integer", wide=True
            ),
            _Column("Revision", ".spec.revision", "integer", wide=True),
        ),
        rules={},
    ),
    _Resource(
        Speaker,
        plural="speakers",
        short_name="vipspeaker",
        scope="Cluster",
        # A column shows one value; most nodes have one interface that counts.
        columns=(
            _Column("Interface", ".status.interfaces[0].name"),
            _Column("Subnet", ".status.interfaces[0].subnets[0]"),
            _AGE,
        ),
        rules={},
    ),
)


def definitions() -> Mapping[str, dict[str, Any]]:
    """Return every CustomResourceDefinition by the name of its file without a suffix."""
    return {resource.plural: _definition(resource) for resource in _RESOURCES}


def _definition(resource: _Resource) -> dict[str, Any]:
    kind = resource.type.__name__
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [column.schema() for column in resource.columns],
        "schema": {"openAPIV3Schema": _root_schema(resource)},
    }
    if "status" in fields_of(resource.type):
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": resource.scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": resource.plural,
                "singular": kind.lower(),
                "shortNames": [resource.short_name],
                "categories": ["vips"],
            },
            "versions": [version],
        },
    }


def _root_schema(resource: _Resource) -> dict[str, Any]:
    schema = object_schema(resource.type, resource.rules, by_users=resource.by_users)
    properties = {
        name: below for name, below in schema["properties"].items() if name not in _KUBERNETES_OWN
    }
    return {
        "type": "object",
        "description": schema["description"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            **properties,
        },
        "required": [name for name in schema["required"] if name not in _KUBERNETES_OWN],
        **rules_schema(resource.rules, ""),
    }


if __name__ == "__main__":
    for definition in definitions().values():
        sys.stdout.write(msgspec.json.encode(definition).decode() + "\n")
