"""The kernel chooses adverts: what is for our routers, and everything else."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from support.linux_adverts import FAMILIES, MESSAGE, NODE, PEER, receiver_on, sender_on
from support.linux_lan import Lan, lan, until
from vip_speaker.linux.bpf import Admission

VRIDS = (1, 31, 32, 51, 64, 255)


@pytest.fixture
def wire() -> Iterator[Lan]:
    """A node and a peer."""
    with lan() as made:
        yield made


def heard(wire: Lan, family: int, admission: Admission, *, others: bool) -> list[int]:
    """Return the VRIDs that come through of one advert each, sent in order."""
    with (
        receiver_on(wire.node, family) as receiver,
        sender_on(wire.peer, family, PEER[family]) as sender,
        receiver_on(wire.node, family) as control,
    ):
        receiver.choose(admission, others=others)
        for virtual_router_id in VRIDS:
            sender.send(MESSAGE[:1] + bytes([virtual_router_id]) + MESSAGE[2:])
        arrived = 0

        def all_there() -> bool:
            nonlocal arrived
            arrived += len(control.receive())
            return arrived == len(VRIDS)

        until(all_there)
        return [packet.payload[1] for packet in receiver.receive()]


@FAMILIES
def test_virtual_router_ids_are_chosen(wire: Lan, family: int) -> None:
    """Each advert goes to exactly one of the two."""
    admission = Admission(frozenset({31, 51, 255}))
    assert heard(wire, family, admission, others=False) == [31, 51, 255]
    assert heard(wire, family, admission, others=True) == [1, 32, 64]
    assert heard(wire, family, Admission(), others=True) == list(VRIDS)
    assert heard(wire, family, Admission(), others=False) == []


@FAMILIES
def test_sources_are_chosen(wire: Lan, family: int) -> None:
    """An advert of our VRID from elsewhere is for the others."""
    peer, node = ip_address(PEER[family]), ip_address(NODE[family])
    known = Admission(frozenset({51, 64}), frozenset({node, peer}))
    assert heard(wire, family, known, others=False) == [51, 64]
    unknown = Admission(frozenset({51, 64}), frozenset({node}))
    assert heard(wire, family, unknown, others=False) == []
    assert heard(wire, family, unknown, others=True) == list(VRIDS)


@FAMILIES
def test_one_sender_is_thinned(wire: Lan, family: int) -> None:
    """Of one VRID of one source hardly anything comes; the other VRIDs are not touched."""
    peer = ip_address(PEER[family])
    thinned = Admission(frozenset(VRIDS), None, frozenset({(51, peer)}))
    times = sum(51 in heard(wire, family, thinned, others=False) for _ in range(3))
    assert times <= 2  # one of 64 comes through
    assert set(heard(wire, family, thinned, others=False)) >= set(VRIDS) - {51}
