"""What happens in the demo without Kubernetes, act by act."""

from __future__ import annotations

import time

from vip_lab.client import answers
from vip_lab.demo.act import ALLOWANCE_MS, Act, Ends, NotAsItShouldError, no_gap
from vip_lab.demo.bare_metal.stage import HOSTS, HostsStage
from vip_lab.demo.page import await_page, ms_since
from vip_lab.wait import throughout, until

NEW_ADDRESS = "192.0.2.101"
LIFETIME_MARGIN_SECONDS = 1.5

_WATCHED_SECONDS = 1.5  # longer than an advertisement interval


def _web_server_stops(stage: HostsStage, holder: str) -> str:
    stage.web[holder].stop()
    after = stage.await_move(holder)
    return f"The page now comes from {await_page(stage.client, stage.address, after)}."


def _speaker_stops(stage: HostsStage, holder: str) -> str:
    began = time.monotonic()
    status = stage.fleet[holder].stop()
    if status != 0:
        raise NotAsItShouldError(f"the speaker ended with status {status}")
    return f"It ended after {ms_since(began):.0f} ms with status 0."


def _engine_killed(stage: HostsStage, holder: str) -> str:
    speaker = stage.fleet[holder]
    old_pid = speaker.kill_role("engine")
    new_pid = speaker.await_new("engine", old_pid)
    until("the new engine to be Active", lambda: speaker.state(stage.router) == "Active", 5.0)
    return f"Process {old_pid} was replaced by {new_pid}, which went on as Active."


def _everything_killed(stage: HostsStage, holder: str) -> str:
    began = time.monotonic()
    stage.fleet[holder].kill()
    down_seconds = (stage.crash_bound(holder).ms - ALLOWANCE_MS) / 1000
    allowed_seconds = max(3.0, down_seconds) + LIFETIME_MARGIN_SECONDS
    address = stage.example.address
    host = stage.lan[holder]
    until(f"{holder}'s kernel to remove {address}", lambda: not host.holds(address), 20.0)
    removed_seconds = ms_since(began) / 1000
    if removed_seconds > allowed_seconds:
        raise NotAsItShouldError(
            f"the address stayed on {holder} for {removed_seconds:.1f} s, "
            f"not {allowed_seconds:.1f} s at most"
        )
    return f"The kernel of {holder} removed the address after {removed_seconds:.1f} s."


def _link_cut(stage: HostsStage, holder: str) -> str:
    stage.lan.cut(holder)
    after = stage.await_move(holder)
    return f"The page now comes from {await_page(stage.client, stage.address, after)}."


def _link_returns(stage: HostsStage, holder: str) -> str:
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


def _file_edited(stage: HostsStage, _holder: str) -> str:
    began = time.monotonic()
    stage.fleet.write(stage.example.with_address(NEW_ADDRESS))
    page = until(f"{NEW_ADDRESS} to answer", lambda: answers(stage.client, NEW_ADDRESS), 10.0)
    return f"{NEW_ADDRESS} answered after {ms_since(began):.0f} ms: {page}"


def _start_web_server(stage: HostsStage, holder: str) -> str:
    stage.web[holder].start()
    return ""


def _start_speaker(stage: HostsStage, holder: str) -> str:
    stage.fleet[holder].start()
    return ""


ACTS: tuple[Act[HostsStage], ...] = (
    Act(
        title="web server of {0} stops",
        story="The web server of {0}, which holds the address, is stopped. A host that cannot "
        "serve must not keep it: its check fails, it resigns at once, and a healthy host takes "
        "over. Echo requests notice nothing; connections are refused until the check has noticed.",
        ends=Ends.ELSEWHERE,
        begin=HostsStage.settled,
        play=_web_server_stops,
        bound=HostsStage.check_bound,
        repair=_start_web_server,
    ),
    Act(
        title="speaker of {0} stops",
        story="The speaker of {0} is stopped as for an upgrade (SIGTERM). It resigns, and keeps "
        "the address until the next host has bound it: nothing is lost.",
        ends=Ends.ELSEWHERE,
        begin=HostsStage.settled,
        play=_speaker_stops,
        bound=no_gap,
        repair=_start_speaker,
    ),
    Act(
        title="engine of {0} killed",
        story="The engine of {0}, the process that speaks VRRP, is killed (SIGKILL). Its "
        "supervisor starts it again, and it goes on as Active before the others miss an advert.",
        ends=Ends.WHERE_IT_WAS,
        begin=HostsStage.settled,
        play=_engine_killed,
        bound=no_gap,
    ),
    Act(
        title="all of {0} killed",
        story="Every process of {0}'s speaker is killed at once, so nobody is left to clean up. "
        "Another host takes over, and {0}'s kernel removes the address by itself, since nobody "
        "renews it.",
        ends=Ends.ELSEWHERE,
        begin=HostsStage.settled,
        play=_everything_killed,
        bound=HostsStage.crash_bound,
        repair=_start_speaker,
    ),
    Act(
        title="link of {0} cut",
        story="The cable of {0} is pulled. {0} can tell no other host, so the others have to "
        "wait until three adverts have stayed away.",
        ends=Ends.ELSEWHERE,
        begin=HostsStage.settled,
        play=_link_cut,
        bound=HostsStage.crash_bound,
    ),
    Act(
        title="the link comes back",
        story="The cable is plugged in again. The address stays with {0} (preemption: Never), and "
        "there are never two holders.",
        ends=Ends.WHERE_IT_WAS,
        begin=HostsStage.await_holder,
        play=_link_returns,
        bound=no_gap,
    ),
    Act(
        title="an address is added",
        story=f"vip.yaml is edited on every host: {NEW_ADDRESS} is added. The speakers follow "
        "without a restart; {0} holds both, and the first one loses nothing.",
        ends=Ends.WHERE_IT_WAS,
        begin=HostsStage.settled,
        play=_file_edited,
        bound=no_gap,
    ),
)
