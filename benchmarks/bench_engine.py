"""What an engine costs and how fast it is back: 255 virtual routers at 1 s adverts on two hosts.

    python benchmarks/bench_engine.py

Prints the share of one core and the memory (PSS) of an engine that is Active for all and of one
that is Backup for all, and how long a SIGKILLed engine takes until it is Active again.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

from vip_lab.lan import Lan, ending_on_sigterm
from vip_lab.wait import until
from vip_speaker.messages import DesiredRouter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.bare_engine import SHOWN, BareEngine, router

ROUTERS = 255
WATCH_SECONDS = 10.0
RESTARTS = 3
SETTLED_SECONDS = 20.0


def main() -> int:
    """Print one line per figure."""
    if os.geteuid() != 0:
        print("bench_engine: needs root for network namespaces")
        return 0
    with ending_on_sigterm(), Lan(["n1", "n2"]) as lan:
        active, backup = BareEngine(lan["n1"]), BareEngine(lan["n2"])
        _load(active, backup)
        backup.end()
        _resume(active)
        active.end()
    return 0


def _load(active: BareEngine, backup: BareEngine) -> None:
    for engine, priority in ((active, 254), (backup, 200)):
        # Addresses outside the subnet would be refused, so all hosts get a wider one.
        host = engine.host
        host.ip("address", "add", f"10.99.0.{host.mac[-2:]}/16", "dev", "eth0")
        engine.start_and_wait()
        engine.desire(*_routers(priority))
    until("all to settle", lambda: _states(active) == {"Active"}, SETTLED_SECONDS)
    until("all to settle", lambda: _states(backup) == {"Backup"}, SETTLED_SECONDS)
    pids = {"Active": active.pid("engine"), "Backup": backup.pid("engine")}
    before = {name: _cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(WATCH_SECONDS)  # the observed time itself
    for name, pid in pids.items():
        share = 100 * (_cpu_seconds(pid) - before[name]) / WATCH_SECONDS
        print(f"{name} for {ROUTERS} routers: {share:.1f} % of a core, {_pss_mib(pid):.1f} MiB")
    print(f"supervisor: {_pss_mib(active.pid('supervisor')):.1f} MiB")


def _resume(engine: BareEngine) -> None:
    engine.desire(router("192.0.2.100", advertisement_interval_milliseconds=1000))
    engine.await_state("Active")
    taken = []
    for _ in range(RESTARTS):
        began = time.monotonic()
        engine.kill_role("engine")
        until("the engine to resume", lambda: _reason(engine) == "Resumed", 5, every=0.002)
        taken.append(1000 * (time.monotonic() - began))
        time.sleep(1.0)  # a settled router, not a wait
    print(f"SIGKILLed engine Active again after {statistics.median(taken):.0f} ms (median)")


def _routers(priority: int) -> list[DesiredRouter]:
    return [
        router(
            f"10.99.1.{number}",
            name=f"vip.bench.v{number}",
            display_name=f"bench/v{number}",
            virtual_router_id=number,
            priority=priority,
            advertisement_interval_milliseconds=1000,
        )
        for number in range(1, ROUTERS + 1)
    ]


def _states(engine: BareEngine) -> set[str]:
    return {one["state"] for one in engine.routers()}


def _reason(engine: BareEngine) -> str | None:
    found = engine.router(SHOWN)
    return None if found is None else str(found["reason"])


def _cpu_seconds(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pss_mib(pid: int | None) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    sys.exit(main())
