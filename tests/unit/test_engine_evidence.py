"""When a watched node counts as there, when as gone, and when nothing is certain."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

import pytest

from vip_speaker.engine.evidence import Event, Evidence, Outcome, Target, Watched

SECOND = 1_000_000_000
LIFETIME = 3 * SECOND
N3 = Target(2, ip_address("192.0.2.3"))
N3_IPV6 = Target(2, ip_address("fe80::3"))
ASKED, FAILED, ANSWERED = Outcome.ASKED, Outcome.FAILED, Outcome.ANSWERED


def watching(*sources: Iterable[Target], lifetime_ns: int = LIFETIME) -> Evidence:
    """Return what watches n3, whose adverts come from there."""
    evidence = Evidence()
    listed = tuple(frozenset(source) for source in sources)
    evidence.watch({"n3": Watched(listed, lifetime_ns)})
    return evidence


@pytest.fixture
def evidence() -> Evidence:
    """Node n3 with one address."""
    return watching([N3])


def ask(
    evidence: Evidence,
    *seconds: float,
    outcome: Outcome = ASKED,
    target: Target = N3,
) -> None:
    """Note questions, or what became of them, at these moments."""
    for each in seconds:
        evidence.take(Event(target, int(each * SECOND), outcome))


def word(evidence: Evidence, seconds: float) -> bool | None:
    """Return what is said of n3 then."""
    return evidence.word(int(seconds * SECOND), "n3")


def test_nothing_is_certain_at_first(evidence: Evidence) -> None:
    """Neither that it is there nor that it is not."""
    assert word(evidence, 0) is None
    assert word(evidence, 100) is None


def test_it_is_gone_after_a_lifetime_of_questions(evidence: Evidence) -> None:
    """Not before, however often it was asked."""
    ask(evidence, 10, 11, 12, 12.9)
    assert word(evidence, 12.99) is None
    assert word(evidence, 13) is False


def test_three_questions_are_the_least(evidence: Evidence) -> None:
    """A few seconds with two questions prove nothing."""
    ask(evidence, 10, 12)
    assert word(evidence, 13) is None
    ask(evidence, 13.1)
    assert word(evidence, 13.2) is False


def test_an_advert_is_enough(evidence: Evidence) -> None:
    """It is there at once, and gone a lifetime after its last sign of life."""
    assert evidence.hear(10 * SECOND, N3)
    assert word(evidence, 10) is True
    ask(evidence, 10, 11, 12, 13)
    assert word(evidence, 12.99) is True
    assert word(evidence, 13) is False


def test_an_answer_is_enough(evidence: Evidence) -> None:
    """Whatever was said of it before."""
    ask(evidence, 10, 11, 12, 13)
    assert word(evidence, 13.5) is False
    ask(evidence, 13.6, outcome=ANSWERED)
    assert word(evidence, 13.6) is True


def test_signs_of_life_out_of_order(evidence: Evidence) -> None:
    """The newest counts: adverts and answers come from two threads."""
    ask(evidence, 10, outcome=ANSWERED)
    evidence.hear(8 * SECOND, N3)
    assert word(evidence, 12.9) is True


def test_a_longer_lifetime_is_waited_for() -> None:
    """Addresses of slow elections live longer."""
    evidence = watching([N3], lifetime_ns=12 * SECOND)
    ask(evidence, *range(13))
    assert word(evidence, 11.9) is None
    assert word(evidence, 12) is False


def test_a_question_that_was_not_sent_asks_nobody(evidence: Evidence) -> None:
    """With the own link down nothing is certain, and the questions before it do not count."""
    ask(evidence, 10, 11, 12, 13)
    assert word(evidence, 13.5) is False
    ask(evidence, 14, outcome=FAILED)
    assert word(evidence, 14.5) is None
    ask(evidence, 15, 16, 17, 17.9)
    assert word(evidence, 17.99) is None
    ask(evidence, 18)
    assert word(evidence, 18) is False


def test_a_link_that_is_back_is_trusted_later(evidence: Evidence) -> None:
    """A switch may keep it shut: silence counts from a moment on, signs of life at once."""
    evidence.trusted_ns = {N3.ifindex: 40 * SECOND}
    ask(evidence, *range(10, 50))
    assert word(evidence, 42.9) is None
    assert word(evidence, 43) is False
    ask(evidence, 50, outcome=ANSWERED)
    assert word(evidence, 50) is True


def test_a_process_that_stood_still_begins_anew(evidence: Evidence) -> None:
    """Answers may have gone by meanwhile."""
    ask(evidence, 10, 11, 12)
    assert word(evidence, 40) is None
    ask(evidence, 40)
    assert word(evidence, 40.1) is None
    ask(evidence, 41, 42, 43)
    assert word(evidence, 43) is False


def test_both_families_are_asked() -> None:
    """Either is a sign of life; only both together are silent."""
    evidence = watching([N3], [N3_IPV6])
    ask(evidence, 10, 11, 12, 13)
    assert word(evidence, 13) is None
    ask(evidence, 10, 11, 12, 13, target=N3_IPV6)
    assert word(evidence, 13) is False
    ask(evidence, 13.1, outcome=ANSWERED, target=N3_IPV6)
    assert word(evidence, 13.1) is True


def test_every_card_is_asked() -> None:
    """An address that would be heard on two links is silent when it is on both."""
    elsewhere = Target(3, N3.address)
    evidence = watching([N3, elsewhere])
    ask(evidence, 10, 11, 12, 13)
    assert word(evidence, 13) is None
    ask(evidence, 10, 11, 12, 13, target=elsewhere)
    assert word(evidence, 13) is False


@pytest.mark.parametrize("sources", [[], [[N3], []]], ids=["none", "one without a link"])
def test_an_address_that_cannot_be_asked(sources: list[list[Target]]) -> None:
    """It may be there; an advert says so all the same."""
    evidence = watching(*sources)
    ask(evidence, 10, 11, 12, 13)
    assert word(evidence, 13) is None
    if sources:
        evidence.hear(13 * SECOND, N3)
        assert word(evidence, 13) is True


def test_who_is_not_watched_says_nothing(evidence: Evidence) -> None:
    """Adverts and late answers of others change nothing."""
    other = Target(2, ip_address("192.0.2.4"))
    assert not evidence.hear(10 * SECOND, other)
    ask(evidence, 10, outcome=ANSWERED, target=other)
    assert word(evidence, 10) is None
    assert evidence.word(10 * SECOND, "n4") is None


def test_what_is_known_stays_while_others_come_and_go(evidence: Evidence) -> None:
    """A node that is watched anew is asked anew."""
    ask(evidence, 10, 11, 12, 13)
    n3 = Watched((frozenset([N3]),), LIFETIME)
    n4 = Target(2, ip_address("192.0.2.4"))
    assert evidence.watch({"n4": Watched((frozenset([n4]),), LIFETIME), "n3": n3}) == [n4]
    assert (word(evidence, 13), evidence.names) == (False, ["n3", "n4"])
    evidence.watch({})
    assert (word(evidence, 13), evidence.names) == (None, [])
    assert evidence.watch({"n3": n3}) == [N3]
    assert word(evidence, 13) is None
