"""What happens in the demo, act by act."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from vip_lab.client import answers
from vip_lab.demo.stage import ALLOWANCE_MS, HOSTS, Bound, Stage
from vip_lab.wait import throughout, until

NEW_ADDRESS = "192.0.2.101"
LIFETIME_MARGIN_SECONDS = 1.5

_WATCHED_SECONDS = 1.5  # longer than an advertisement interval


class NotAsItShouldError(Exception):
    """An act had another outcome than it should have; the text says which."""


@dataclass(frozen=True)
class Act:
    """One thing that happens while the client probes.

    Attributes:
        title: a few words for the table; {0} is the holder.
        story: what is done, why, and what to see; {0} is the holder.
        bound: what may be lost, given the holder.
        play: does it, waits for its end and returns what is worth telling.
        repair: brings the host back afterwards.
        moves: whether the address shall move.
        from_calm: whether all hosts must be well before it begins.
    """

    title: str
    story: str
    bound: Callable[[Stage, str], Bound]
    play: Callable[[Stage, str], str]
    repair: Callable[[Stage, str], None]
    moves: bool
    from_calm: bool = True


def _web_server_stops(stage: Stage, holder: str) -> str:
    stage.web[holder].stop()
    after = stage.await_move(holder)
    return f"The page now comes from {_page_host(stage, after)}."


def _speaker_stops(stage: Stage, holder: str) -> str:
    began = time.monotonic()
    status = stage.fleet[holder].stop()
    if status != 0:
        raise NotAsItShouldError(f"the speaker ended with status {status}")
    return f"It ended after {_ms_since(began):.0f} ms with status 0."


def _engine_killed(stage: Stage, holder: str) -> str:
    speaker = stage.fleet[holder]
    old_pid = speaker.kill_role("engine")
    new_pid = speaker.await_new("engine", old_pid)
    until("the new engine to be Active", lambda: speaker.state(stage.router) == "Active", 5.0)
    return f"Process {old_pid} was replaced by {new_pid}, which went on as Active."


def _everything_killed(stage: Stage, holder: str) -> str:
    began = time.monotonic()
    stage.fleet[holder].kill()
    down_seconds = (stage.crash_bound(holder).ms - ALLOWANCE_MS) / 1000
    allowed_seconds = max(3.0, down_seconds) + LIFETIME_MARGIN_SECONDS
    address = stage.example.address
    host = stage.lan[holder]
    until(f"{holder}'s kernel to remove {address}", lambda: not host.holds(address), 20.0)
    removed_seconds = _ms_since(began) / 1000
    if removed_seconds > allowed_seconds:
        raise NotAsItShouldError(
            f"the address stayed on {holder} for {removed_seconds:.1f} s, "
            f"not {allowed_seconds:.1f} s at most"
        )
    return f"The kernel of {holder} removed the address after {removed_seconds:.1f} s."


def _link_cut(stage: Stage, holder: str) -> str:
    stage.lan.cut(holder)
    after = stage.await_move(holder)
    return f"The page now comes from {_page_host(stage, after)}."


def _link_returns(stage: Stage, holder: str) -> str:
    for name in HOSTS:
        stage.lan.restore(name)
    address = stage.example.address
    throughout(
        f"{address} on {holder} and nowhere else",
        lambda: stage.lan.holders(address) == [holder],
        _WATCHED_SECONDS,
        show=lambda: stage.lan.holders(address),
    )
    stage.settled()
    return "The host that was away waits as a Backup; there was one holder all the time."


def _file_edited(stage: Stage, _holder: str) -> str:
    began = time.monotonic()
    stage.fleet.write(stage.example.with_address(NEW_ADDRESS))
    page = until(f"{NEW_ADDRESS} to answer", lambda: answers(stage.client, NEW_ADDRESS), 10.0)
    return f"{NEW_ADDRESS} answered after {_ms_since(began):.0f} ms: {page}"


def _nothing(_stage: Stage, _holder: str) -> None:
    """Nothing was broken."""


def _start_web_server(stage: Stage, holder: str) -> None:
    stage.web[holder].start()


def _start_speaker(stage: Stage, holder: str) -> None:
    stage.fleet[holder].start()


ACTS = (
    Act(
        "web server of {0} stops",
        "The web server of {0}, which holds the address, is stopped. A host that cannot serve "
        "must not keep it: its check fails, it resigns at once, and a healthy host takes over. "
        "Echo requests notice nothing; connections are refused until the check has noticed.",
        Stage.check_bound,
        _web_server_stops,
        _start_web_server,
        moves=True,
    ),
    Act(
        "speaker of {0} stops",
        "The speaker of {0} is stopped as for an upgrade (SIGTERM). It resigns, and keeps the "
        "address until the next host has bound it: nothing is lost.",
        Stage.no_gap,
        _speaker_stops,
        _start_speaker,
        moves=True,
    ),
    Act(
        "engine of {0} killed",
        "The engine of {0}, the process that speaks VRRP, is killed (SIGKILL). Its supervisor "
        "starts it again, and it goes on as Active before the others miss an advert.",
        Stage.no_gap,
        _engine_killed,
        _nothing,
        moves=False,
    ),
    Act(
        "all of {0} killed",
        "Every process of {0}'s speaker is killed at once, so nobody is left to clean up. Another "
        "host takes over, and {0}'s kernel removes the address by itself, since nobody renews it.",
        Stage.crash_bound,
        _everything_killed,
        _start_speaker,
        moves=True,
    ),
    Act(
        "link of {0} cut",
        "The cable of {0} is pulled. Nothing can be told to anybody, so the others have to wait "
        "until three adverts have stayed away.",
        Stage.crash_bound,
        _link_cut,
        _nothing,
        moves=True,
    ),
    Act(
        "the link comes back",
        "The cable is plugged in again. The address stays with {0} (preemption: Never), and "
        "there are never two holders.",
        Stage.no_gap,
        _link_returns,
        _nothing,
        moves=False,
        from_calm=False,
    ),
    Act(
        "an address is added",
        f"vip.yaml is edited on every host: {NEW_ADDRESS} is added. The speakers follow without "
        "a restart; {0} holds both, and the first one loses nothing.",
        Stage.no_gap,
        _file_edited,
        _nothing,
        moves=False,
    ),
)


def _page_host(stage: Stage, wanted: str) -> str:
    """Return the host whose page the client gets through the address, once it is the new one."""
    address = stage.example.address
    page = until(
        f"the page of {wanted}",
        lambda: (text := answers(stage.client, address)) and f"from {wanted}." in text and text,
        5.0,
    )
    assert isinstance(page, str)
    return wanted


def _ms_since(began: float) -> float:
    return (time.monotonic() - began) * 1000
