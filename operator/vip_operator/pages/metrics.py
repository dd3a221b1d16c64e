"""A report in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from vip_model.__about__ import __version__
from vip_operator.pages.report import Report

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(report: Report) -> bytes:
    """Return the metrics of one moment."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Collector(report))
    return generate_latest(registry)


class _Collector(Collector):
    """Makes every family anew, so that what is gone leaves nothing behind."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        yield InfoMetricFamily(
            "vip_operator_build", "Version of the operator", value={"version": __version__}
        )
        yield from self._process()
        yield from self._cluster()

    def _process(self) -> Iterator[Metric]:
        report, tally = self._report, self._report.tally
        yield GaugeMetricFamily(
            "vip_operator_leader", "1 while this operator writes", value=float(report.is_leader)
        )
        yield CounterMetricFamily(
            "vip_operator_rounds", "Rounds of planning", value=float(tally.rounds)
        )
        yield SummaryMetricFamily(
            "vip_operator_round_seconds",
            "How long a round of planning takes",
            count_value=tally.rounds,
            sum_value=tally.round_seconds,
        )
        yield CounterMetricFamily(
            "vip_operator_round_errors",
            "Rounds that an error of the operator ended",
            value=float(tally.errors),
        )
        writes = CounterMetricFamily(
            "vip_operator_writes",
            "Writes, by kind of object and outcome: done, refused, failed",
            labels=("object", "outcome"),
        )
        for labels, count in sorted(report.writes.items()):
            writes.add_metric(labels, count)
        yield writes
        yield CounterMetricFamily(
            "vip_operator_conflicts",
            "Writes refused because an object had changed",
            value=float(tally.conflicts),
        )
        yield GaugeMetricFamily(
            "vip_operator_api_trouble",
            "Number of things that do not work with the API server at the moment",
            value=float(len(report.troubles)),
        )
        yield CounterMetricFamily(
            "vip_operator_watch_restarts",
            "How often the watch had to be started anew",
            value=float(report.watch_restarts),
        )

    def _cluster(self) -> Iterator[Metric]:
        conditions = GaugeMetricFamily(
            "vip_operator_virtual_ips",
            "VirtualIPs that have a condition, as of the last round",
            labels=("condition", "status"),
        )
        for labels, count in sorted(self._report.tally.conditions.items()):
            conditions.add_metric(labels, count)
        yield conditions
        used = GaugeMetricFamily(
            "vip_operator_virtual_router_ids_used",
            "How many of the 255 virtual router IDs of a network and family are taken",
            labels=("network", "family"),
        )
        for (network, family), count in sorted(self._report.tally.virtual_router_ids_used.items()):
            used.add_metric((network, str(family)), count)
        yield used
