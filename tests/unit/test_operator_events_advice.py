"""Events about advice, missing speakers, and what a new operator does not tell again."""

from __future__ import annotations

from support.operator_facts import WEB, Cluster, events, service
from support.told_events import Crier, held_by_n1
from vip_operator.core.changes import EventType

# --- advice --------------------------------------------------------------------------------------


def test_a_service_that_does_not_exist() -> None:
    """A serviceRef that leads nowhere is a warning, once."""
    crier = Crier(serviceRef={"name": "nginx"})
    expected = "spec.serviceRef.name: there is no Service nginx in the namespace: create it"
    assert crier.hear() == [("NoSuchService", expected)]
    assert crier.hear() == []
    crier.cluster.services = [service()]
    assert crier.hear() == []


def test_other_advice() -> None:
    """What does not hinder is told once, to the VirtualIP that it is about."""
    gate = {"name": "up", "tcpSocket": {"port": 80}}
    crier = Crier(gates=[gate], placement={"maxCandidates": 1})
    crier.cluster.declare("db", addresses=["192.0.2.101"])
    (event,) = events(crier.cluster.round(crier.keeper))
    assert (event.name, event.type, event.reason) == ("web", EventType.WARNING, "Advice")
    assert event.message.startswith("spec.gates[0]: it can never change the winner")


# --- no speakers ---------------------------------------------------------------------------------

NO_QUOTA = "the speakers' pods are refused: no quota"


def crier_without_speakers(trouble: str) -> Crier:
    """Return a crier on a LAN where no speaker is heard."""
    crier = Crier()
    crier.cluster.speakers.clear()
    crier.cluster.speaker_trouble = trouble
    return crier


def test_refused_speakers() -> None:
    """A VirtualIP that nobody can hold for want of speakers tells why, once for each reason."""
    crier = crier_without_speakers(NO_QUOTA)
    (event,) = events(crier.cluster.round(crier.keeper))
    assert (event.type, event.reason) == (EventType.WARNING, "SpeakersRefused")
    assert event.message == f"nobody can hold 192.0.2.100: {NO_QUOTA}"
    assert crier.hear() == []
    crier.cluster.speaker_trouble = "the speakers' pods are refused: PodSecurity"
    assert [reason for reason, _text in crier.hear()] == ["SpeakersRefused"]
    assert crier.hear() == []


def test_refused_speakers_elsewhere() -> None:
    """An address that is held, or could be, is not told of speakers that are missing elsewhere."""
    crier = held_by_n1()
    crier.cluster.speaker_trouble = NO_QUOTA
    assert crier.hear() == []
    crier.cluster.release("n1")
    assert crier.hear() == []


def test_refused_speakers_are_told_again_after_they_were_there() -> None:
    """Once an address had candidates, the same reason is news again."""
    crier = crier_without_speakers(NO_QUOTA)
    crier.hear()
    cluster = Cluster()
    speakers, crier.cluster.speakers = crier.cluster.speakers, cluster.speakers
    assert crier.hear() == []
    crier.cluster.speakers, crier.cluster.routers = speakers, ()
    assert [reason for reason, _text in crier.hear()] == ["SpeakersRefused"]


def test_refused_speakers_are_not_told_again_after_a_restart() -> None:
    """A new operator, which learns the reason only after its first round, does not repeat it."""
    crier = crier_without_speakers(NO_QUOTA)
    crier.hear()
    crier.restart()
    crier.cluster.speaker_trouble = ""
    assert crier.hear() == []
    crier.cluster.speaker_trouble = NO_QUOTA
    assert crier.hear() == []
    crier.cluster.speaker_trouble = "the speakers' pods are refused: PodSecurity"
    assert [reason for reason, _text in crier.hear()] == ["SpeakersRefused"]


def test_another_reason_is_told_although_its_words_were_told_before() -> None:
    """What a new operator says counts as told only if it is the same, not if it is part of it."""
    crier = crier_without_speakers(f"{NO_QUOTA} for pods of this size")
    crier.hear()
    crier.restart()
    crier.cluster.speaker_trouble = NO_QUOTA
    assert [reason for reason, _text in crier.hear()] == ["SpeakersRefused"]


# --- after a restart -----------------------------------------------------------------------------


def test_nothing_is_told_again_after_a_restart() -> None:
    """What was so before, and is in the status, is not told by the next operator."""
    crier = held_by_n1(serviceRef={"name": "nginx"})
    crier.restart()
    assert crier.hear() == []


def test_what_happened_while_no_operator_ran_is_told() -> None:
    """A move that nobody watched is told by the next operator."""
    crier = held_by_n1()
    crier.restart()
    crier.cluster.release("n1")
    crier.cluster.claim("n2")
    assert crier.hear() == [("Moved", "192.0.2.100 moved from n1 to n2 (ActiveDown)")]


def test_advice_on_a_new_edit_is_told_after_a_restart() -> None:
    """An edit that no operator has judged yet gets its warnings."""
    crier = held_by_n1()
    crier.restart()
    crier.cluster.declare(serviceRef={"name": "nginx"})
    assert [reason for reason, _ in crier.hear()] == ["NoSuchService"]


def test_another_object_of_the_same_name_is_new() -> None:
    """A VirtualIP that was deleted and created again is told anew."""
    crier = held_by_n1()
    assert WEB in {each.name for each in crier.cluster.routers}
    crier.cluster.virtual_ips.clear()
    crier.hear()
    crier.cluster.declare()
    assert crier.hear() == [("Bound", "n1 holds 192.0.2.100 (ActiveDown)")]
