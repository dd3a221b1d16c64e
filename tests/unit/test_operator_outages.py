"""What is told when an address moves while the API server is away, and speakers come back late."""

from __future__ import annotations

from support.operator_facts import Cluster, events
from vip_model.vocabulary import Reason
from vip_operator.core.known.heartbeats import Heartbeats
from vip_operator.core.known.round_inputs import Heartbeat
from vip_operator.core.known.snapshot import SpeakerLease
from vip_operator.core.reporting.virtual_ip_status import StatusKeeper


class Watched(Cluster):
    """A cluster whose operator sees Leases and reports as they come, second after second.

    The holder is n1; every speaker renews its Lease every 10 s, each in its own second.
    """

    def __init__(self) -> None:
        super().__init__()
        self.declare()
        self.claim("n1")
        self.start_operator()
        self.versions = dict.fromkeys(self.speakers, 0)
        self.connected = set(self.speakers)
        self.events: list[str] = []
        self.pass_seconds(40)
        assert self.events == ["Bound"]
        self.events.clear()

    def start_operator(self) -> None:
        """Let a new operator take over."""
        self.keeper, self.seen = StatusKeeper(), Heartbeats()

    def heartbeats(self) -> dict[str, Heartbeat]:
        """Return what the operator makes of the Leases."""
        leases = [
            SpeakerLease(node, str(version), applied_revision=1_000_000)
            for node, version in self.versions.items()
        ]
        return dict(self.seen.observe(leases, self.now_ns))

    def pass_seconds(self, count: int) -> None:
        """Let time pass; those that are connected renew their Leases, and the operator looks."""
        for _ in range(count):
            self.wait(1)
            for offset, node in enumerate(self.versions):
                if node in self.connected and (self.seconds + 3 * offset) % 10 == 0:
                    self.versions[node] += 1
            self.look()

    def look(self) -> None:
        """Let the operator look once."""
        self.events += [each.reason for each in events(self.round(self.keeper))]

    def outage(self, seconds: int) -> None:
        """Let nobody reach the API server for so long."""
        self.connected.clear()
        self.pass_seconds(seconds)

    def return_of(self, *nodes: str) -> None:
        """Let speakers reach it again: each renews its Lease at once."""
        for node in nodes:
            self.connected.add(node)
            self.versions[node] += 1


def test_a_move_during_an_outage_whose_end_is_reported_first() -> None:
    """After an outage the report of the old holder's end alone does not say that nobody holds."""
    for outage_seconds in (8, 20, 65):
        watched = Watched()
        watched.outage(outage_seconds)
        watched.return_of("n1", "n3")
        watched.release("n1")
        watched.pass_seconds(20)
        assert watched.events == []
        assert watched.told("Bound") == ("Unknown", Reason.AWAITING_REPORTS)
        watched.return_of("n2")
        watched.claim("n2")
        watched.look()
        assert watched.events == ["Moved"]


def test_a_lease_that_comes_back_before_the_report() -> None:
    """The first renewal after a pause does not say yet that the node's report has come too."""
    watched = Watched()
    watched.outage(65)
    watched.release("n1")
    watched.look()
    watched.return_of("n1", "n2", "n3")
    watched.pass_seconds(5)
    assert watched.events == []
    watched.claim("n2")
    watched.look()
    assert watched.events == ["Moved"]


def test_a_real_vacancy_after_an_outage() -> None:
    """What lasts longer than speakers can be late is told, once."""
    watched = Watched()
    watched.outage(65)
    watched.return_of("n1", "n2", "n3")
    watched.release("n1")
    watched.pass_seconds(25)
    assert watched.events == ["Unbound"]


def test_a_real_vacancy_is_told_with_the_next_renewal_of_all() -> None:
    """Where all report in time it takes no longer than the 10 s in which all Leases are renewed."""
    watched = Watched()
    watched.release("n1")
    watched.look()
    watched.pass_seconds(10)
    assert watched.events == ["Unbound"]


def test_a_node_without_power_holds_up_nothing() -> None:
    """A candidate that had been silent for long beside others is not waited for."""
    watched = Watched()
    watched.connected.remove("n2")
    watched.pass_seconds(40)
    watched.release("n1")
    watched.look()
    watched.pass_seconds(10)
    assert watched.events == ["Unbound"]


def test_a_new_operator_knows_of_no_renewal() -> None:
    """An operator that begins after the end of a claim waits for renewals that it sees itself."""
    watched = Watched()
    watched.start_operator()
    watched.release("n1")
    watched.connected.remove("n2")
    watched.pass_seconds(24)
    assert watched.events == []
    watched.claim("n2")
    watched.look()
    assert watched.events == ["Moved"]


# --- Bound ---------------------------------------------------------------------------------------


def held() -> Cluster:
    """Return a cluster with one VirtualIP, which n1 holds and users know it."""
    cluster = Cluster()
    cluster.declare()
    cluster.claim("n1")
    cluster.round(StatusKeeper())
    return cluster


def test_bound_after_the_end_of_the_last_claim() -> None:
    """Bound is Unknown until every other candidate has said something since, then False."""
    cluster = held()
    keeper = StatusKeeper()
    cluster.round(keeper)
    cluster.release("n1")
    cluster.round(keeper)
    assert cluster.told("Bound") == ("Unknown", Reason.AWAITING_REPORTS)
    assert cluster.told("Ready") == ("True", Reason.AWAITING_REPORTS)
    cluster.silent.update(cluster.speakers)
    cluster.wait(4)
    cluster.round(keeper)
    assert cluster.told("Ready") == ("False", Reason.AWAITING_REPORTS)
    cluster.silent.clear()
    assert cluster.status().active_node == ""
    cluster.silent.add("n3")
    cluster.wait(1)
    assert cluster.round(keeper).changes == ()
    cluster.silent.clear()
    cluster.wait(1)
    cluster.round(keeper)
    assert cluster.told("Bound") == ("False", Reason.ELECTING)


def test_bound_after_a_restart_amid_doubt() -> None:
    """A new operator does not say that nobody holds it before candidates have reported to it."""
    for before in (Reason.HELD, Reason.AWAITING_REPORTS):
        cluster = held()
        keeper = StatusKeeper()
        cluster.round(keeper)
        if before is Reason.AWAITING_REPORTS:
            cluster.release("n1")
            cluster.round(keeper)
        assert cluster.condition("Bound").reason == before
        cluster.release("n1")
        keeper = StatusKeeper()
        cluster.round(keeper)
        assert cluster.told("Bound") == ("Unknown", Reason.AWAITING_REPORTS)
        cluster.wait(1)
        cluster.round(keeper)
        assert cluster.told("Bound") == ("False", Reason.ELECTING)
