"""Bad input and trouble around a single speaker: it says what is wrong and goes on."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.network_manifests import ROUTER, VIP, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS
from vip_lab.client import get
from vip_lab.lan import Lan
from vip_lab.speaker import Speaker
from vip_lab.wait import throughout, until

INTERVAL_MS = 100
HTTP_PORT = 9112
FOR_EVER = 2**32 - 1
GARBAGE = bytes(range(256)) * 7

SpeakerMaker = Callable[..., Speaker]


@pytest.fixture
def speaker_of(lan: Lan, cleanup: ExitStack) -> SpeakerMaker:
    """Make a speaker with a manifest; it is gone after the test."""

    def make(text: str, name: str = "n1", *options: str) -> Speaker:
        speaker = Speaker(lan[name], *options)
        _remove_files(lan[name].directory)
        cleanup.callback(_forget, lan, name)
        cleanup.callback(speaker.end)
        speaker.write(text)
        return speaker

    return make


def until_holding(lan: Lan, address: str = VIP, name: str = "n1") -> None:
    """Wait until the host has the address."""
    until(f"{address} on {name}", lambda: lan[name].holds(address), SETTLED_SECONDS)


def web(**fields: object) -> str:
    """Return a manifest with one fast VirtualIP."""
    return manifest(virtual_ip(interval_ms=INTERVAL_MS, **fields))  # type: ignore[arg-type]


def test_interface_that_does_not_exist_yet(
    lan: Lan, speaker_of: SpeakerMaker, cleanup: ExitStack
) -> None:
    """The router waits for its interface, says so, and starts when the interface appears."""
    address = "198.51.100.100"
    speaker = speaker_of(web(addresses=[address], vrrp={"interfaces": ["eth9"]}))
    speaker.start()

    def waits() -> bool:
        router = speaker.router(ROUTER)
        return (
            router is not None and router["state"] == "Initialize" and "eth9" in router["message"]
        )

    until("the reason to name the interface", waits, SETTLED_SECONDS, show=speaker.try_status)
    throughout("it waits", waits, 0.5)
    host = lan["n1"]
    host.ip("link", "add", "link", "eth0", "name", "eth9", "type", "macvlan", "mode", "bridge")
    cleanup.callback(host.ip, "link", "delete", "eth9")
    host.ip("address", "add", "198.51.100.1/24", "dev", "eth9")
    host.ip("link", "set", "dev", "eth9", "up")
    until("Active", lambda: speaker.state(ROUTER) == "Active", 5.0, show=speaker.try_status)
    until(
        f"{address} on eth9",
        lambda: address in host.ip("-o", "address", "show", "dev", "eth9"),
        2.0,
    )
    assert speaker.stop() == 0
    assert address not in host.ip("-o", "address", "show", "dev", "eth9")


REFUSED = {
    "network": "192.0.2.0",
    "broadcast": "192.0.2.255",
    "own": "192.0.2.11",
    "nowhere": "203.0.113.5",
    "nowhere6": "2001:db8:ffff::5",
    "own6": "2001:db8::11",
}


def test_addresses_that_do_not_fit_this_host(lan: Lan, speaker_of: SpeakerMaker) -> None:
    """Each is refused with a reason that names it, beside one that works; nothing is touched."""
    documents = [virtual_ip(interval_ms=INTERVAL_MS)]
    documents += [
        virtual_ip(
            name=name, addresses=[address], virtual_router_id=number, interval_ms=INTERVAL_MS
        )
        for number, (name, address) in enumerate(REFUSED.items(), start=60)
    ]
    speaker = speaker_of(manifest(*documents))
    speaker.start()
    until_holding(lan)
    routers = {router["name"]: router for router in speaker.routers()}
    for name, address in REFUSED.items():
        router = routers[f"default/{name}"]
        assert router["state"] == "Initialize", router
        assert address in router["message"], router
    assert len({routers[f"default/{name}"]["message"] for name in REFUSED}) == len(REFUSED)
    for own in (REFUSED["own"], REFUSED["own6"]):
        assert lan["n1"].addresses()[own]["valid_life_time"] == FOR_EVER
    assert speaker.stop() == 0
    assert REFUSED["own"] in lan["n1"].addresses()


def test_check_on_a_host(lan: Lan, speaker_of: SpeakerMaker) -> None:
    """It says beforehand what the engine would refuse, and where the rest would run."""
    speaker = speaker_of(web())
    words = ("check", str(speaker.manifest), "--node", "n1", "--this-host")
    told = speaker.command(*words)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1].split() == [ROUTER, "IPv4", "eth0", lan["n1"].ipv4]
    documents = [
        virtual_ip(name=name, addresses=[address], virtual_router_id=number)
        for number, (name, address) in enumerate(REFUSED.items(), start=60)
    ]
    speaker.write(manifest(*documents))
    told = speaker.command(*words)
    assert told.returncode == 1
    problems = told.stderr.splitlines()
    for name, address in REFUSED.items():
        assert any(f"default/{name} " in line and address in line for line in problems), name


def test_an_address_that_is_already_there_is_left_alone(
    lan: Lan, speaker_of: SpeakerMaker, cleanup: ExitStack
) -> None:
    """A /32 that somebody else has put on the host is neither renewed, shortened nor removed."""
    host = lan["n1"]
    host.ip("address", "add", f"{VIP}/32", "dev", "eth0")
    speaker = speaker_of(web())
    speaker.start()

    def complains() -> bool:
        router = speaker.router(ROUTER)
        return router is not None and VIP in router["message"]

    until("a reason that names the address", complains, SETTLED_SECONDS, show=speaker.try_status)
    assert speaker.state(ROUTER) != "Active"
    assert speaker.stop() == 0
    assert host.addresses()[VIP]["valid_life_time"] == FOR_EVER


BAD_FILES = {
    "no YAML": ("addresses: [", "vip.yaml"),
    "unknown field": (manifest(virtual_ip(vrrp={"virtualRouterIDs": 7})), "virtualRouterIDs"),
    "VRID 256": (manifest(virtual_ip(virtual_router_id=256)), "virtualRouterID"),
    "VRID 0": (manifest(virtual_ip(virtual_router_id=0)), "virtualRouterID"),
    "interval": (manifest(virtual_ip(interval_ms=1)), "advertisementIntervalMilliseconds"),
    "loopback": (manifest(virtual_ip(addresses=["127.0.0.9"])), "127.0.0.9"),
    "multicast": (manifest(virtual_ip(addresses=["224.0.0.9"])), "224.0.0.9"),
    "unspecified": (manifest(virtual_ip(addresses=["0.0.0.0"])), "0.0.0.0"),
    "class E": (manifest(virtual_ip(addresses=["240.0.0.9"])), "240.0.0.9"),
    "IPv4-mapped": (manifest(virtual_ip(addresses=["::ffff:192.0.2.9"])), "::ffff:"),
    "one address twice": (
        manifest(virtual_ip(), virtual_ip(name="other", virtual_router_id=52)),
        VIP,
    ),
    "one VRID twice": (
        manifest(virtual_ip(), virtual_ip(name="other", addresses=["192.0.2.101"])),
        "51",
    ),
}


def test_file_that_turns_invalid_while_running(lan: Lan, speaker_of: SpeakerMaker) -> None:
    """The last good file goes on, the mistake is in log and status, a good file is followed."""
    speaker = speaker_of(web())
    speaker.start()
    until_holding(lan)
    since = _since(speaker)
    for what, (text, word) in BAD_FILES.items():
        before = len(speaker.log())
        speaker.write(text)
        until(
            f"the log to tell of {what} ({word})",
            lambda before=before, word=word: word in speaker.log()[before:],  # type: ignore[misc]
            5.0,
            show=lambda before=before: speaker.log()[before:],  # type: ignore[misc]
        )
        assert lan["n1"].holds(VIP), what
        configuration = json.loads(get(lan["n1"], "127.0.0.1", HTTP_PORT, "/status")[1])
        assert configuration["configuration"]["valid"] is False, what
        assert any(word in one for one in configuration["configuration"]["problems"]), what
    assert _since(speaker) == since
    assert "Traceback" not in speaker.log()
    speaker.write(web(addresses=["192.0.2.101"]))
    until_holding(lan, "192.0.2.101")
    until("the old address to go", lambda: not lan["n1"].holds(VIP), 3.0)


def test_file_that_is_invalid_at_the_start(lan: Lan, speaker_of: SpeakerMaker) -> None:
    """A speaker whose first file is invalid says so, waits, and starts once it is mended."""
    speaker = speaker_of("addresses: [")
    speaker.start()
    until("the log to name the file", lambda: "vip.yaml" in speaker.log(), SETTLED_SECONDS)
    assert speaker.running
    speaker.write(web())
    until_holding(lan)


def test_virtual_ip_removed_from_the_file(lan: Lan, speaker_of: SpeakerMaker) -> None:
    """A valid file that no longer holds a VirtualIP ends it; the other one does not notice."""
    other = virtual_ip(
        name="other", addresses=["192.0.2.101"], virtual_router_id=52, interval_ms=INTERVAL_MS
    )
    speaker = speaker_of(manifest(virtual_ip(interval_ms=INTERVAL_MS), other))
    speaker.start()
    until_holding(lan)
    until_holding(lan, "192.0.2.101")
    since = _since(speaker)
    speaker.write(web())
    until("the removed one to go", lambda: not lan["n1"].holds("192.0.2.101"), 5.0)
    assert speaker.router("default/other") is None
    assert lan["n1"].holds(VIP)
    assert _since(speaker) == since


def test_corrupt_state_and_cache(lan: Lan, speaker_of: SpeakerMaker) -> None:
    """Damaged files of an earlier life are ignored with a warning each."""
    speaker = speaker_of(web())
    speaker.start()
    until_holding(lan)
    assert speaker.stop() == 0
    files = _files(speaker)
    assert len(files) >= 2, files
    for path in files:
        path.write_bytes(GARBAGE)
    before = len(speaker.log())
    speaker.start()
    until_holding(lan)
    warnings = [line for line in speaker.log()[before:].splitlines() if "WARNING" in line]
    for path in files:
        assert any(str(path) in line for line in warnings), (path, warnings)
    assert "Traceback" not in speaker.log()


def test_without_the_capability_for_raw_sockets(speaker_of: SpeakerMaker) -> None:
    """Without CAP_NET_RAW the speaker ends with one clear sentence and a status that is not 0."""
    speaker = speaker_of(web())
    speaker.start(prefix=["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"])
    assert speaker.wait(10.0) != 0
    lines = [line for line in speaker.log().splitlines() if "CAP_NET_RAW" in line]
    assert len(lines) == 1, speaker.log()
    assert "Traceback" not in speaker.log()


def test_second_speaker_on_a_host(lan: Lan, speaker_of: SpeakerMaker) -> None:
    """A second speaker in one network namespace ends at once and names the first one."""
    first = speaker_of(web())
    first.start()
    until_holding(lan)
    since = _since(first)
    second = lan["n1"].start(
        "second",
        [
            *(first.program, "run", "--manifests", str(first.manifest), "--node", "n1"),
            *("--state-directory", str(lan["n1"].directory / "second-state")),
        ],
    )
    assert second.wait(10.0) != 0
    told = second.text()
    assert "Another speaker" in told
    assert str(first.pid("supervisor")) in told
    assert "Traceback" not in told
    assert lan["n1"].holds(VIP)
    assert _since(first) == since


def test_http_port_in_use(lan: Lan, speaker_of: SpeakerMaker) -> None:
    """A taken port costs the HTTP pages until it is free, never the address."""
    host = lan["n1"]
    with host.open_socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", HTTP_PORT))
        taken.listen()
        speaker = speaker_of(web())
        speaker.start()
        until_holding(lan)
        until("the log to name the port", lambda: f":{HTTP_PORT}" in speaker.log(), 5.0)
        line = next(line for line in speaker.log().splitlines() if f":{HTTP_PORT}" in line)
        assert "--http" in line
    until("the page once the port is free", lambda: _healthy(lan), 10.0, every=0.2)


def test_address_removed_by_somebody_else(lan: Lan, speaker_of: SpeakerMaker) -> None:
    """An address that an operator deletes by hand is bound again at once."""
    speaker = speaker_of(web())
    speaker.start()
    until_holding(lan)
    lan["n1"].ip("address", "delete", f"{VIP}/32", "dev", "eth0")
    until("the address again", lambda: lan["n1"].holds(VIP), 1.0)
    assert speaker.state(ROUTER) == "Active"


def test_restart_within_a_moment_keeps_the_address(lan: Lan, speaker_of: SpeakerMaker) -> None:
    """Killed whole and started again at once, the speaker adopts what its earlier life bound."""
    # On a busy machine a start takes seconds; the kernel keeps the address for 9.
    speaker = speaker_of(manifest(virtual_ip(interval_ms=3000)))
    speaker.start()
    until_holding(lan)
    speaker.kill()
    speaker.start()
    throughout("the address stays", lambda: lan["n1"].holds(VIP), 12.0, every=0.05)
    until("Active", lambda: speaker.state(ROUTER) == "Active", 3.0)


def _since(speaker: Speaker) -> str:
    router = speaker.router(ROUTER)
    assert router is not None
    return str(router["since"])


def _files(speaker: Speaker) -> list[Path]:
    directory = speaker.state_directory
    return [path for path in directory.rglob("*") if path.is_file()] if directory.exists() else []


def _remove_files(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            path.unlink()


def _forget(lan: Lan, name: str) -> None:
    """Remove what a killed speaker has left in the kernel: the next test starts from nothing."""
    host = lan[name]
    own = {host.ipv4, host.ipv6, host.link_local}
    for address, entry in host.addresses().items():
        if address not in own:
            host.ip("address", "delete", f"{address}/{entry['prefixlen']}", "dev", "eth0")


def _healthy(lan: Lan) -> bool:
    try:
        return get(lan["n1"], "127.0.0.1", HTTP_PORT, "/healthz")[0] == 200
    except OSError:
        return False
