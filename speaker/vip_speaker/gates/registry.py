"""The kinds of gates that a speaker can run: every module of this package that has a KIND.

A new kind is one module here with its test, and its fields in `vip_model.resources.gate`, where a
mark beside them says that it is built. The module gives:

- `KIND`: the kind in the spelling of the manifest, such as `httpGet`;
- `create(gate, on_change, site)`: a `RunningGate` for a gate of that kind, not started yet, that
  calls `on_change` when its verdict has changed. The site says where the gate stands; kinds that
  the model marks with `cluster` are created only where the site has surroundings.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from vip_model.resources.gate import CLUSTER_GATE_KINDS, Gate
from vip_model.vocabulary import GateState
from vip_speaker import gates
from vip_speaker.gates.constant import ConstantGate
from vip_speaker.gates.surroundings import NOWHERE, Site
from vip_speaker.gates.verdict import Tally
from vip_speaker.messages import Verdict


class RunningGate(Protocol):
    """A gate at work."""

    @property
    def verdict(self) -> Verdict:
        """The verdict now."""

    @property
    def tally(self) -> Tally | None:
        """The counts behind the verdict, if it is made by counting."""

    def start(self) -> None:
        """Begin; called once, in the running loop."""

    async def stop(self) -> None:
        """End and give everything back."""


class GateModule(Protocol):
    """What a module of this package gives to be found."""

    KIND: str

    def create(self, gate: Gate, on_change: Callable[[], None], site: Site, /) -> RunningGate:
        """Return a gate that has not been started."""


def kinds() -> frozenset[str]:
    """Return the kinds that this speaker can run."""
    return frozenset(modules())


def create(gate: Gate, on_change: Callable[[], None], site: Site = NOWHERE) -> RunningGate:
    """Return a gate that has not been started; without a cluster, one that needs it is constant.

    Raises:
        KeyError: there is no such kind; the plan refuses those.
    """
    assert gate.kind is not None
    if gate.kind in CLUSTER_GATE_KINDS and site.surroundings is None:
        reason = f"{gate.kind} needs Kubernetes and does not count without"
        return ConstantGate(Verdict(state=GateState.NOT_APPLICABLE, reason=reason))
    return modules()[gate.kind].create(gate, on_change, site)


@functools.cache
def modules() -> Mapping[str, GateModule]:
    """Return the module of each kind."""
    found: dict[str, GateModule] = {}
    for info in pkgutil.iter_modules(gates.__path__, f"{gates.__name__}."):
        module = importlib.import_module(info.name)
        if hasattr(module, "KIND"):
            found[module.KIND] = cast("GateModule", module)
    return found
