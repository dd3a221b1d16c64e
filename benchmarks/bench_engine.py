"""What an engine costs and how fast it is back.

    python benchmarks/bench_engine.py

Two hosts, with 255 virtual routers at 1 s adverts, then with 100 at 10 ms, which is as much as an
engine accepts. Prints for the engine that is Active for all and for the one that is Backup for all
the share of one core, the memory (PSS) and the adverts a second; then how long a SIGKILLed engine
takes until it is Active again.
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

LOADS = ((255, 1000), (100, 10))  # routers, interval in milliseconds
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
        for engine in (active, backup):
            # Addresses outside the subnet would be refused, so all hosts get a wider one.
            host = engine.host
            host.ip("address", "add", f"10.99.0.{host.mac[-2:]}/16", "dev", "eth0")
            engine.start_and_wait()
        for routers, interval_ms in LOADS:
            _load(active, backup, routers, interval_ms)
        print(f"supervisor: {_pss_mib(active.pid('supervisor')):.1f} MiB")
        backup.end()
        _resume(active)
        active.end()
    return 0


def _load(active: BareEngine, backup: BareEngine, routers: int, interval_ms: int) -> None:
    for engine in (backup, active):
        _unload(engine)
    active.desire(*_routers(routers, interval_ms, 254))
    until("all to settle", lambda: _states(active, routers) == {"Active"}, SETTLED_SECONDS)
    backup.desire(*_routers(routers, interval_ms, 200))
    until("all to settle", lambda: _states(backup, routers) == {"Backup"}, SETTLED_SECONDS)
    engines = {"Active": active, "Backup": backup}
    before = {name: _Reading(engine) for name, engine in engines.items()}
    time.sleep(WATCH_SECONDS)  # the observed time itself
    for name, engine in engines.items():
        now = _Reading(engine)
        seconds = now.at - before[name].at
        cpu_seconds = now.cpu_seconds - before[name].cpu_seconds
        adverts = now.adverts - before[name].adverts
        print(
            f"{name} for {routers} routers at {interval_ms} ms: "
            f"{100 * cpu_seconds / seconds:.1f} % of a core, {adverts / seconds:.0f} adverts/s, "
            f"{1e6 * cpu_seconds / adverts:.0f} µs each, {now.pss_mib:.1f} MiB"
        )


def _unload(engine: BareEngine) -> None:
    engine.desire()
    until("the last load to leave", lambda: not engine.routers(), SETTLED_SECONDS)


class _Reading:
    """What an engine has used and done up to now."""

    def __init__(self, engine: BareEngine) -> None:
        pid = engine.pid("engine")
        counters = [one["counters"] for one in engine.routers()]
        self.at = time.monotonic()
        self.cpu_seconds = _cpu_seconds(pid)
        self.pss_mib = _pss_mib(pid)
        self.adverts = sum(
            one["advertisementsSent"] + one["advertisementsReceived"] for one in counters
        )


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


def _routers(count: int, interval_ms: int, priority: int) -> list[DesiredRouter]:
    return [
        router(
            f"10.99.1.{number}",
            name=f"vip.bench.v{number}",
            display_name=f"bench/v{number}",
            virtual_router_id=number,
            priority=priority,
            advertisement_interval_milliseconds=interval_ms,
        )
        for number in range(1, count + 1)
    ]


def _states(engine: BareEngine, count: int) -> set[str]:
    """Return the states of the routers; an empty set while they are others than so many."""
    found = engine.routers()
    return {one["state"] for one in found} if len(found) == count else set()


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
