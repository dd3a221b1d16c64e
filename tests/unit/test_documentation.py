"""The documentation keeps up with the repository: links, examples, names."""

from __future__ import annotations

import enum
import re
from pathlib import Path

import pytest
import yaml

from support.rings import ROOT
from support.statuses import router_status, status
from support.tree import our_files
from vip_model import vocabulary
from vip_model.__about__ import __version__
from vip_model.resources import enums
from vip_model.schema.parse import parse_documents
from vip_model.schema.reference import PAGES
from vip_model.vocabulary import GateState, Use
from vip_operator.pages import metrics as operator_metrics
from vip_operator.pages.report import Report as OperatorReport
from vip_operator.pages.report import Tally
from vip_speaker.agent.metrics import render
from vip_speaker.agent.report import Configuration, GateDetail, Report
from vip_speaker.engine.instance import SEND_FAILED
from vip_speaker.engine.turns import TurnMeter
from vip_speaker.vrrp.packet import DropReason


def test_the_readme_shows_the_example_as_it_is() -> None:
    """The vip.yaml that the README explains says the same as the one that the demo runs."""
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    example = (ROOT / "examples/bare-metal/vip.yaml").read_text()
    assert list(yaml.safe_load_all(example)) in [list(yaml.safe_load_all(one)) for one in blocks]


def test_the_readme_shows_a_virtual_ip_that_is_accepted() -> None:
    """Every manifest that the README shows is a valid one."""
    readme = (ROOT / "README.md").read_text()
    for block in re.findall(r"^```yaml\n(.*?)^```", readme, re.DOTALL | re.MULTILINE):
        parsed = parse_documents([("README.md", one) for one in yaml.safe_load_all(block)])
        assert parsed.problems == ()
        assert parsed.virtual_ips


def test_the_readme_loads_the_image_that_is_built() -> None:
    """What the README loads into kind's nodes is what hack/image makes and the chart installs."""
    loaded = re.findall(r"kind load docker-image (.+)", (ROOT / "README.md").read_text())
    config = yaml.safe_load((ROOT / "kind-config.yaml").read_text())
    assert loaded == [f"--name {config['name']} vip-operator:{__version__}"]


@pytest.mark.parametrize(
    "page", our_files("*.md"), ids=lambda path: str(path.relative_to(ROOT)).replace("/", "-")
)
def test_links_in_the_documentation_resolve(page: Path) -> None:
    """Every relative link of a Markdown page names a file that is there, and a heading in it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in _anchors(file), f"{page}: {target}"


def _anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_operations_explain_every_drop() -> None:
    """Each reason for a drop is in the operations page; other reasons are generated."""
    page = (ROOT / "docs/operations-bare-metal.md").read_text()
    assert [reason for reason in (*DropReason, SEND_FAILED) if f"`{reason}`" not in page] == []


def test_every_reason_has_a_page() -> None:
    """Wherever reasons are given, a page of docs/ has a generated table of them."""
    generated = {name for tables in PAGES.values() for name in tables}
    assert {f"reasons of {use.name}" for use in Use} <= generated


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}" for name in PAGES)])
def test_pages_promise_no_word_that_nothing_gives(page: str) -> None:
    """Each CamelCase word between backticks is one that the code has: no reason is made up."""
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    words = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z]+[a-z]+)+)`", text))
    choices = {
        str(word)
        for module in (vocabulary, enums)
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, enum.StrEnum)
        for word in found
    }
    assert sorted(words - choices - {*DropReason, SEND_FAILED}) == []


def test_every_metric_is_documented() -> None:
    """docs/metrics.md has every metric of ours that agent or operator serve, and none besides."""
    gate = GateDetail(
        router="shop/web", name="web", kind="httpGet", state=GateState.PASSING, reason=""
    )
    report = Report(
        node="n1",
        engine=status(router_status(), turns=TurnMeter().message()),
        configuration=Configuration(source="vip.yaml"),
        gates=[gate],
    )
    of_operator = operator_metrics.render(
        OperatorReport(
            identity="one",
            is_leader=True,
            tally=Tally(),
            writes={},
            watch_restarts=0,
            troubles=(),
            hindrances=(),
        )
    )
    text = (render(report) + of_operator).decode()
    served = re.findall(r"^# TYPE (vip_(?:speaker|operator)_\w+)", text, re.MULTILINE)
    page = (ROOT / "docs/metrics.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == sorted(served)


def test_pages_that_the_code_names_are_there() -> None:
    """A comment that sends the reader to a page, or to a heading of it, sends them somewhere."""
    modules = [path for path in our_files("*.py") if path.name != Path(__file__).name]
    names = re.compile(r'(docs/[\w-]+\.md)(?:, "([^"]+)")?')
    found = {name for path in modules for name in names.findall(path.read_text())}
    assert found
    for page, heading in sorted(found):
        assert (ROOT / page).exists(), page
        wanted = heading.lower().replace(",", "").replace(" ", "-")
        assert not heading or any(one.startswith(wanted) for one in _anchors(ROOT / page)), heading


def test_every_page_is_in_the_index() -> None:
    """docs/README.md links every page of docs/."""
    index = (ROOT / "docs/README.md").read_text()
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages
    assert [page for page in sorted(pages) if f"({page})" not in index] == []
