"""Two hosts on a wire: network namespaces without names, gone when the test lets go of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vip_lab.wait import Deadline
from vip_speaker.linux.netlink import Link, NetlinkSocket, force_buffer

_CLONE_NEWNET = 0x40000000
_CAPTURE_BYTES = 4 << 20
_libc = ctypes.CDLL(None, use_errno=True)
_Found = TypeVar("_Found")


def _checked(outcome: int) -> None:
    if outcome != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Host:
    """A network namespace, held by a file descriptor only.

    Sockets and threads that are made inside `entered()` stay in it.
    """

    def __init__(self) -> None:
        home = _current()
        try:
            _checked(_libc.unshare(_CLONE_NEWNET))
            self.fd = _current()
            _checked(_libc.setns(home, _CLONE_NEWNET))
        finally:
            os.close(home)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread into the namespace for a while."""
        home = _current()
        _checked(_libc.setns(self.fd, _CLONE_NEWNET))
        try:
            yield
        finally:
            _checked(_libc.setns(home, _CLONE_NEWNET))
            os.close(home)

    def run(self, *words: str) -> str:
        """Run a command inside and return what it printed."""
        with self.entered():
            return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def ip(self, *words: str) -> str:
        """Run the command ip inside."""
        return self.run("ip", *words)

    def sysctl(self, path: str, value: str) -> None:
        """Set /proc/sys/net/PATH inside."""
        with self.entered():
            Path("/proc/sys/net", path).write_text(value, encoding="ascii")

    def link(self, name: str) -> Link:
        """Return an interface of the namespace."""
        with self.entered(), NetlinkSocket() as lister:
            return next(link for link in lister.dump_links() if link.name == name)

    def is_ready(self) -> bool:
        """Tell whether eth0 has carrier, and what comes later.

        That is its route for IPv6 multicast, and the kernel's word that its addresses are usable.
        """
        return (
            self.link("eth0").carrier
            and "multicast ff00::/8 dev eth0" in self.ip("-6", "route", "show", "table", "all")
            and not self.ip("-6", "address", "show", "dev", "eth0", "tentative")
        )

    def close(self) -> None:
        """Let go of the namespace; the kernel removes it when nothing is inside any more."""
        os.close(self.fd)


@dataclass(frozen=True)
class Lan:
    """`node`, where what is tested runs, and `peer`, joined by their interfaces eth0."""

    node: Host
    peer: Host

    @property
    def index(self) -> int:
        """Index of eth0 on the node."""
        return self.node.link("eth0").index


@contextlib.contextmanager
def lan() -> Iterator[Lan]:
    """Make node (192.0.2.11/24, fe80::11/64) and peer (192.0.2.12/24, fe80::12/64)."""
    with contextlib.ExitStack() as stack:
        node, peer = Host(), Host()
        stack.callback(node.close)
        stack.callback(peer.close)
        for host in (node, peer):
            # No duplicate address detection and no address of the kernel's own making: the
            # addresses are usable at once, and nothing else is there.
            host.sysctl("ipv6/conf/default/accept_dad", "0")
            host.sysctl("ipv6/conf/default/addr_gen_mode", "1")
        there = f"/proc/{os.getpid()}/fd/{peer.fd}"
        node.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", there)
        for host, number in ((node, 11), (peer, 12)):
            host.ip("address", "add", f"192.0.2.{number}/24", "dev", "eth0")
            host.ip("address", "add", f"fe80::{number}/64", "dev", "eth0")
            host.ip("link", "set", "eth0", "up")
        for host in (node, peer):
            until(host.is_ready)
        try:
            yield Lan(node, peer)
        finally:
            node.ip("link", "delete", "eth0")


def until(find: Callable[[], _Found], seconds: float = 5.0) -> _Found:
    """Return the first true answer of `find`, asked again and again until the deadline."""
    deadline = Deadline(seconds)
    while True:
        found = find()
        if found:
            return found
        assert not deadline.is_over(), f"not within {seconds} s"
        time.sleep(0.01)


@contextlib.contextmanager
def frames_on(host: Host, interface: str = "eth0") -> Iterator[Callable[[], list[bytes]]]:
    """Capture what arrives on a host's interface; the yielded function returns what is new."""
    with host.entered():
        capture = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        force_buffer(capture, socket.SO_RCVBUF, _CAPTURE_BYTES)
        capture.bind((interface, 0x0003))
    capture.setblocking(False)

    def taken() -> list[bytes]:
        frames = []
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, (_, _, kind, *_) = capture.recvfrom(65536)
                if kind != socket.PACKET_OUTGOING:
                    frames.append(frame)
        return frames

    with capture:
        yield taken
