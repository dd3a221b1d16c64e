"""What one simulated world is like. Everything is drawn per seed, the probabilities included."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

from vip_model.vocabulary import PreemptionMode
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

# Wishes, not faults: they must not cost the client anything.
ORDERLY = (
    "stop",
    "yield_",
    "service_down",
    "degrade",
    "outage",
    "withdraw",
    "stray_resignation",
    "change_interval",
    "change_priority",
    "change_addresses",
    "change_preemption",
)
FAULTS = (
    "partition",
    "asymmetric_partition",
    "isolate",
    "deaf",
    "mute",
    "lose_family",
    "lose_instance",
    "lossy_spell",
    "kill",
    "kill_shortly",
    "power_off",
    "freeze",
    "stall",
    "link_down",
    "bind_fails",
    "slow_binds",
    "remove_address",
    "change_source",
    "change_wire",
    *ORDERLY,
)
_INTERVALS_MS = (50, 100, 100, 200, 500, 1000, 1000, 1000, 2000)
_HEALTHY_BAND = 100
_TIE_STEPS = 4
_FOCUSED_GAP = 8
_GAPS = {"wild": (1, 15), "sparse": (8, 40), "orderly": (3, 20)}  # intervals between faults


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """One node.

    Attributes:
        name: what it is called.
        host: last part of its own addresses.
        slot: its rank, 0 is first.
        priority: base priority.
        clock_ppm: how much its clock runs fast.
        tie_delay_ns: added to its Skew_Time, where priorities may be equal.
    """

    name: str
    host: int
    slot: int
    priority: int
    clock_ppm: int = 0
    tie_delay_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One world; times in ns, probabilities from 0 to 1.

    Attributes:
        seed: what everything was drawn from.
        nodes: who takes part.
        interval_ns: Advertisement_Interval.
        families: number of instances of the election, 1 or 2.
        preemption: Preempt_Mode of all.
        preemption_delay_ns: for PreemptionMode.DELAYED.
        health_bands: healthy beats failing whatever Preempt_Mode says.
        bootstrap: nobody has ever run the router.
        delay_mean_ns: one-way delay of the link, exponential.
        delay_max_ns: and never longer.
        loss: of a packet on one link.
        duplicate: a packet arrives twice.
        reorder: a packet may be overtaken.
        lateness_mean_ns: between an event and the process that wakes up for it.
        lateness_max_ns: and never longer.
        bind_mean_ns: how long the kernel takes to bind.
        bind_max_ns: and never longer.
        bind_steady: it always takes as long as it does on the average.
        start_delay_ns: so long after its start a claim from silence is provisional or held off.
        adverts_per_turn: how many the engine reads before it looks at anything else.
        gate_period_ns: between two probes of the service.
        fault_gap_ns: mean time between two faults; 0 for none.
        faults: kinds of faults and their weights.
        safety_ns: how long faults happen.
    """

    seed: int
    nodes: tuple[NodeOptions, ...]
    interval_ns: int = SECOND_NS
    families: int = 1
    preemption: PreemptionMode = PreemptionMode.NEVER
    preemption_delay_ns: int = 0
    health_bands: bool = True
    bootstrap: bool = False
    delay_mean_ns: int = MILLISECOND_NS // 5
    delay_max_ns: int = MILLISECOND_NS
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    lateness_mean_ns: int = 0
    lateness_max_ns: int = 0
    bind_mean_ns: int = MILLISECOND_NS
    bind_max_ns: int = 5 * MILLISECOND_NS
    start_delay_ns: int = 0
    adverts_per_turn: int = 64
    bind_steady: bool = False
    gate_period_ns: int = SECOND_NS // 5
    fault_gap_ns: int = 0
    faults: tuple[tuple[str, float], ...] = ()
    safety_ns: int = 10 * SECOND_NS

    def describe(self) -> str:
        """Return every option that was drawn, one to a line."""
        return "\n".join(
            f"  {field.name} = {_readable(field.name, getattr(self, field.name))}"
            for field in fields(self)
        )


def _readable(name: str, value: Any) -> str:
    if name.endswith("_ns"):
        return f"{value / MILLISECOND_NS:g} ms"
    if name == "nodes":
        return ", ".join(
            f"{node.name} (priority {node.priority}, host .{node.host}, "
            f"{node.clock_ppm:+} ppm{_tie(node)})"
            for node in value
        )
    if name == "faults":
        return ", ".join(f"{kind} {weight:.2f}" for kind, weight in value) or "none"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _tie(node: NodeOptions) -> str:
    return f", tie delay {node.tie_delay_ns / MILLISECOND_NS:g} ms" if node.tie_delay_ns else ""


def step_for(interval_ns: int, candidates: int) -> int:
    """Return the points between neighbours (docs/protocol.md, "Priorities, slots and step")."""
    for apart_ms in (10, 5):
        step = -(-apart_ms * MILLISECOND_NS * 256 // interval_ns)
        if (candidates - 1) * step < _HEALTHY_BAND:
            return step
    message = f"{candidates} candidates do not fit at {interval_ns / MILLISECOND_NS:g} ms"
    raise ValueError(message)


def slots(count: int, interval_ns: int = SECOND_NS) -> tuple[NodeOptions, ...]:
    """Return nodes n1, n2, … with the priorities of their slots."""
    step = step_for(interval_ns, count)
    return tuple(
        NodeOptions(name=f"n{slot + 1}", host=11 + slot, slot=slot, priority=254 - slot * step)
        for slot in range(count)
    )


def draw(seed: int, random: Random) -> Options:
    """Return the world of that seed."""
    interval_ns = random.choice(_INTERVALS_MS) * MILLISECOND_NS
    style = random.choices(("slots", "equal", "free", "owner"), (64, 14, 15, 7))[0]
    mood = random.choices(("wild", "sparse", "orderly"), (50, 30, 20))[0]
    rough = 1 if mood == "wild" else 0
    count = random.randint(3, 4 if interval_ns < 100 * MILLISECOND_NS else 5)
    delay_ns = _logarithmic(random, 50_000, min(5 * MILLISECOND_NS, interval_ns // 20))
    lateness_ns = _sometimes(random, 0.5) * _logarithmic(random, 100_000, 3 * MILLISECOND_NS)
    bind_ns = _logarithmic(random, 200_000, 20 * MILLISECOND_NS)
    is_steady = random.random() < 0.3
    bind_ns *= 5 if is_steady else 1
    return Options(
        seed=seed,
        nodes=_draw_nodes(random, style, count, interval_ns),
        interval_ns=interval_ns,
        families=random.choice((1, 1, 2)),
        preemption=random.choice(
            (PreemptionMode.NEVER, PreemptionMode.ALWAYS, PreemptionMode.DELAYED)
        ),
        preemption_delay_ns=random.randint(1, 8) * interval_ns,
        health_bands=style != "free",
        bootstrap=random.random() < 0.2,
        delay_mean_ns=delay_ns,
        delay_max_ns=6 * delay_ns,
        loss=rough * _sometimes(random, 0.5) * random.uniform(0.01, 0.4),
        duplicate=_sometimes(random, 0.5) * random.uniform(0.01, 0.3),
        reorder=rough * _sometimes(random, 0.4) * random.uniform(0.01, 0.3),
        lateness_mean_ns=lateness_ns,
        lateness_max_ns=min(4 * lateness_ns, 8 * MILLISECOND_NS),
        bind_mean_ns=bind_ns,
        bind_max_ns=bind_ns if is_steady else 8 * bind_ns,
        bind_steady=is_steady,
        start_delay_ns=random.choice((0, 6, 12, 30)) * interval_ns,
        adverts_per_turn=random.choice((1, 2, 8, 64)),
        gate_period_ns=min(max(interval_ns // 2, 50 * MILLISECOND_NS), SECOND_NS),
        fault_gap_ns=_logarithmic(random, *(one * interval_ns for one in _GAPS[mood])),
        faults=_draw_faults(random, ORDERLY if mood == "orderly" else FAULTS),
        safety_ns=max(8 * SECOND_NS, random.randint(40, 90) * interval_ns),
    )


def focused(options: Options, faults: tuple[str, ...]) -> Options:
    """Return the same world with these faults only, on a link that loses nothing by itself."""
    return replace(
        options,
        faults=tuple((kind, 1.0) for kind in faults),
        fault_gap_ns=max(options.fault_gap_ns, _FOCUSED_GAP * options.interval_ns),
        loss=0.0,
        reorder=0.0,
    )


def _draw_nodes(
    random: Random, style: str, count: int, interval_ns: int
) -> tuple[NodeOptions, ...]:
    step = step_for(interval_ns, count)
    hosts = random.sample(range(11, 99), count)
    equal = random.randint(155, 254)
    tie_ns = step * interval_ns // 256 if style == "equal" and random.random() < 0.5 else 0
    priorities = {
        "slots": [254 - slot * step for slot in range(count)],
        "equal": [equal] * count,
        "free": sorted((random.randint(1, 254) for _ in range(count)), reverse=True),
        "owner": [255, *(254 - slot * step for slot in range(1, count))],
    }[style]
    return tuple(
        NodeOptions(
            name=f"n{slot + 1}",
            host=hosts[slot],
            slot=slot,
            priority=priorities[slot],
            clock_ppm=random.randint(-10_000, 10_000),
            tie_delay_ns=tie_ns * (hosts[slot] % _TIE_STEPS) // _TIE_STEPS,
        )
        for slot in range(count)
    )


def _draw_faults(random: Random, kinds: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    enabled = tuple(
        (kind, round(random.uniform(0.1, 1.0), 2)) for kind in kinds if random.random() < 0.5
    )
    return enabled or (("stop", 1.0),)


def _logarithmic(random: Random, least: int, most: int) -> int:
    return round(math.exp(random.uniform(math.log(least), math.log(max(least, most)))))


def _sometimes(random: Random, probability: float) -> int:
    return 1 if random.random() < probability else 0
