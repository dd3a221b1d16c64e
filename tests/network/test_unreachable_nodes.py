"""What the neighbours of a node that is called unreachable hear of it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from ipaddress import IPv4Address
from typing import Any, Self

import pytest

from support.bare_engine import BareEngine, router
from support.network_manifests import NODES, VIP, VIP6
from vip_lab.host import Host
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until
from vip_model.vocabulary import Family
from vip_speaker.linux import frames
from vip_speaker.messages import DesiredInstance, DesiredRouter, WatchedNode, WatchedSource

ROUTER_ID = 51
DEAD = "n3"
NEIGHBOURS = ("n1", "n2")
LIFETIME_SECONDS = 3.0
# From the request to the word, on a machine that has time for it.
WORD_SECONDS = LIFETIME_SECONDS + 2.0
PRIORITIES = dict(zip(NODES, (251, 248, 254), strict=True))

Engines = Mapping[str, BareEngine]


@pytest.fixture
def engines(fresh_lan: Lan, cleanup: ExitStack) -> Engines:
    """An election of both families on three hosts: n3 is Active, and n1 would follow it."""
    made = {name: BareEngine(fresh_lan[name]) for name in NODES}
    for engine in made.values():
        cleanup.callback(engine.end)
        engine.start_and_wait()
    for name in reversed(NODES):
        made[name].desire(election(name))
    made[DEAD].await_state("Active")
    for name in NEIGHBOURS:
        made[name].await_state("Backup")
    return made


def election(name: str) -> DesiredRouter:
    """Return the election as a host takes part in it."""
    made = router(VIP, priority=PRIORITIES[name])
    second = DesiredInstance(
        family=Family.IPV6, virtual_router_id=ROUTER_ID, addresses=[VIP6], interfaces=["eth0"]
    )
    return router(VIP, priority=PRIORITIES[name], instances=[*made.instances, second])


def unreachable(host: Host) -> WatchedNode:
    """Return a host as its neighbours are asked to watch it."""
    sources = [
        WatchedSource(address=host.ipv4, near=VIP),
        WatchedSource(address=host.link_local, interfaces=["eth0"], near=VIP6),
    ]
    return WatchedNode(node=host.name, sources=sources, advertisement_interval_milliseconds=200)


def request(engines: Engines, *askers: str, about: str = DEAD) -> float:
    """Call a host unreachable and return when."""
    for name in askers:
        engines[name].desire(election(name), watch=[unreachable(engines[about].host)])
    return time.monotonic()


def word(engine: BareEngine) -> list[dict[str, Any]]:
    """Return what an engine says of watched nodes."""
    found: list[dict[str, Any]] = engine.status()["watched"]
    return found


def said(heard: bool, node: str = DEAD) -> list[dict[str, Any]]:
    """Return the word on one node."""
    return [{"node": node, "heard": heard}]


def await_word(engine: BareEngine, heard: bool, seconds: float = WORD_SECONDS) -> None:
    """Wait for an engine's word on n3."""
    until(
        f"the word of {engine.host.name}",
        lambda: word(engine) == said(heard),
        seconds,
        show=lambda: word(engine),
    )


def power_off(lan: Lan, engine: BareEngine) -> None:
    """Nothing of the host is there any more."""
    lan.cut(engine.host.name)
    engine.kill()


def test_powered_off(fresh_lan: Lan, engines: Engines, record_property: Any) -> None:
    """Both neighbours say so within the lifetime of its addresses and two seconds."""
    power_off(fresh_lan, engines[DEAD])
    asked = request(engines, *NEIGHBOURS)
    for name in NEIGHBOURS:
        await_word(engines[name], heard=False)
        record_property(name, round(time.monotonic() - asked, 2))


def test_back_again(fresh_lan: Lan, engines: Engines) -> None:
    """Whoever answers again is there again, a second later."""
    fresh_lan.cut(DEAD)
    request(engines, *NEIGHBOURS)
    for name in NEIGHBOURS:
        await_word(engines[name], heard=False)
    fresh_lan.restore(DEAD)
    for name in NEIGHBOURS:
        await_word(engines[name], heard=True)


def test_its_speaker_is_killed(engines: Engines) -> None:
    """The machine answers: a new speaker may be there in a moment."""
    engines[DEAD].kill()
    request(engines, *NEIGHBOURS)
    for name in NEIGHBOURS:
        await_word(engines[name], heard=True)
    throughout(
        "the word of both",
        lambda: all(word(engines[name]) == said(True) for name in NEIGHBOURS),
        WORD_SECONDS,
    )


def test_a_backup_that_says_nothing(engines: Engines) -> None:
    """No agent, and no adverts since it is not Active: its kernel answers."""
    request(engines, DEAD, about="n2")
    until("the word of n3", lambda: word(engines[DEAD]) == said(True, "n2"), WORD_SECONDS)


def test_adverts_are_enough(engines: Engines) -> None:
    """A host that answers no echo is there as long as its engine sends adverts."""
    silence(engines[DEAD].host)
    request(engines, *NEIGHBOURS)
    for name in NEIGHBOURS:
        await_word(engines[name], heard=True)
    throughout(
        "the word of both",
        lambda: all(word(engines[name]) == said(True) for name in NEIGHBOURS),
        WORD_SECONDS,
    )
    engines[DEAD].kill()
    for name in NEIGHBOURS:
        await_word(engines[name], heard=False)


def test_nobody_watches_for_nothing(engines: Engines) -> None:
    """With the request the word ends."""
    request(engines, "n1")
    await_word(engines["n1"], heard=True)
    engines["n1"].desire(election("n1"))
    until("no word", lambda: word(engines["n1"]) == [], 2.0)


def test_a_proxy_answers_for_the_dead(fresh_lan: Lan, engines: Engines, cleanup: ExitStack) -> None:
    """Who says to have the address by ARP, and answers nothing, is no sign of life."""
    about = "n2"  # a Backup: nobody has learned its hardware address from its adverts
    power_off(fresh_lan, engines[about])
    liar = Liar(fresh_lan["client"], fresh_lan[about].ipv4)
    cleanup.enter_context(liar)
    for name in ("n1", DEAD):
        engines[name].host.ip("neighbour", "flush", "dev", "eth0")
    request(engines, "n1", DEAD, about=about)
    for name in ("n1", DEAD):
        until(
            f"the word of {name}",
            lambda name=name: word(engines[name]) == said(False, about),  # type: ignore[misc]
            WORD_SECONDS,
            show=lambda name=name: word(engines[name]),  # type: ignore[misc]
        )
        assert engines[name].host.neighbour_mac(fresh_lan[about].ipv4) == fresh_lan["client"].mac
    assert liar.lies > 0


def test_another_machine_has_its_address(fresh_lan: Lan, engines: Engines) -> None:
    """The hardware address that its adverts came from does not answer, whoever else does."""
    power_off(fresh_lan, engines[DEAD])
    other = fresh_lan["client"]
    other.ip("address", "add", f"{engines[DEAD].host.ipv4}/24", "dev", "eth0")
    other.ip("address", "add", f"{engines[DEAD].host.link_local}/64", "dev", "eth0", "nodad")
    request(engines, *NEIGHBOURS)
    for name in NEIGHBOURS:
        await_word(engines[name], heard=False)


def test_the_own_link_is_down(fresh_lan: Lan, engines: Engines) -> None:
    """Who hears nobody says nothing of anybody; with the link back it hears the node."""
    fresh_lan.cut("n1")
    request(engines, "n1")
    throughout("no word", lambda: word(engines["n1"]) == [], WORD_SECONDS + 1.0)
    fresh_lan.restore("n1")
    await_word(engines["n1"], heard=True)
    fresh_lan.cut("n1")
    until("no word", lambda: word(engines["n1"]) == [], 2 * LIFETIME_SECONDS)
    throughout("no word", lambda: word(engines["n1"]) == [], WORD_SECONDS)


def test_the_own_link_is_back(fresh_lan: Lan, engines: Engines) -> None:
    """A switch may keep it shut for a while: hearing nobody says nothing of anybody yet."""
    power_off(fresh_lan, engines[DEAD])
    fresh_lan.cut("n1")
    request(engines, *NEIGHBOURS)
    fresh_lan.restore("n1")
    await_word(engines["n2"], heard=False)
    # It heard adverts a moment before the cut, and says so until they are as old as that.
    throughout("no word of silence", lambda: word(engines["n1"]) != said(False), WORD_SECONDS)
    assert word(engines["n1"]) == []


def test_a_firewall_of_the_asker(engines: Engines) -> None:
    """Answers are heard ahead of it, and questions that it stops ask nobody."""
    asker = engines["n1"]
    if not has_iptables(asker.host):
        pytest.skip("there is no iptables")
    asker.host.run("iptables", "-I", "INPUT", "-p", "icmp", "-j", "DROP")
    request(engines, "n1", about="n2")
    until("the word of n1", lambda: word(asker) == said(True, "n2"), WORD_SECONDS)


def has_iptables(host: Host) -> bool:
    """Return whether the host can filter."""
    with contextlib.suppress(Exception):
        host.run("iptables", "-L", "-n")
        return True
    return False


def silence(host: Host) -> None:
    """Have a host answer no echo."""
    host.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1", "net.ipv6.icmp.echo_ignore_all=1")


class Liar:
    """A machine that says to have an IPv4 address whenever anybody asks."""

    def __init__(self, host: Host, address: str) -> None:
        self._mac = bytes.fromhex(host.mac.replace(":", ""))
        self._address = IPv4Address(address)
        self._socket = host.open_socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.lies = 0

    def __enter__(self) -> Self:
        self._socket.bind(("eth0", frames.ETH_P_ARP))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        for request_frame in self._requests():
            *_, operation, mac, source, _nobody, target = frames.ARP.unpack_from(request_frame, 14)
            if operation == frames.ARP_REQUEST and target == self._address.packed:
                self._socket.send(
                    frames.arp_frame(
                        frames.ARP_REPLY,
                        source_mac=self._mac,
                        source=self._address,
                        target_mac=mac,
                        target=IPv4Address(source),
                    )
                )
                self.lies += 1

    def _requests(self) -> Iterator[bytes]:
        while not self._ended.is_set():
            if select.select([self._socket], [], [], 0.1)[0]:
                yield self._socket.recv(2048)
