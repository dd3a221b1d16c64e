"""What the netlink socket does with answers that a real kernel gives only now and then."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from vip_speaker.linux.netlink import AddressOperation, NetlinkError, NetlinkSocket, Operation
from vip_speaker.linux.rtnetlink import NLMSG_DONE, NLMSG_ERROR, RTM_NEWADDR

INTERRUPTED = 0x10
ADDRESS = bytes([2, 32, 0x80, 0, 7, 0, 0, 0, 8, 0, 2, 0])


def message(kind: int, sequence: int, body: bytes, flags: int = 0) -> bytes:
    """Return a netlink message as the kernel would send it."""
    header = (16 + len(body)).to_bytes(4, "little") + kind.to_bytes(2, "little")
    header += flags.to_bytes(2, "little") + sequence.to_bytes(4, "little") + bytes(4)
    return header + body


def address(sequence: int, last_byte: int, flags: int = 0) -> bytes:
    """Return a message about the address 192.0.2.last_byte."""
    return message(RTM_NEWADDR, sequence, ADDRESS + bytes([192, 0, 2, last_byte]), flags)


def acknowledged(sequence: int, number: int = 0) -> bytes:
    """Return an acknowledgement, or a refusal with an error number."""
    refused = (-number).to_bytes(4, "little", signed=True)
    return message(NLMSG_ERROR, sequence, refused + bytes(16))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[NetlinkSocket, socket.socket]]:
    """A netlink socket, and the end at which the test plays the kernel; sequences begin at 1."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    netlink = NetlinkSocket()
    netlink.close()
    ours.settimeout(0.05)
    monkeypatch.setattr(netlink, "_socket", ours)
    with ours, theirs:
        yield netlink, theirs


def test_an_interrupted_list_is_asked_for_again(
    kernel: tuple[NetlinkSocket, socket.socket],
) -> None:
    """A list during which something changed may have holes: it is thrown away and repeated."""
    netlink, answers = kernel
    answers.send(address(1, 1, INTERRUPTED) + message(NLMSG_DONE, 1, bytes(4), INTERRUPTED))
    answers.send(address(2, 2))
    answers.send(message(NLMSG_DONE, 2, bytes(4)))

    assert [one.address for one in netlink.dump_addresses()] == [ip_address("192.0.2.2")]


def test_a_list_that_never_settles_is_an_error(
    kernel: tuple[NetlinkSocket, socket.socket],
) -> None:
    """After eight interrupted lists it gives up instead of going on for ever."""
    netlink, answers = kernel
    for sequence in range(1, 20):
        answers.send(message(NLMSG_DONE, sequence, bytes(4), INTERRUPTED))

    with pytest.raises(NetlinkError) as caught:
        netlink.dump_addresses()

    assert caught.value.errno == errno.EAGAIN


def test_a_list_that_ends_with_an_error(kernel: tuple[NetlinkSocket, socket.socket]) -> None:
    """An error number in the message that ends a list is raised, not taken for the end."""
    netlink, answers = kernel
    body = (-errno.ENODEV).to_bytes(4, "little", signed=True)
    answers.send(address(1, 1) + message(NLMSG_DONE, 1, body))

    with pytest.raises(NetlinkError, match="No such device"):
        netlink.dump_addresses()


def test_each_operation_gets_its_own_answer(kernel: tuple[NetlinkSocket, socket.socket]) -> None:
    """Answers are matched by number, whatever their order, and stray ones are ignored."""
    netlink, answers = kernel
    add = AddressOperation(Operation.ADD, 7, ip_address("192.0.2.100"), 3)
    answers.send(acknowledged(77, errno.EPERM) + acknowledged(3))
    answers.send(acknowledged(2, errno.EEXIST))
    answers.send(acknowledged(1))

    first, second, third = netlink.apply([add, add, add])

    assert first is None
    assert second is not None
    assert second.errno == errno.EEXIST
    assert third is None


def test_a_kernel_that_does_not_answer(kernel: tuple[NetlinkSocket, socket.socket]) -> None:
    """An acknowledgement that never comes ends in an error, not in waiting for ever."""
    netlink, _ = kernel
    add = AddressOperation(Operation.ADD, 7, ip_address("192.0.2.100"), 3)

    with pytest.raises(NetlinkError) as caught:
        netlink.apply([add])

    assert caught.value.errno == errno.ETIMEDOUT


def test_no_operation(kernel: tuple[NetlinkSocket, socket.socket]) -> None:
    """Nothing to do is done without a word to the kernel."""
    netlink, _ = kernel

    assert netlink.apply([]) == []
