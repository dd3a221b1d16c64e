"""What the programs of all demos do alike: refuse politely, play, and remove everything."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from vip_lab.demo.tell import Teller
from vip_lab.lan import ending_on_sigterm
from vip_lab.namespaces import LabError

_TOOLS = ("ip", "nsenter", "sysctl")


class Play(Protocol):
    """A demo from building the stage to removing it."""

    def __call__(self, teller: Teller, *, keep_running: bool) -> bool:
        """Return whether every act did what it should; wait for Ctrl-C first if it is kept."""


def run(title: str, play: Play, why_not: Callable[[], str | None]) -> int:
    """Run a demo and return the exit status: 0 if every act did what it should.

    Args:
        title: heading of its output.
        play: the demo.
        why_not: says why it cannot run here, None if it can.
    """
    reason = _why_no_lab() or why_not()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    keep_running = "--keep" in sys.argv[1:] or os.environ.get("KEEP", "") not in {"", "0"}
    teller = Teller()
    teller.heading(title)
    try:
        with ending_on_sigterm():
            return 0 if play(teller, keep_running=keep_running) else 1
    except KeyboardInterrupt:
        print("\nEnded; everything was removed.")
        return 0 if keep_running else 130
    except LabError as error:
        print(f"The demo cannot run here: {error}", file=sys.stderr)
        return 1


def keep(commands: Sequence[str], teller: Teller) -> None:
    """Leave it running until Ctrl-C, and say how to look at it."""
    teller.say("It goes on running (KEEP). In another terminal, as root, try:")
    for text in commands:
        print(f"    {text}")
    teller.say("Press Ctrl-C to end it and remove everything.")
    while True:
        signal.pause()


def _why_no_lab() -> str | None:
    """Return why no LAN can be made here, in one sentence; None if one can."""
    if os.geteuid() != 0:
        return "The demo makes network namespaces and needs root: run it with sudo."
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"The demo needs the commands {', '.join(missing)}: `make setup` installs them."
    return None
