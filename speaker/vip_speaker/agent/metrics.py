"""A report in Prometheus' text format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from vip_common.timestamps import parsed
from vip_model.__about__ import __version__
from vip_model.vocabulary import NEIGHBOUR_PROBLEMS, GateState
from vip_speaker.agent.report import Report
from vip_speaker.messages import RouterStatus, Status, Turns

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_STATES = ("Initialize", "Backup", "Active")
_ROUTER_LABELS = ("node", "router", "family", "interface", "virtual_router_id")
_ADVERTS = "VRRP advertisements"
# Named as the fields of messages.Counters.
_COUNTERS = (
    ("transitions", "Changes of state"),
    ("advertisements_sent", f"{_ADVERTS} sent"),
    ("advertisements_received", f"{_ADVERTS} accepted"),
    ("priority_zero_sent", f"{_ADVERTS} of priority 0 sent"),
    ("priority_zero_received", f"{_ADVERTS} of priority 0 accepted"),
)


def render(report: Report) -> bytes:
    """Return the metrics of one moment; about 10 ms for a thousand series."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Moment(report))
    return generate_latest(registry)


class _Moment(Collector):
    """The metrics of one report."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        report = self._report
        yield InfoMetricFamily(
            "vip_speaker_build", "What runs here", {"version": __version__, "node": report.node}
        )
        yield _flag(
            "vip_speaker_engine_connected",
            "The engine answers the agent",
            report.engine is not None,
        )
        yield from _configuration(report)
        yield from _gates(report)
        if report.engine is not None:
            yield from _routers(report.engine.node, report.engine.virtual_routers)
            yield _stray_packets(report.engine.drops)
            yield _foreign_routers(report.engine)
            if report.engine.turns is not None:
                yield from _turns(report.engine.turns)
            yield _neighbour_problems(report.engine)


def _flag(name: str, text: str, value: bool) -> Metric:  # noqa: FBT001  a metric's value
    return GaugeMetricFamily(name, text, float(value))


def _configuration(report: Report) -> Iterator[Metric]:
    configuration = report.configuration
    yield _flag(
        "vip_speaker_config_valid",
        "The newest version of the configuration is in force as a whole",
        configuration.valid,
    )
    loaded = GaugeMetricFamily(
        "vip_speaker_config_loaded_timestamp_seconds", "When the configuration in force was read"
    )
    _add_time(loaded, (), configuration.loaded)
    yield loaded
    connected = GaugeMetricFamily(
        "vip_speaker_api_connected",
        "Agent and API server have no trouble with each other",
        labels=(),
    )
    if configuration.trouble is not None:
        connected.add_metric((), float(not configuration.trouble))
    yield connected


def _gates(report: Report) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "vip_speaker_gate_state",
        "Verdict of a gate: 1 at the state that holds",
        labels=("node", "router", "gate", "kind", "state"),
    )
    since = GaugeMetricFamily(
        "vip_speaker_gate_since_timestamp_seconds",
        "Since when the verdict of a gate stands",
        labels=("node", "router", "gate", "kind"),
    )
    for gate in report.gates:
        labels = (report.node, gate.router, gate.name, gate.kind)
        for state in GateState:
            states.add_metric((*labels, state.value), float(gate.state is state))
        _add_time(since, labels, gate.since)
    yield from (states, since)


def _routers(node: str, routers: list[RouterStatus]) -> Iterator[Metric]:
    labelled = [(_labels(node, router), router) for router in routers]
    states = GaugeMetricFamily(
        "vip_speaker_router_state",
        "State of a virtual router: 1 at the state that holds",
        labels=(*_ROUTER_LABELS, "state"),
    )
    for labels, router in labelled:
        for state in _STATES:
            states.add_metric((*labels, state), float(router.state == state))
    yield states
    yield from _router_gauges(labelled)
    yield from _router_counters(labelled)


def _labels(node: str, router: RouterStatus) -> tuple[str, ...]:
    return (node, router.name, router.family, router.interface, str(router.virtual_router_id))


def _router_gauges(labelled: list[tuple[tuple[str, ...], RouterStatus]]) -> Iterator[Metric]:
    since = _gauge("since_timestamp_seconds", "Since when a virtual router is in its state")
    base = _gauge("priority", "Base priority of this node")
    effective = _gauge("effective_priority", "Priority of this node with its gates counted")
    interval = _gauge("advertisement_interval_seconds", "Configured Advertisement_Interval")
    addresses = _gauge("addresses", "Number of addresses")
    yielding = _gauge("yielding", "1 while addresses stay bound until a successor has them")
    conflict = _gauge("address_conflict", "1 while another machine uses an address")
    refused = _gauge("edit_refused", "1 while this node cannot carry out the last edit")
    for labels, router in labelled:
        conflict.add_metric(labels, float(bool(router.conflict)))
        refused.add_metric(labels, float(bool(router.not_in_force)))
        _add_time(since, labels, router.since)
        base.add_metric(labels, router.priority)
        effective.add_metric(labels, router.effective_priority)
        interval.add_metric(labels, router.advertisement_interval_milliseconds / 1000)
        addresses.add_metric(labels, len(router.addresses))
        yielding.add_metric(labels, float(router.yielding))
    yield from (since, base, effective, interval, addresses, yielding, conflict, refused)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"vip_speaker_router_{name}", text, labels=_ROUTER_LABELS)


def _router_counters(labelled: list[tuple[tuple[str, ...], RouterStatus]]) -> Iterator[Metric]:
    for name, text in _COUNTERS:
        family = CounterMetricFamily(f"vip_speaker_{name}", text, labels=_ROUTER_LABELS)
        for labels, router in labelled:
            family.add_metric(labels, getattr(router.counters, name))
        yield family
    drops = CounterMetricFamily(
        "vip_speaker_advertisements_dropped",
        f"{_ADVERTS} dropped, by reason",
        labels=(*_ROUTER_LABELS, "reason"),
    )
    for labels, router in labelled:
        for reason, count in router.counters.drops.items():
            drops.add_metric((*labels, reason), count)
    yield drops


def _stray_packets(counted: dict[str, int]) -> Metric:
    family = CounterMetricFamily(
        "vip_speaker_packets_dropped",
        "Packets dropped that belong to no virtual router here, by reason",
        labels=("reason",),
    )
    for reason, count in counted.items():
        family.add_metric((reason,), count)
    return family


def _turns(turns: Turns) -> Iterator[Metric]:
    for name, text, counted in (
        ("turn_cpu_seconds", "Processor time of a turn of the engine's loop", turns.processor),
        ("turn_seconds", "How long a turn of the engine's loop takes", turns.elapsed),
        ("timer_lateness_seconds", "How late the engine looks at a timer", turns.lateness),
    ):
        bounds = [f"{bound / 1000:g}" for bound in counted.bounds_milliseconds] + ["+Inf"]
        sums = list(accumulate(counted.counts))
        yield HistogramMetricFamily(
            f"vip_speaker_{name}",
            text,
            buckets=list(zip(bounds, sums, strict=True)),
            sum_value=counted.sum_milliseconds / 1000,
        )
        yield GaugeMetricFamily(
            f"vip_speaker_longest_{name}",
            f"{text}: the longest of the last one to two minutes",
            counted.recent_longest_milliseconds / 1000,
        )


def _foreign_routers(engine: Status) -> Metric:
    family = GaugeMetricFamily(
        "vip_speaker_foreign_routers",
        "Virtual routers of others that are heard on an interface",
        labels=("interface",),
    )
    heard = Counter(each.interface for each in engine.foreign)
    for interface in sorted({each.name for each in engine.interfaces} | heard.keys()):
        family.add_metric((interface,), heard[interface])
    return family


def _neighbour_problems(engine: Status) -> Metric:
    family = GaugeMetricFamily(
        "vip_speaker_neighbour_problems",
        "Other routers on the link that announce our addresses in another way",
        labels=("router", "problem"),
    )
    found = Counter((each.name, each.problem.value) for each in engine.neighbours)
    names = {each.name for each in engine.virtual_routers}
    for router in sorted(names.union(each.name for each in engine.neighbours)):
        for problem in NEIGHBOUR_PROBLEMS:
            family.add_metric((router, problem.value), found[router, problem.value])
    return family


def _add_time(family: GaugeMetricFamily, labels: tuple[str, ...], text: str) -> None:
    """Add an RFC 3339 time as seconds since the epoch; an empty one adds nothing."""
    moment = parsed(text)
    if moment is not None:
        family.add_metric(labels, moment.timestamp())
