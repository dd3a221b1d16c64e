"""Metadata of objects, as far as it is read."""

from __future__ import annotations

from typing import Annotated

import msgspec

from vip_model.resources.base import Observed, described

DEFAULT_NAMESPACE = "default"


class ObjectMeta(Observed, frozen=True, kw_only=True):
    """Metadata that every object has; what is not read here is left out."""

    name: Annotated[str, described("Name of the object.")]
    namespace: Annotated[str, described("Namespace of the object.")] = ""
    uid: Annotated[str, described("Set by the API server.")] = ""
    resource_version: Annotated[str, described("Set by the API server.")] = ""
    generation: Annotated[int, described("Grows with every change of the spec.")] = 0
    creation_timestamp: Annotated[str, described("RFC 3339; set by the API server.")] = ""
    deletion_timestamp: Annotated[str, described("RFC 3339; set by the API server.")] = ""
    labels: Annotated[dict[str, str], described("Labels.")] = msgspec.field(default_factory=dict)
    annotations: Annotated[dict[str, str], described("Annotations.")] = msgspec.field(
        default_factory=dict
    )


class Condition(Observed, frozen=True, kw_only=True):
    """One condition of an object's status (Kubernetes API conventions)."""

    type: Annotated[str, described("Name of the condition.")]
    status: Annotated[str, described("True, False or Unknown.")]
    reason: Annotated[str, described("Why, in one CamelCase word.")]
    message: Annotated[str, described("Why, for a person to read.")] = ""
    observed_generation: Annotated[int, described("The generation of the spec it judges.")] = 0
    last_transition_time: Annotated[str, described("When status last changed (RFC 3339).")] = ""
