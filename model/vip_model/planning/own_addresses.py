"""The addresses that nodes have themselves, as Speakers and Nodes report them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_interface

from vip_model.resources.node import Node
from vip_model.resources.speaker import Speaker
from vip_model.schema.addresses import Address, is_valid, parse_address


def own_addresses(speakers: Iterable[Speaker], nodes: Iterable[Node]) -> dict[Address, str]:
    """Return the name of the node that has an address itself, by address.

    Virtual addresses are none of these: speakers do not report what they have bound.
    """
    own: dict[Address, str] = {}
    for speaker in speakers:
        for text in (one for each in speaker.status.interfaces for one in each.subnets):
            try:
                own.setdefault(ip_interface(text).ip, speaker.metadata.name)
            except ValueError:
                continue  # a report is no reason to fail
    for node in nodes:
        texts = (each.address for each in node.status.addresses)
        own.update({parse_address(text): node.name for text in texts if is_valid(text)})
    return own
