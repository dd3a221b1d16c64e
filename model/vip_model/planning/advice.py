"""What does not hinder but should be known: about VirtualIPs that are accepted. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from vip_model.planning.elections import Election
from vip_model.planning.own_addresses import OwnAddresses
from vip_model.resources.enums import UnlistedNodes
from vip_model.resources.gate import CLUSTER_GATE_KINDS
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import MOST_ITEMS
from vip_model.schema.addresses import normalised
from vip_model.schema.limits import Finding
from vip_model.schema.owner import owner_of
from vip_model.timing import ladder
from vip_model.vocabulary import FailureAction


def for_static_mode(virtual_ip: VirtualIP) -> Iterator[Finding]:
    """Yield one sentence if something of a VirtualIP does not count outside of a cluster."""
    spec = virtual_ip.spec
    fields = ["spec.serviceRef"] if spec.service_ref is not None else []
    fields += [
        f"spec.gates[{number}].{gate.kind}"
        for number, gate in enumerate(spec.gates)
        if gate.kind in CLUSTER_GATE_KINDS
    ]
    if fields:
        what = "it does" if len(fields) == 1 else "they do"
        yield " and ".join(fields), f"without a cluster {what} not count (NotApplicable)"


def for_gates(virtual_ip: VirtualIP) -> Iterator[Finding]:
    """Yield the gates that can never change the winner."""
    vrrp, placement = virtual_ip.spec.vrrp, virtual_ip.spec.placement
    step = ladder(vrrp.advertisement_interval_milliseconds, placement.max_candidates).step
    for number, gate in enumerate(virtual_ip.spec.gates):
        policy = gate.failure_policy
        if policy.action is FailureAction.WITHDRAW:
            continue
        if vrrp.additional_peers and policy.by <= step and not placement.priorities:
            yield (
                f"spec.gates[{number}].failurePolicy.by",
                (
                    f"{policy.by} can never change the winner among our nodes, whose priorities "
                    f"differ by {step}: write more than {step}"
                ),
            )
        if placement.max_candidates == 1 and not vrrp.additional_peers:
            yield (
                f"spec.gates[{number}]",
                (
                    "it can never change the winner, since only one node takes part: raise "
                    "placement.maxCandidates, or choose the action Withdraw"
                ),
            )


def for_hidden_pods(virtual_ip: VirtualIP, hidden: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the gates on pods that cannot be looked at."""
    why = hidden.get(virtual_ip.namespace)
    if why is None:
        return
    for number, gate in enumerate(virtual_ip.spec.gates):
        if gate.pods is not None:
            yield (
                f"spec.gates[{number}].pods",
                f"{why}; until then it does not decide which nodes become candidates",
            )


def for_priorities(virtual_ip: VirtualIP) -> Iterator[Finding]:
    """Yield written priorities that are so close that two nodes may take over at once."""
    placement, vrrp = virtual_ip.spec.placement, virtual_ip.spec.vrrp
    interval = vrrp.advertisement_interval_milliseconds
    needed = -(-5 * 256 // interval)
    written = sorted((each.priority for each in placement.priorities), reverse=True)
    for high, low in itertools.pairwise(written):
        if high - low < needed:
            yield (
                "spec.placement.priorities",
                (
                    f"{high} and {low} are so close that both may become Active for a moment: "
                    f"with adverts every {interval} ms let them differ by {needed} or more"
                ),
            )


def for_own_addresses(virtual_ip: VirtualIP, own: OwnAddresses) -> Iterator[Finding]:
    """Yield the virtual addresses that a node takes for its own, and what to change there."""
    owner = owner_of(virtual_ip.spec.placement)
    for number, address in enumerate(normalised(virtual_ip.spec.addresses)):
        node, listed = own.nodes.get(address), own.kubelets.get(address)
        if node is None or node == owner:
            continue
        if listed is not None:
            text = (
                f"Node {node} lists {address} as its {listed}: start the kubelet of {node} with "
                "--node-ip and an address of the node's own"
            )
        else:
            text = (
                f"{node} has {address} of its own as well: remove it from the network "
                f"configuration of {node}, the speaker adds it where it is held"
            )
        yield f"spec.addresses[{number}]", text


def for_documents(election: Election) -> Iterator[Finding]:
    """Yield the nodes that a placement names and no Node document describes."""
    contest = election.contest
    known = {each.node: each.sources for each in election.router.spec.candidates}
    missing = [node for node in contest.named if not known.get(node)]
    if not missing:
        return
    nodes = ", ".join(missing)
    if contest.placement.node_selector:
        text = f"no Node document with the labels of nodeSelector is there for {nodes}"
    else:
        text = (
            f"no Node document gives an address of {nodes}, so that adverts of anyone on the "
            "link are obeyed: add one"
        )
    yield "spec.placement", text


def for_election(election: Election) -> Iterator[Finding]:
    """Yield what follows from all nodes together."""
    contest, router = election.contest, election.router
    if router.spec.unlisted_nodes is UnlistedNodes.BY_HASH and not router.spec.candidates:
        yield (
            "spec.placement.preferredNodes",
            (
                "no node is named: each draws its slot by hash, and two may draw the same one; "
                "name the nodes here, or add Node documents"
            ),
        )
    yield from _unlisted_sources(election)
    left_out = len(contest.eligible) - len(router.spec.candidates)
    if contest.ladder.slots < contest.placement.max_candidates and left_out > 0 and contest.open:
        interval = router.spec.timing.advertisement_interval_milliseconds
        yield (
            "spec.placement.maxCandidates",
            (
                f"with adverts every {interval} ms only {contest.ladder.slots} candidates fit far "
                f"enough apart: {left_out} nodes take no part"
            ),
        )


def _unlisted_sources(election: Election) -> Iterator[Finding]:
    """Yield the nodes with more addresses than can be listed."""
    for candidate in election.router.spec.candidates:
        sources = election.contest.eligible.get(candidate.node, ())
        if len(set(sources)) > len(set(candidate.sources)):
            yield (
                "spec.vrrp.interfaces",
                (
                    f"{candidate.node} has {len(set(sources))} addresses that adverts can come "
                    f"from, and {MOST_ITEMS} can be listed: adverts of anyone on the link are "
                    "obeyed until it has fewer"
                ),
            )
