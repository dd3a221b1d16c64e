"""Echo requests as others read them, and answers that count."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.packet import Packet, Raw

from vip_speaker.linux.echo import EchoAnswer, echo_answer, echo_request, ip_packet, new_token

US = {4: ip_address("192.0.2.11"), 6: ip_address("fe80::11")}
THEM = {4: ip_address("192.0.2.12"), 6: ip_address("fe80::12")}
TOKEN = bytes(range(16))
FAMILIES = pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])


def reply(version: int, token: bytes = TOKEN, **changes: object) -> Packet:
    """Return an answer as scapy makes it."""
    identifier, sequence = int.from_bytes(token[:2], "big"), int.from_bytes(token[2:4], "big")
    numbers = {"id": identifier, "seq": sequence} | changes
    source, destination = str(THEM[version]), str(US[version])
    if version == 4:
        return IP(src=source, dst=destination) / ICMP(**({"type": 0} | numbers)) / Raw(token)
    return IPv6(src=source, dst=destination) / ICMPv6EchoReply(**numbers, data=token)


@FAMILIES
def test_a_question_as_others_read_it(version: int) -> None:
    """Addresses, numbers and both checksums are right."""
    message = echo_request(US[version], THEM[version], TOKEN)
    packet = ip_packet(US[version], THEM[version], message)
    layer, kind = (IP, ICMP) if version == 4 else (IPv6, ICMPv6EchoRequest)
    read = layer(packet)

    assert (read.src, read.dst) == (str(US[version]), str(THEM[version]))
    assert (read[kind].type, read[kind].code) == ((8, 0) if version == 4 else (128, 0))
    assert (read[kind].id, read[kind].seq) == (0x0001, 0x0203)
    checksums = [read[kind].chksum if version == 4 else read[kind].cksum]
    remade = layer(packet)
    if version == 4:
        checksums.append(read.chksum)
        del remade.chksum, remade[kind].chksum
    else:
        del remade[kind].cksum
    assert bytes(remade) == packet, checksums


@FAMILIES
def test_an_answer(version: int) -> None:
    """It names who answers and what, padding of a short frame or not."""
    packet = bytes(reply(version))
    assert echo_answer(version, packet) == EchoAnswer(THEM[version], TOKEN)
    assert echo_answer(version, packet + bytes(6)) == EchoAnswer(THEM[version], TOKEN)


@FAMILIES
def test_what_is_no_answer(version: int) -> None:
    """A question, other numbers, another length, a broken checksum, a packet that was cut."""
    good = bytes(reply(version))
    bad = [
        ip_packet(THEM[version], US[version], echo_request(THEM[version], US[version], TOKEN)),
        bytes(reply(version, id=7)),
        bytes(reply(version, seq=7)),
        bytes(reply(version, token=TOKEN + b"x")),
        good[:-1] + bytes([good[-1] ^ 1]),
        *(good[:length] for length in range(len(good))),
    ]
    assert [echo_answer(version, each) for each in bad] == [None] * len(bad)


def test_tokens_are_not_guessed() -> None:
    """No two are the same."""
    assert len({new_token() for _ in range(100)}) == 100
