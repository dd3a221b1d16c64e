"""Plays the demo: builds the stage, plays every act, shows the table.

    python -m vip_lab.demo [--keep]      as root; KEEP=1 is the same as --keep

Exits with 0 only if every act did what it should.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass

from vip_lab.client import Probing, fetch
from vip_lab.demo.acts import ACTS, Act, NotAsItShouldError
from vip_lab.demo.stage import EXAMPLE, HOSTS, ROOT, Bound, Example, Stage
from vip_lab.demo.tell import Row, Teller, show_table
from vip_lab.lan import Lan, ending_on_sigterm
from vip_lab.namespaces import LabError
from vip_lab.record import ProbeResult

PROBES_PER_SECOND = 200

_QUIET_SECONDS = 0.5  # probes before and after each act, to see that all is well


def perform(stage: Stage, teller: Teller, number: int, act: Act) -> Row:
    """Tell what comes, play one act and judge it."""
    try:
        before = stage.settled() if act.from_calm else stage.await_holder()
        bound = act.bound(stage, before)
    except (AssertionError, LabError) as error:
        title = act.title.format("the holder")
        teller.say(f"{number}. {title} could not begin: {error}")
        return Row(title, "?", "?", "-", "-", "-", "-", "FAILED")
    title = act.title.format(before)
    teller.heading(f"{number}. {title[0].upper()}{title[1:]}")
    teller.say(act.story.format(before), indent="   ")
    teller.say(f"May take {bound.ms:.0f} ms: {bound.made_of}.", indent="   ")
    seen = _watch(stage, act, before)
    act.repair(stage, before)
    icmp, tcp = seen.results
    problem = seen.problem or _what_is_wrong(seen.results, bound)
    verdict = "FAILED" if problem else "ok"
    teller.say(f"{before} -> {seen.after}. {seen.told}", indent="   ")
    teller.say(f"Echo requests: {icmp}.", indent="   ")
    teller.say(f"TCP connects: {tcp}.", indent="   ")
    teller.judge(verdict, problem)
    return Row(
        *(title, before, seen.after, str(icmp.lost), str(tcp.lost)),
        gap=f"{max(icmp.longest_gap_ms, tcp.longest_gap_ms):.0f}",
        bound=f"{bound.ms:.0f}",
        verdict=verdict,
    )


@dataclass(frozen=True)
class Seen:
    """What an act looked like from outside.

    Attributes:
        after: who holds the address at the end.
        told: what the act itself has to say, in sentences.
        problem: why it did not do what it should; empty if it did.
        results: ICMP and TCP.
    """

    after: str
    told: str
    problem: str
    results: tuple[ProbeResult, ProbeResult]


def _watch(stage: Stage, act: Act, before: str) -> Seen:
    """Play the act while the client probes."""
    address = stage.example.address
    targets = [f"icmp:{address}", f"tcp:{address}:80"]
    told = problem = ""
    with Probing(stage.client, targets, PROBES_PER_SECOND) as probing:
        time.sleep(_QUIET_SECONDS)
        try:
            told = act.play(stage, before)
            wanted = stage.fleet.others(before) if act.moves else [before]
            after = stage.fleet.await_holder(address, wanted, 5.0)
        except (AssertionError, LabError, NotAsItShouldError) as error:
            problem = str(error)
            after = "+".join(stage.lan.holders(address)) or "nobody"
        time.sleep(_QUIET_SECONDS)
    icmp, tcp = (probing.results[target] for target in targets)
    return Seen(after, told, problem, (icmp, tcp))


def _what_is_wrong(results: tuple[ProbeResult, ProbeResult], bound: Bound) -> str:
    for kind, one in zip(("ICMP", "TCP"), results, strict=True):
        if one.longest_gap_ms > bound.ms:
            return f"{kind} was silent for {one.longest_gap_ms:.0f} ms, the bound is {bound.ms:.0f}"
        if bound.lost_max is not None and one.lost > bound.lost_max:
            return f"{one.lost} {kind} probes were lost, none should be"
    return ""


def introduce(stage: Stage, teller: Teller) -> None:
    """Tell what there is, and show that it works."""
    example = stage.example
    teller.say(
        f"{teller.seconds():.1f} s: three hosts ({', '.join(HOSTS)}) and a client share a LAN, "
        "all in network namespaces of this machine. Each host runs a web server and a "
        f"vip-speaker with the same file, {EXAMPLE.relative_to(ROOT)}. It asks for the address "
        f"{example.address} on a host whose web server answers."
    )
    stage.start()
    holder = stage.settled()
    teller.say(f"{teller.seconds():.1f} s: they have elected {holder}.")
    teller.say()
    teller.say(f"The client fetches http://{example.address}/ and gets:")
    teller.quote(fetch(stage.client, example.address))
    teller.say()
    teller.say(f"`vip-speaker status` on {holder} says:")
    answer = stage.fleet[holder].status_command()
    teller.quote(answer.stdout or answer.stderr)
    teller.say()
    teller.say(
        f"Now things go wrong. In each act the client sends {PROBES_PER_SECOND} echo requests and "
        f"{PROBES_PER_SECOND} TCP connects a second to the address. A probe without an answer "
        "within a second is lost; the gap is the longest time without any answer."
    )


def keep(stage: Stage, teller: Teller) -> None:
    """Leave it running until Ctrl-C, and say how to look at it."""
    holder = stage.fleet.holder(stage.example.address) or HOSTS[0]
    speaker, client = stage.fleet[holder], stage.client
    program = ROOT / ".venv" / "bin" / "vip-speaker"
    teller.say("It goes on running (KEEP). In another terminal, as root, try:")
    for text in (
        f"{program} status --socket {speaker.socket}",
        f"ip netns exec {client.namespace} curl http://{stage.example.address}/",
        f"ip netns exec {client.namespace} ping {stage.example.address}",
        f"ip netns exec {speaker.host.namespace} ip address show dev eth0",
        f"tail -f {speaker.host.directory}/speaker.log",
        f"$EDITOR {speaker.manifest}      # on {holder}; each host has its own",
    ):
        print(f"    {text}")
    teller.say("Press Ctrl-C to end it and remove everything.")
    while True:
        signal.pause()


def play(teller: Teller, *, keep_running: bool) -> bool:
    """Build the stage, play every act, show the table. Return whether all did what they should."""
    with Lan([*HOSTS, "client"]) as lan:
        stage = Stage(lan, Example.read())
        try:
            introduce(stage, teller)
        except (AssertionError, LabError, OSError) as error:
            teller.say(f"The address did not come up: {error}")
            print(stage.fleet.last_words())
            return False
        rows = [perform(stage, teller, number, act) for number, act in enumerate(ACTS, start=1)]
        show_table(rows, teller)
        good = all(row.verdict == "ok" for row in rows)
        if not good:
            print(stage.fleet.last_words())
        done = "Every act did what it should" if good else "Not every act did what it should"
        teller.say(f"{done}. That took {teller.seconds():.0f} s.")
        if keep_running:
            keep(stage, teller)
    return good


def why_not() -> str | None:
    """Return why the demo cannot run here, in one sentence; None if it can."""
    if os.geteuid() != 0:
        return "The demo makes network namespaces and needs root: run it with sudo."
    missing = [tool for tool in ("ip", "nsenter", "sysctl") if shutil.which(tool) is None]
    if missing:
        return f"The demo needs the commands {', '.join(missing)}: `make setup` installs them."
    return None


def main() -> int:
    """Run the demo; return 0 if every act did what it should."""
    if (reason := why_not()) is not None:
        print(reason, file=sys.stderr)
        return 1
    keep_running = "--keep" in sys.argv[1:] or os.environ.get("KEEP", "") not in {"", "0"}
    teller = Teller()
    teller.heading("vip-operator on bare metal: one vip.yaml on three hosts")
    try:
        with ending_on_sigterm():
            return 0 if play(teller, keep_running=keep_running) else 1
    except KeyboardInterrupt:
        print("\nEnded; everything was removed.")
        return 0 if keep_running else 130
    except LabError as error:
        print(f"The demo cannot run here: {error}", file=sys.stderr)
        return 1
