"""A report in Prometheus' text format."""

from __future__ import annotations

import time

from prometheus_client.parser import text_string_to_metric_families

from support.statuses import router_status, status
from vip_model.vocabulary import Family, GateState
from vip_speaker.agent.metrics import render
from vip_speaker.agent.report import Configuration, GateDetail, Report
from vip_speaker.messages import Status

ROUTER = {
    "node": "n1",
    "router": "shop/web",
    "family": "IPv4",
    "interface": "eth0",
    "virtual_router_id": "51",
}
GATE = GateDetail(
    router="shop/web",
    name="nginx",
    kind="httpGet",
    state=GateState.FAILING,
    reason="HTTP 503",
    since="2026-01-01T00:00:00Z",
)


def samples(engine: Status | None, **configuration: object) -> dict[tuple[str, ...], float]:
    """Return the samples of a report: name and sorted labels to value."""
    report = Report(
        node="n1",
        engine=engine,
        configuration=Configuration(source="vip.yaml", **configuration),  # type: ignore[arg-type]
        gates=[GATE],
    )
    return {
        key(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(render(report).decode())
        for sample in family.samples
    }


def key(name: str, labels: dict[str, str]) -> tuple[str, ...]:
    """Return the key of one sample."""
    return (name, *(f"{label}={value}" for label, value in sorted(labels.items())))


def test_state_is_one_at_the_state_that_holds() -> None:
    """Each of the three states is a series; the one that holds is 1, the others 0."""
    found = samples(status(router_status(state="Backup")))
    values = {
        state: found[key("vip_speaker_router_state", {**ROUTER, "state": state})]
        for state in ("Initialize", "Backup", "Active")
    }

    assert values == {"Initialize": 0, "Backup": 1, "Active": 0}


def test_router_values() -> None:
    """Gauges and counters carry what the engine reported, in base units."""
    found = samples(
        status(
            router_status(effective_priority=154, advertisement_interval_milliseconds=100),
            router_status(family=Family.IPV6, interface="", addresses=[]),
        )
    )
    expected = {
        "vip_speaker_router_priority": 254,
        "vip_speaker_router_effective_priority": 154,
        "vip_speaker_router_advertisement_interval_seconds": 0.1,
        "vip_speaker_router_since_timestamp_seconds": 1767225600.5,
        "vip_speaker_router_addresses": 1,
        "vip_speaker_router_yielding": 0,
        "vip_speaker_router_address_conflict": 0,
        "vip_speaker_router_edit_refused": 0,
        "vip_speaker_transitions_total": 2,
        "vip_speaker_advertisements_sent_total": 12,
        "vip_speaker_advertisements_received_total": 0,
        "vip_speaker_priority_zero_sent_total": 0,
        "vip_speaker_priority_zero_received_total": 1,
    }

    assert {name: found[key(name, ROUTER)] for name in expected} == expected
    second = {**ROUTER, "family": "IPv6", "interface": ""}
    assert found[key("vip_speaker_router_addresses", second)] == 0


def test_drops_carry_their_reason() -> None:
    """Drops of a router and drops that belong to none are told apart."""
    found = samples(status(router_status(), drops={"UnknownVRID": 7}))

    name = "vip_speaker_advertisements_dropped_total"
    assert found[key(name, {**ROUTER, "reason": "Checksum"})] == 3
    assert found[key("vip_speaker_packets_dropped_total", {"reason": "UnknownVRID"})] == 7


def test_gates() -> None:
    """A gate's verdict is 1 at the state that holds."""
    found = samples(None)
    labels = {"node": "n1", "router": "shop/web", "gate": "nginx", "kind": "httpGet"}
    name = "vip_speaker_gate_state"

    assert found[key(name, {**labels, "state": "Failing"})] == 1
    assert found[key(name, {**labels, "state": "Passing"})] == 0
    assert found[key("vip_speaker_gate_since_timestamp_seconds", labels)] == 1767225600


def test_engine_and_configuration() -> None:
    """A missing engine and an invalid configuration are zeros, not missing series."""
    bad = samples(None, revision=3, problems=["vip.yaml: bad"])
    good = samples(status(), revision=3, loaded="2026-01-01T00:00:00Z")

    names = (("vip_speaker_engine_connected",), ("vip_speaker_config_valid",))
    assert [bad[name] for name in names] == [0, 0]
    assert [good[name] for name in names] == [1, 1]
    assert good["vip_speaker_config_loaded_timestamp_seconds",] == 1767225600


def test_a_full_node_renders_in_time() -> None:
    """The metrics of 255 routers are made in well under a second."""
    engine = status(*(router_status(name=f"shop/web{number}") for number in range(255)))
    started = time.perf_counter()
    found = samples(engine)

    assert len(found) > 255 * 14
    assert time.perf_counter() - started < 5


def test_the_api_is_a_metric_only_in_a_cluster() -> None:
    """1 without trouble, 0 with, and no sample at all where there is no API."""
    name = ("vip_speaker_api_connected",)

    assert samples(None, trouble=[])[name] == 1
    assert samples(None, trouble=["connection refused"])[name] == 0
    assert name not in samples(None)
