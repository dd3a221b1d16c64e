"""VirtualIPPool: addresses that VirtualIPs may use."""

from __future__ import annotations

from typing import Annotated

from vip_model.resources.base import LABEL, Limits, Observed, Part, described
from vip_model.resources.metadata import ObjectMeta

_RANGES = Limits(max_length=64, items=Limits(min_length=2, max_length=91))


class NamespaceChoice(Part, frozen=True, kw_only=True):
    """Namespaces that may use a pool."""

    names: Annotated[
        tuple[str, ...],
        described("Their names; empty: every namespace.", Limits(max_length=256, items=LABEL)),
    ] = ()


class VirtualIPPoolSpec(Part, frozen=True, kw_only=True):
    """Which addresses, for whom."""

    ranges: Annotated[
        tuple[str, ...],
        described(
            "Subnets (192.0.2.0/24), ranges (192.0.2.10-192.0.2.20) or single addresses.",
            Limits(min_length=1, max_length=64, items=_RANGES.items),
        ),
    ]
    avoid: Annotated[
        tuple[str, ...], described("The same, for addresses that are not given out.", _RANGES)
    ] = ()
    namespaces: Annotated[NamespaceChoice, described("Who may use the pool.")] = NamespaceChoice()


class VirtualIPPoolStatus(Observed, frozen=True, kw_only=True):
    """How much of the pool is used."""

    observed_generation: Annotated[int, described("The generation that this status is of.")] = 0
    used: Annotated[int, described("Addresses in use.")] = 0


class VirtualIPPool(Part, frozen=True, kw_only=True):
    """Addresses that VirtualIPs of some namespaces may use."""

    api_version: str
    kind: str
    metadata: ObjectMeta
    spec: Annotated[VirtualIPPoolSpec, described("Which addresses, for whom.")]
    status: Annotated[VirtualIPPoolStatus, described("How much is used.")] = VirtualIPPoolStatus()

    @property
    def name(self) -> str:
        """Name of the pool."""
        return self.metadata.name
