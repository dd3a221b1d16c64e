"""The command behind `make cluster-up` and `make cluster-down`.

As root: `python -m vip_lab.cluster up|down|status|images`; `images` makes what nodes hold, so that
a cluster that is started afterwards need not wait, and ends with 3 where no cluster can run at all.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from vip_lab.cluster import images, service, store
from vip_lab.cluster.packages import why_no_images
from vip_lab.cluster.say import say
from vip_lab.lan import ending_on_sigterm
from vip_lab.namespaces import LabError
from vip_lab.wait import NotInTimeError

# Exit status of what this machine cannot do, other than of what it failed to do.
_NOT_HERE = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m vip_lab.cluster", description=__doc__)
    commands = {
        "up": _up,
        "down": _down,
        "status": _status,
        "images": _images,
        "hold": _hold,
    }
    parser.add_argument("command", choices=commands, metavar="up|down|status|images")
    chosen = commands[parser.parse_args(arguments).command]
    try:
        return chosen()
    except (LabError, NotInTimeError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; nothing is left running")
        return 130


def _up() -> int:
    began = time.monotonic()
    with ending_on_sigterm():
        running = service.up()
    say(f"ready after {time.monotonic() - began:.1f} s; it runs until `make cluster-down`")
    print(running.text())
    return 0


def _down() -> int:
    began = time.monotonic()
    if service.down():
        say(f"ended and removed in {time.monotonic() - began:.1f} s")
    else:
        say("none was running")
    return 0


def _status() -> int:
    running = service.contact()
    if running is None:
        say("none is running: `make cluster-up` starts one")
        return 1
    print(running.text())
    return 0


def _images() -> int:
    reason = why_no_images()
    if reason is not None:
        say(f"no images: a cluster {reason}")
        return _NOT_HERE
    with ending_on_sigterm():
        store.golden(images.usual())
    return 0


def _hold() -> int:
    service.hold()
    return 0
