"""How an EndpointSlice names its Service, and which of its endpoints traffic may go to. Pure."""

from __future__ import annotations

import msgspec

SERVICE_NAME = "kubernetes.io/service-name"


def labels_of(service: str) -> str:
    """Return the label selector of the EndpointSlices of a Service."""
    return f"{SERVICE_NAME}={service}"


class EndpointConditions(msgspec.Struct, frozen=True):
    """Conditions of an endpoint; without ready or serving the API says to take it for given."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None

    @property
    def is_ready(self) -> bool:
        """New connections may go to it."""
        return self.ready is not False and not self.terminating

    @property
    def still_serves(self) -> bool:
        """It is ending, and serves until then."""
        return bool(self.terminating) and self.serving is not False
