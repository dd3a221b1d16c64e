"""How a transition is called in the log: which router, from what to what, and whose doing. Pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from vip_model.vocabulary import Reason, State
from vip_speaker.messages import DesiredRouter
from vip_speaker.vrrp.actions import StateChanged

# What the reason means where a peer is known.
_PEER_DID: Mapping[str, str] = {
    Reason.ACTIVE_RESIGNED: "{peer} resigned",
    Reason.ACTIVE_DOWN: "{peer} is silent",
    Reason.LOWER_PRIORITY_PREEMPTED: "{peer} has a lower priority",
    Reason.HIGHER_PRIORITY_HEARD: "{peer} comes before this node",
}
# An Active that ends so lost nothing: it was asked to, or another one is better.
_AS_WANTED = frozenset({Reason.STOPPED, Reason.RETIRED, Reason.HIGHER_PRIORITY_HEARD})


def level(change: StateChanged, peer: str) -> int:
    """Return the level: a warning where addresses were lost, here or by a holder that went."""
    if change.previous is State.ACTIVE and change.state is not State.ACTIVE:
        return logging.INFO if change.reason in _AS_WANTED else logging.WARNING
    if change.state is State.ACTIVE and change.reason == Reason.ACTIVE_DOWN and peer:
        return logging.WARNING
    return logging.INFO


def sentence(router: DesiredRouter, change: StateChanged, peer: str) -> str:
    """Return the line.

    Args:
        router: whose transition it is.
        change: the transition.
        peer: who sent the last advert that counted; empty if nobody was heard.
    """
    vrids = list(dict.fromkeys(one.virtual_router_id for one in router.instances))
    noun = "VRID" if len(vrids) == 1 else "VRIDs"
    who = f"{router.display_name} ({noun} {', '.join(map(str, vrids))})"
    did = _PEER_DID.get(change.reason, "")
    why = f"{did.format(peer=peer)} ({change.reason})" if did and peer else change.reason
    return f"{who}: {change.previous.value} to {change.state.value}, {why}"
