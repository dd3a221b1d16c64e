"""What the demos promise and how they judge: bounds, verdicts, the table, the example's figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from vip_lab.demo.act import NOBODY, Act, Bound, Ends, no_gap
from vip_lab.demo.bare_metal.acts import ACTS
from vip_lab.demo.kubernetes import bounds
from vip_lab.demo.kubernetes.acts import MOVING, REMOVING
from vip_lab.demo.kubernetes.example import WEB, Example
from vip_lab.demo.perform import Seen, conclude, perform, row_of, what_is_wrong
from vip_lab.demo.tell import Row, Teller, show_table
from vip_lab.host import Host
from vip_lab.namespaces import LabError
from vip_lab.record import ProbeResult
from vip_model.__about__ import __version__

GOOD = ProbeResult(
    sent=400,
    lost=0,
    refused=0,
    longest_gap_ms=0.4,
    longest_gap_at_seconds=1.0,
    late_ms_max=0.0,
    skipped=0,
)
ROW = Row("a title", "n1", "n2", "0", "17", "235", "720", "ok")


@dataclass
class PaperStage:
    """A stage where the address is wherever an act writes it."""

    where: list[str] = field(default_factory=lambda: ["n1"])
    client: Host = field(
        default_factory=lambda: Host("client", "", "", "", "", directory=Path("/nonexistent"))
    )
    address: str = "192.0.2.100"

    def holders(self) -> list[str]:
        return self.where

    def others(self, name: str) -> list[str]:
        return [other for other in ("n1", "n2", "n3") if other != name]

    def await_holder(self, among: Sequence[str] | None = None, seconds: float = 5.0) -> str:
        (holder,) = self.where
        if among is not None and holder not in among:
            raise LabError(f"it is on {holder}")
        return holder


def _act(**changes: object) -> Act[PaperStage]:
    act: Act[PaperStage] = Act(
        title="{0} is told to go",
        story="{0} goes.",
        ends=Ends.NOWHERE,
        begin=PaperStage.await_holder,
        play=_leave,
        bound=None,
    )
    return replace(act, **changes)  # type: ignore[arg-type]  # whatever fields a test changes


def _leave(stage: PaperStage, _holder: str) -> str:
    stage.where = []
    return "It went."


def _stay(_stage: PaperStage, _holder: str) -> str:
    return "It stays."


def _fail(_stage: PaperStage, _holder: str) -> str:
    raise LabError("the plug is stuck")


# --- verdicts ------------------------------------------------------------------------------------


def test_an_act_within_its_bound_is_right() -> None:
    """Nothing is wrong with an act whose gap is as long as its bound."""
    bound = Bound(100, "")
    at_the_bound = replace(GOOD, lost=20, longest_gap_ms=100.0)
    assert what_is_wrong((GOOD, at_the_bound), bound) == ""


def test_a_gap_beyond_the_bound_is_wrong() -> None:
    """An act whose gap is longer than its bound fails and says which probes were silent."""
    silent = replace(GOOD, lost=1, longest_gap_ms=101.0)
    assert "TCP was silent for 101 ms" in what_is_wrong((GOOD, silent), Bound(100, ""))
    assert "ICMP was silent" in what_is_wrong((silent, GOOD), Bound(100, ""))


def test_a_machine_that_stood_still_is_no_gap_of_ours() -> None:
    """The hosts may take longer by the time for which the prober itself could not run."""
    stood_still = replace(GOOD, longest_gap_ms=150.0, late_ms_max=60.0)
    assert what_is_wrong((stood_still, GOOD), Bound(100, "a sum")) == ""
    assert "150 ms" in what_is_wrong((replace(stood_still, late_ms_max=40.0), GOOD), Bound(100, ""))


def test_probes_lost_beyond_the_bound_are_wrong() -> None:
    """An act that may lose one probe fails when it loses two, however short the gap."""
    bound = no_gap(None, "n1")
    assert what_is_wrong((GOOD, replace(GOOD, lost=1)), bound) == ""
    assert "2 TCP probes were lost" in what_is_wrong((GOOD, replace(GOOD, lost=2)), bound)


def test_echo_requests_have_a_bound_of_their_own() -> None:
    """While a pod is unready connects may be lost, echo requests may not."""
    bound = bounds.unready(8.0)
    lossy = replace(GOOD, lost=30, longest_gap_ms=150.0)
    assert what_is_wrong((GOOD, lossy), bound) == ""
    assert "30 ICMP probes were lost" in what_is_wrong((lossy, GOOD), bound)


def test_an_act_that_leaves_the_address_behind_fails() -> None:
    """An act after which nobody shall hold the address fails while somebody does."""
    row = perform(PaperStage(), Teller(), 1, _act(play=_stay))
    assert (row.after, row.verdict) == ("n1", "FAILED")


def test_an_act_after_which_nobody_has_the_address_is_ok() -> None:
    """An act without probes has no figures, and is ok when the address is gone as it shall be."""
    row = perform(PaperStage(), Teller(), 1, _act())
    assert row == Row("n1 is told to go", "n1", NOBODY, "-", "-", "-", "-", "ok")


@pytest.mark.parametrize("step", ["begin", "play", "repair"])
def test_an_act_that_breaks_off_fails_and_the_demo_goes_on(
    step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trouble at any step makes that act fail with its words; it never ends the demo."""
    break_off = (lambda stage: _fail(stage, "")) if step == "begin" else _fail
    row = perform(PaperStage(), Teller(), 1, _act(**{step: break_off}))
    assert row.verdict == "FAILED"
    assert "the plug is stuck" in capsys.readouterr().out


@pytest.mark.parametrize(("verdict", "good"), [("ok", True), ("FAILED", False)])
def test_one_failure_is_enough(verdict: str, good: bool) -> None:
    """The demo is good only if every act is."""
    assert conclude([ROW, replace(ROW, verdict=verdict)], Teller()) is good


# --- bounds --------------------------------------------------------------------------------------


def test_bounds_on_kubernetes_are_the_sums_they_say_they_are() -> None:
    """Each bound on Kubernetes is the sum of the milliseconds that it is explained with."""
    for bound in (bounds.unready(12.0), no_gap(None, "n1")):
        assert sum(map(int, re.findall(r"(\d+) ms", bound.made_of))) == bound.ms
    assert bounds.crash(1000, 12.0).ms == 3 * 1000 + 12 + 100
    assert bounds.unready_move_ms(1000, 12.0) == 1000 + 1000 + 200 + 12 + 100


def test_the_bounds_are_below_what_others_took() -> None:
    """Even the slowest next node keeps the bounds below what kube-vip and MetalLB took."""
    slowest_ms = (256 - 155) * 1000 / 256
    assert bounds.crash(1000, slowest_ms).ms < 6601
    assert bounds.unready(slowest_ms).ms < 2364


# --- telling -------------------------------------------------------------------------------------


def test_the_gap_of_a_row_is_the_longer_one() -> None:
    """The table shows the longest gap of either kind, and what each kind lost."""
    tcp = replace(GOOD, lost=47, longest_gap_ms=235.2)
    row = row_of("t", "n1", Seen("n2", "", "", (GOOD, tcp)), Bound(720, ""), "ok")
    assert (row.lost_icmp, row.lost_tcp, row.gap, row.bound) == ("0", "47", "235", "720")


def test_the_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line of the table has its columns where the head has them, figures on the right."""
    show_table([ROW, replace(ROW, title="a much longer title", gap="2385")], Teller())
    head, *lines = capsys.readouterr().out.strip().splitlines()
    ends = [head.index(word) + len(word) for word in ("lost ICMP", "gap ms", "bound ms")]
    assert [[line[:end].split()[-1] for end in ends] for line in lines] == [
        ["0", "235", "720"],
        ["0", "2385", "720"],
    ]
    assert {line.index("ok") for line in lines} == {head.index("verdict")}


def test_a_long_command_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that is wider than the page is broken where a shell goes on reading."""
    command = "helm install " + " ".join(f"--set=value{number}=1" for number in range(20))
    Teller().command(command)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 110
    assert printed.replace("\\\n", "").split() == ["$", *command.split()]


@pytest.mark.parametrize("act", [*ACTS, *MOVING, *REMOVING], ids=lambda act: act.title)
def test_acts_speak_of_the_holder(act: Act[PaperStage]) -> None:
    """Title and story of an act can be told of any holder, and the title fits the table."""
    title, story = act.title.format("n1"), act.story.format("n1")
    assert "{" not in title + story
    assert len(title) <= 31
    assert story.endswith(".")


# --- the example ---------------------------------------------------------------------------------


def test_the_example_runs_the_image_of_this_version() -> None:
    """web.yaml names the image that this checkout builds."""
    assert re.findall(r"image: (\S+)", WEB.read_text()) == [f"vip-operator:{__version__}"]


def test_the_demo_reads_its_example() -> None:
    """The demo takes address, names and the probe's period from the files that it applies."""
    assert Example.read() == Example("web", "default", "192.0.2.100", 1000)
    assert Example.read().router == "default/web"
