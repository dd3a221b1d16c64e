"""Plays the demo without Kubernetes: builds the stage, plays every act, shows the table.

    python -m vip_lab.demo.bare_metal [--keep]      as root; KEEP=1 is the same as --keep

Exits with 0 only if every act did what it should.
"""

from __future__ import annotations

from vip_lab.client import fetch
from vip_lab.demo import program
from vip_lab.demo.bare_metal.acts import ACTS
from vip_lab.demo.bare_metal.stage import EXAMPLE, HOSTS, ROOT, Example, HostsStage
from vip_lab.demo.perform import PROBES_PER_SECOND, conclude, perform_all
from vip_lab.demo.tell import Teller
from vip_lab.lan import Lan
from vip_lab.namespaces import LabError

_TITLE = "vip-operator on bare metal: one vip.yaml on three hosts"


def introduce(stage: HostsStage, teller: Teller) -> None:
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


def ways_in(stage: HostsStage) -> list[str]:
    """Return commands that look at what is running."""
    holder = stage.fleet.holder(stage.address) or HOSTS[0]
    speaker, client = stage.fleet[holder], stage.client
    program_path = ROOT / ".venv" / "bin" / "vip-speaker"
    return [
        f"{program_path} status --socket {speaker.socket}",
        f"ip netns exec {client.namespace} curl http://{stage.address}/",
        f"ip netns exec {client.namespace} ping {stage.address}",
        f"ip netns exec {speaker.host.namespace} ip address show dev eth0",
        f"tail -f {speaker.host.directory}/speaker.log",
        f"$EDITOR {speaker.manifest}      # on {holder}; each host has its own",
    ]


def play(teller: Teller, *, keep_running: bool) -> bool:
    """Build the stage, play every act, show the table. Return whether all did what they should."""
    with Lan([*HOSTS, "client"]) as lan:
        stage = HostsStage(lan, Example.read())
        try:
            introduce(stage, teller)
        except (AssertionError, LabError, OSError) as error:
            teller.say(f"The address did not come up: {error}")
            print(stage.fleet.last_words())
            return False
        good = conclude(perform_all(stage, ACTS, teller), teller)
        if not good:
            print(stage.fleet.last_words())
        if keep_running:
            program.keep(ways_in(stage), teller)
    return good


def main() -> int:
    """Run the demo; return 0 if every act did what it should."""
    return program.run(_TITLE, play, lambda: None)
